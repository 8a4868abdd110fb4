//! Reading rows: by tid, by page, and whether they count for a unique index.

use crate::all_visible::is_marked;
use crate::page::{Version, give_hints, version};
use crate::serial;
use crate::visibility::{Known, is_visible, xmax_status, xmin_status};
use alloc::vec::Vec;
use pg_buffer_port::{PageId, PageRead, read_page};
use pg_heap_port::{FileId, HeapError, Liveness, RowBatch, RowBuf, Tid};
use pg_page::slots::{self, State};
use pg_page::tuple_header::{self, bits, content};
use pg_page::{HEADER_SIZE, PAGE_SIZE, Page};
use pg_txn_port::{Sight, Snapshot, Transaction, Xid, XidStatus};

/// A walk along a HOT chain within one page, oldest version first.
struct Chain {
    block: u32,
    next: Option<u16>,
    /// Who replaced the version before: the next one must be its work, else its
    /// slot has been used again.
    expect: Option<u64>,
}

impl Chain {
    /// The chain that an index entry with `tid` leads to.
    fn new(page: &Page, tid: Tid) -> Self {
        let root = slots::pointer(page, tid.slot);
        let next = match root {
            Some(p) if p.state == State::Redirect => Some(p.offset),
            Some(p) if p.state == State::Normal => {
                let found = version(page, tid.slot);
                found
                    .filter(|v| !v.header.has(bits::HEAP_ONLY))
                    .map(|_| tid.slot)
            }
            _ => None,
        };
        Chain {
            block: tid.block,
            next,
            expect: None,
        }
    }

    #[inline]
    fn step(&mut self, page: &Page) -> Option<(u16, Version)> {
        let number = self.next.take()?;
        let found = version(page, number)?;
        let header = &found.header;
        if self.expect.is_some_and(|xid| xid != header.xmin) {
            return None;
        }
        if header.has(bits::HOT_UPDATED) && header.next_block == self.block {
            self.next = Some(header.next_slot).filter(|n| *n != number);
            self.expect = Some(header.xmax);
        }
        Some((number, found))
    }
}

fn open(file: FileId, block: u32) -> Result<PageRead, HeapError> {
    Ok(read_page(PageId::new(file, block))?)
}

fn copy(page: &Page, number: u16, row: &mut RowBuf) {
    row.set(slots::item(page, number).map_or(&[], content));
}

/// See [`pg_heap_port::fetch`].
pub fn fetch(
    snapshot: &Snapshot,
    file: FileId,
    tid: Tid,
    row: &mut RowBuf,
) -> Result<Option<Tid>, HeapError> {
    let mut page = open(file, tid.block)?;
    let mut chain = Chain::new(&page, tid);
    while let Some((number, found)) = chain.step(&page) {
        let mut hints = 0;
        let visible = is_visible(&found.header, snapshot, &mut hints)?;
        if let Some(reads) = snapshot.reads() {
            let tid = Tid::new(tid.block, number);
            serial::read_row(reads, snapshot, file, tid, &found.header, visible)?;
        }
        if visible {
            copy(&page, number, row);
        }
        give_hints(&mut page, found.offset, hints);
        if visible {
            return Ok(Some(Tid::new(tid.block, number)));
        }
    }
    Ok(None)
}

/// See [`pg_heap_port::fetch_exact`].
pub fn fetch_exact(
    snapshot: &Snapshot,
    file: FileId,
    tid: Tid,
    row: &mut RowBuf,
) -> Result<bool, HeapError> {
    let mut page = open(file, tid.block)?;
    let Some(found) = version(&page, tid.slot) else {
        return Ok(false);
    };
    let mut hints = 0;
    let visible = is_visible(&found.header, snapshot, &mut hints)?;
    if let Some(reads) = snapshot.reads() {
        serial::read_row(reads, snapshot, file, tid, &found.header, visible)?;
    }
    if visible {
        copy(&page, tid.slot, row);
    }
    give_hints(&mut page, found.offset, hints);
    Ok(visible)
}

/// See [`pg_heap_port::fetch_any`].
pub fn fetch_any(file: FileId, tid: Tid, row: &mut RowBuf) -> Result<bool, HeapError> {
    let page = open(file, tid.block)?;
    let found = version(&page, tid.slot).is_some();
    if found {
        copy(&page, tid.slot, row);
    }
    Ok(found)
}

/// See [`pg_heap_port::scan_block`].
pub fn scan_block(
    snapshot: &Snapshot,
    file: FileId,
    block: u32,
    rows: &mut RowBatch,
) -> Result<(), HeapError> {
    rows.clear();
    let mut page = rows.scan().read(PageId::new(file, block))?;
    if let Some(reads) = snapshot.reads() {
        serial::read_page(reads, snapshot, file, block, &page)?;
    }
    if is_marked(&page) {
        whole_page(&page, block, rows);
        return Ok(());
    }
    let mut news: Vec<(usize, u16)> = Vec::new();
    for (number, pointer) in slots::pointers(&page) {
        if pointer.state != State::Normal {
            continue;
        }
        let Some(found) = version(&page, number) else {
            continue;
        };
        let mut hints = 0;
        if is_visible(&found.header, snapshot, &mut hints)?
            && let Some(item) = slots::item(&page, number)
        {
            rows.push(Tid::new(block, number), content(item));
        }
        if hints != 0 {
            news.push((found.offset, hints));
        }
    }
    for (offset, hints) in news {
        give_hints(&mut page, offset, hints);
    }
    Ok(())
}

/// All rows of a page that says of itself that everyone sees all of it: what is there
/// is visible, and no header need be read.
fn whole_page(page: &Page, block: u32, rows: &mut RowBatch) {
    let found = slots::pointers(page).filter_map(|(number, pointer)| {
        let (start, len) = (usize::from(pointer.offset), usize::from(pointer.len));
        let fits = start >= HEADER_SIZE && len >= tuple_header::SIZE && start + len <= PAGE_SIZE;
        (pointer.state == State::Normal && fits).then(|| {
            let row = start + tuple_header::SIZE;
            (Tid::new(block, number), row as u32, (start + len) as u32)
        })
    });
    rows.set(page, found);
}

/// See [`pg_heap_port::roots`].
pub fn roots(file: FileId, block: u32, roots: &mut Vec<u16>) -> Result<(), HeapError> {
    let page = open(file, block)?;
    let count = slots::count(&page);
    roots.clear();
    roots.resize(usize::from(count) + 1, 0);
    for number in 1..=count {
        let mut chain = Chain::new(&page, Tid::new(block, number));
        while let Some((member, _)) = chain.step(&page) {
            if let Some(root) = roots.get_mut(usize::from(member)) {
                *root = number;
            }
        }
    }
    Ok(())
}

/// See [`pg_heap_port::liveness`].
pub fn liveness(tx: &Transaction, file: FileId, tid: Tid) -> Result<Liveness, HeapError> {
    let mut page = open(file, tid.block)?;
    let mut chain = Chain::new(&page, tid);
    while let Some((_, found)) = chain.step(&page) {
        let mut hints = 0;
        let state = version_liveness(tx, &found, &mut hints)?;
        give_hints(&mut page, found.offset, hints);
        if state != Liveness::Dead {
            return Ok(state);
        }
    }
    Ok(Liveness::Dead)
}

/// See [`pg_heap_port::find_dead`].
pub fn find_dead(file: FileId, tids: &[Tid], dead: &mut Vec<Tid>) -> Result<(), HeapError> {
    let sight = pg_txn_port::sight()?;
    let mut known = Known::default();
    for on_page in tids.chunk_by(|a, b| a.block == b.block) {
        let Some(first) = on_page.first() else {
            continue;
        };
        let page = open(file, first.block)?;
        for tid in on_page {
            if is_dead(&page, *tid, &sight, &mut known)? {
                dead.push(*tid);
            }
        }
    }
    Ok(())
}

/// Whether there is something at `tid`, and all of it is dead.
fn is_dead(page: &Page, tid: Tid, sight: &Sight, known: &mut Known) -> Result<bool, HeapError> {
    let Some(root) = slots::pointer(page, tid.slot) else {
        return Ok(false);
    };
    let mut chain = Chain::new(page, tid);
    let mut any = root.state == State::Dead;
    while let Some((_, found)) = chain.step(page) {
        if !known.fate(&found.header, sight, &mut 0)?.is_over() {
            return Ok(false);
        }
        any = true;
    }
    Ok(any)
}

fn version_liveness(
    tx: &Transaction,
    found: &Version,
    hints: &mut u16,
) -> Result<Liveness, HeapError> {
    let header = &found.header;
    if !tx.is_own(Xid(header.xmin)) {
        match xmin_status(header, hints)? {
            XidStatus::Aborted => return Ok(Liveness::Dead),
            XidStatus::InProgress => return Ok(Liveness::InProgress(Xid(header.xmin))),
            XidStatus::Committed => {}
        }
    }
    let ended = header.xmax != 0 && !header.has(bits::XMAX_INVALID);
    if !ended || header.has(bits::XMAX_LOCK_ONLY) {
        return Ok(Liveness::Live);
    }
    if tx.is_own(Xid(header.xmax)) {
        return Ok(Liveness::Dead);
    }
    Ok(match xmax_status(header, hints)? {
        XidStatus::Aborted => Liveness::Live,
        XidStatus::InProgress => Liveness::InProgress(Xid(header.xmax)),
        XidStatus::Committed => Liveness::Dead,
    })
}
