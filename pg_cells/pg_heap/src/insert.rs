//! New rows.

use crate::all_visible;
use crate::page::{self, add_item, ensure_init, item_size, slot_for};
use crate::prune;
use crate::space::{FileSpace, Space};
use alloc::vec::Vec;
use pg_buffer_port::{BufferError, MiniTx, PageId, Slot};
use pg_heap_port::{FileId, HeapError, MAX_ROW, Tid};
use pg_page::header;
use pg_page::slots::{self, ItemPointer};
use pg_page::tuple_header::{self, TupleHeader, bits};
use pg_txn_port::{Transaction, Xid};

/// How many roomy pages are tried before the file grows.
const TRIES: usize = 3;

/// Refuses rows that fit no page.
pub fn check_len(row: &[u8]) -> Result<(), HeapError> {
    if row.len() > MAX_ROW {
        return Err(HeapError::RowTooLarge { len: row.len() });
    }
    Ok(())
}

/// The header of a new version at `tid`.
pub fn new_header(tx: &Transaction, xid: Xid, tid: Tid, marks: u16) -> TupleHeader {
    TupleHeader {
        xmin: xid.0,
        xmax: 0,
        cmin: tx.command().0,
        cmax: 0,
        next_block: tid.block,
        next_slot: tid.slot,
        infomask: bits::XMAX_INVALID | marks,
    }
}

/// What came of trying a page.
enum Tried {
    /// It is latched and has room.
    Roomy(Slot),
    /// It has so many free bytes only.
    Full(usize),
    /// Somebody else has it latched, or what is needed to change it.
    Busy,
    /// It is not there any more.
    Gone,
}

/// Latches `block` if nobody else has it and content of `len` bytes fits. With
/// `wait`, the visibility map is waited for.
fn try_page(
    mtx: &mut MiniTx,
    file: FileId,
    block: u32,
    len: usize,
    wait: bool,
) -> Result<Tried, HeapError> {
    let slot = match mtx.try_latch(PageId::new(file, block)) {
        Ok(Some(slot)) => slot,
        Ok(None) => return Ok(Tried::Busy),
        Err(BufferError::NoSuchPage { .. }) => return Ok(Tried::Gone),
        Err(error) => return Err(error.into()),
    };
    if prune::for_change(mtx, slot, len, false)?.is_none() {
        let free = page::free(mtx.page(slot));
        mtx.release(slot);
        return Ok(Tried::Full(free));
    }
    if !all_visible::clear(mtx, slot, wait)? {
        mtx.release(slot);
        return Ok(Tried::Busy);
    }
    Ok(Tried::Roomy(slot))
}

/// Latches a page with room for content of `len` bytes that is not `except`,
/// set up and not marked as visible to all. Who names an `except` has it latched.
pub fn page_with_room(
    space: &FileSpace,
    tx: &Transaction,
    mtx: &mut MiniTx,
    file: FileId,
    len: usize,
    except: Option<u32>,
) -> Result<(Slot, u32), HeapError> {
    let lane = tx.proc().slot;
    let mut current = match space.current(lane) {
        None if space.is_new() => pg_buffer_port::blocks(file)?.checked_sub(1),
        current => current,
    };
    let mut busy = None;
    let mut found = None;
    for _ in 0..=TRIES {
        let next = match current.take() {
            None => space.take(item_size(len))?,
            current => current,
        };
        let Some(block) = next else {
            break;
        };
        if Some(block) == except {
            continue;
        }
        match try_page(mtx, file, block, len, except.is_none())? {
            Tried::Roomy(slot) => {
                found = Some((slot, block));
                break;
            }
            Tried::Full(free) => space.is_full(block, free),
            Tried::Busy => busy = Some(block),
            Tried::Gone => {}
        }
    }
    if let Some(block) = busy {
        space.add(block);
    }
    let (slot, block) = match found {
        Some(found) => found,
        None => mtx.extend(file)?,
    };
    ensure_init(mtx, slot);
    space.set_current(lane, block);
    Ok((slot, block))
}

/// See [`pg_heap_port::insert`].
pub fn insert(
    space: &Space,
    tx: &mut Transaction,
    file: FileId,
    row: &[u8],
) -> Result<Tid, HeapError> {
    check_len(row)?;
    let xid = tx.ensure_xid()?;
    tx.mark_command_used();
    let space = space.file(file);
    let mut mtx = tx.change_pages(xid.0);
    let (slot, block) = page_with_room(&space, tx, &mut mtx, file, row.len(), None)?;
    tx.check_write(file.0, None, None)?;
    let number = slot_for(mtx.page(slot), row.len()).ok_or(BufferError::Corrupt {
        page: PageId::new(file, block),
    })?;
    let tid = Tid::new(block, number);
    add_item(&mut mtx, slot, number, &new_header(tx, xid, tid, 0), row);
    mtx.commit()?;
    space.settle();
    Ok(tid)
}

/// See [`pg_heap_port::insert_many`].
pub fn insert_many(
    space: &Space,
    tx: &mut Transaction,
    file: FileId,
    rows: &[&[u8]],
    tids: &mut Vec<Tid>,
) -> Result<(), HeapError> {
    rows.iter().try_for_each(|row| check_len(row))?;
    let xid = tx.ensure_xid()?;
    tx.mark_command_used();
    let space = space.file(file);
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let mut mtx = tx.change_pages(xid.0);
        let (slot, block) = page_with_room(&space, tx, &mut mtx, file, first.len(), None)?;
        tx.check_write(file.0, None, None)?;
        let fill = Fill { tx, xid, block };
        let taken = fill.fill(&mut mtx, slot, rest, tids);
        mtx.commit()?;
        space.settle();
        rest = &rest[taken.max(1)..];
    }
    Ok(())
}

/// Fills one page with rows, in three changes however many they are.
struct Fill<'a> {
    tx: &'a Transaction,
    xid: Xid,
    block: u32,
}

impl Fill<'_> {
    /// Adds as many of `rows` as fit behind the existing ones; at least one,
    /// into an unused slot if need be. Answers how many.
    fn fill(&self, mtx: &mut MiniTx, slot: Slot, rows: &[&[u8]], tids: &mut Vec<Tid>) -> usize {
        let page = mtx.page(slot);
        let first = slots::count(page) + 1;
        let (lower, mut upper) = (header::lower(page), usize::from(header::upper(page)));
        let mut room = page::free(page);
        let fitting = rows.iter().take_while(|row| {
            let size = item_size(row.len()) + slots::POINTER_SIZE;
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        });
        let count = fitting.count();
        if count == 0 {
            return self.fill_one(mtx, slot, rows, tids);
        }
        let total: usize = rows[..count].iter().map(|r| item_size(r.len())).sum();
        let start = upper - total;
        let mut items = alloc::vec![0; total];
        let mut pointers = Vec::with_capacity(count * slots::POINTER_SIZE);
        for (row, number) in rows[..count].iter().zip(first..) {
            let tid = Tid::new(self.block, number);
            upper -= item_size(row.len());
            let len = tuple_header::SIZE + row.len();
            let item = &mut items[upper - start..upper - start + len];
            let (head, body) = item.split_at_mut(tuple_header::SIZE);
            head.copy_from_slice(&new_header(self.tx, self.xid, tid, 0).encode());
            body.copy_from_slice(row);
            pointers.extend_from_slice(&ItemPointer::normal(upper as u16, len as u16).encode());
            tids.push(tid);
        }
        mtx.write(slot, start, &items);
        mtx.write(slot, usize::from(lower), &pointers);
        page::set_bounds(mtx, slot, usize::from(lower) + pointers.len(), start);
        count
    }

    fn fill_one(&self, mtx: &mut MiniTx, slot: Slot, rows: &[&[u8]], tids: &mut Vec<Tid>) -> usize {
        let Some((row, number)) = rows
            .first()
            .and_then(|row| Some((row, slot_for(mtx.page(slot), row.len())?)))
        else {
            return 0;
        };
        let tid = Tid::new(self.block, number);
        add_item(
            mtx,
            slot,
            number,
            &new_header(self.tx, self.xid, tid, 0),
            row,
        );
        tids.push(tid);
        1
    }
}
