//! The visibility map: which pages hold nothing but rows that everyone sees, now
//! and later. Vacuum does not look at such pages again, and a scan of an index
//! need not look at them at all.
//!
//! A page's mark stands twice, as a flag in its header and as a bit of the map, and
//! both change in the same log record. So the bit is never set when the flag is
//! not, whatever the power did, and who changes a page looks at the flag alone
//! unless it is set. (The other way round is possible: the map may have been cut.)
//!
//! Latches: a page of the map comes after the heap page. A second page of the map
//! is only tried, as a second heap page is.

use crate::page::{self, set_flag, version};
use crate::visibility::{Fate, Known};
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_buffer_port::{BufferError, FileId, Fork, MiniTx, PageId, PageRead, Slot, read_page};
use pg_heap_port::{HeapError, Tid};
use pg_page::maps::{VISIBILITY_KIND, visibility};
use pg_page::slots::{self, State};
use pg_page::{HEADER_SIZE, PAGE_SIZE, Page, header};
use pg_txn_port::{Reads, Sight, Xid};

/// The map of a table.
pub fn map_of(file: FileId) -> FileId {
    FileId::new(file.relation(), Fork::Visibility)
}

fn page_of(file: FileId, block: u32) -> PageId {
    PageId::new(map_of(file), visibility::place(block).0)
}

/// Whether the page says of itself that everyone sees all of it.
pub fn is_marked(page: &Page) -> bool {
    header::flags(page) & page::ALL_VISIBLE != 0
}

/// Whether the map says so of a page. A part of the map that cannot be read says
/// nothing.
pub fn is_set(file: FileId, block: u32) -> bool {
    read_page(page_of(file, block)).is_ok_and(|page| visibility::is_set(&page, block))
}

/// Takes the mark from the latched page, which is about to change. With `wait`
/// false the map's page is only tried; false when it cannot be had.
pub fn clear(mtx: &mut MiniTx, slot: Slot, wait: bool) -> Result<bool, HeapError> {
    match is_marked(mtx.page(slot)) {
        false => Ok(true),
        true => clear_marked(mtx, slot, wait),
    }
}

#[cold]
fn clear_marked(mtx: &mut MiniTx, slot: Slot, wait: bool) -> Result<bool, HeapError> {
    let id = mtx.page_id(slot);
    let map_page = page_of(id.file, id.block);
    let map = match wait {
        true => mtx.latch(map_page).map(Some),
        false => mtx.try_latch(map_page),
    };
    match map {
        Ok(Some(map)) => set_bit(mtx, map, id.block, false),
        Ok(None) => return Ok(false),
        // Cut off since: no bit is set.
        Err(BufferError::NoSuchPage { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    set_flag(mtx, slot, page::ALL_VISIBLE, false);
    Ok(true)
}

fn set_bit(mtx: &mut MiniTx, map: Slot, block: u32, on: bool) {
    let (_, byte, bit) = visibility::place(block);
    let old = mtx.page(map)[byte];
    let new = if on { old | bit } else { old & !bit };
    if new != old {
        if header::kind(mtx.page(map)) == 0 {
            mtx.init(map, VISIBILITY_KIND, 0);
        }
        mtx.write(map, byte, &[new]);
    }
}

/// Marks the latched page if everyone sees all of it. The map must have its page.
/// True when it is marked now.
pub fn mark(mtx: &mut MiniTx, slot: Slot, sight: &Sight) -> Result<bool, HeapError> {
    if !is_all_visible(mtx.page(slot), sight)? {
        return Ok(false);
    }
    let id = mtx.page_id(slot);
    match mtx.latch(page_of(id.file, id.block)) {
        Ok(map) => set_bit(mtx, map, id.block, true),
        Err(BufferError::NoSuchPage { .. } | BufferError::Corrupt { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    set_flag(mtx, slot, page::ALL_VISIBLE, true);
    Ok(true)
}

/// Whether every version on the page is one that all snapshots see, and no index
/// may lead to one that is gone.
fn is_all_visible(page: &Page, sight: &Sight) -> Result<bool, HeapError> {
    if header::kind(page) != page::KIND {
        return Ok(false);
    }
    let mut known = Known::default();
    for (number, pointer) in slots::pointers(page) {
        let seen = match pointer.state {
            State::Unused | State::Redirect => true,
            State::Dead => false,
            State::Normal => match version(page, number) {
                Some(found) => {
                    let fate = known.fate(&found.header, sight, &mut 0)?;
                    fate == Fate::Live && Xid(found.header.xmin) < sight.horizon
                }
                None => false,
            },
        };
        if !seen {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes the map long enough for a table of `pages` pages. Latch nothing.
pub fn lengthen(file: FileId, pages: u32) -> Result<(), HeapError> {
    if let Some(last) = pages.checked_sub(1) {
        crate::map_file::lengthen(map_of(file), visibility::place(last).0 + 1)?;
    }
    Ok(())
}

/// Cuts the map to that of a table of `pages` pages, before the table is cut: pages
/// that exist again later must not be marked.
pub fn cut(file: FileId, pages: u32) -> Result<(), HeapError> {
    let (map_page, byte, bit) = visibility::place(pages);
    let keep = match (byte, bit) {
        (HEADER_SIZE, 1) => map_page,
        _ => map_page + 1,
    };
    let mut mtx = MiniTx::begin(0);
    match mtx.latch(PageId::new(map_of(file), map_page)) {
        Ok(map) if header::kind(mtx.page(map)) == VISIBILITY_KIND => {
            let left = mtx.page(map)[byte] & (bit - 1);
            mtx.write(map, byte, &[left]);
            mtx.fill(map, byte + 1, PAGE_SIZE - byte - 1, 0);
            mtx.commit()?;
        }
        Ok(_) | Err(BufferError::NoSuchPage { .. }) => drop(mtx),
        Err(error) => return Err(error.into()),
    }
    crate::map_file::cut(map_of(file), keep)
}

/// Notes for each tid whether everyone sees its page, as it is at this moment. A
/// serializable transaction's reads of such pages are told.
pub fn look(
    file: FileId,
    tids: &[Tid],
    reads: Option<&Reads>,
    seen: &mut Vec<bool>,
) -> Result<(), HeapError> {
    let mut map: Option<(u32, PageRead)> = None;
    let mut last = None;
    for tid in tids {
        if let Some((block, known)) = last
            && block == tid.block
        {
            seen.push(known);
            continue;
        }
        let wanted = visibility::place(tid.block).0;
        if map.as_ref().is_none_or(|(have, _)| *have != wanted) {
            // One latch at a time.
            map = None;
            match read_page(PageId::new(map_of(file), wanted)) {
                Ok(page) => map = Some((wanted, page)),
                // Without the map, the table itself tells.
                Err(BufferError::NoSuchPage { .. } | BufferError::Corrupt { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let set = |(_, page): &(u32, PageRead)| visibility::is_set(page, tid.block);
        let all = map.as_ref().is_some_and(set);
        if let (true, Some(reads)) = (all, reads) {
            // With the map's page latched: who changes the heap page either takes
            // the mark away before, and is met, or after, and meets this.
            reads.page(file.0, tid.block)?;
        }
        seen.push(all);
        last = Some((tid.block, all));
    }
    Ok(())
}

/// A copy of the map for who goes over the table from its beginning.
#[derive(Default)]
pub struct Walk(Option<(u32, Option<Box<Page>>)>);

impl Walk {
    /// Whether the page was marked when its part of the map was read.
    pub fn is_marked(&mut self, file: FileId, block: u32) -> Result<bool, HeapError> {
        let wanted = visibility::place(block).0;
        if self.0.as_ref().is_none_or(|(have, _)| *have != wanted) {
            let copy = match read_page(PageId::new(map_of(file), wanted)) {
                Ok(page) => Some(Box::new(*page)),
                Err(BufferError::NoSuchPage { .. } | BufferError::Corrupt { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            self.0 = Some((wanted, copy));
        }
        let copy = self.0.as_ref().and_then(|(_, copy)| copy.as_ref());
        Ok(copy.is_some_and(|page| visibility::is_set(page, block)))
    }
}

/// How many pages of the table are marked.
pub fn count(file: FileId) -> Result<u32, HeapError> {
    let pages = crate::map_file::blocks(map_of(file))?;
    let mut all = 0;
    for block in 0..pages {
        match read_page(PageId::new(map_of(file), block)) {
            Ok(page) => all += visibility::count(&page),
            Err(BufferError::NoSuchPage { .. }) => break,
            Err(BufferError::Corrupt { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}
