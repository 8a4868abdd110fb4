//! Adding an entry.

use crate::descend::{Path, corrupt, descend, latch};
use crate::node::{self, Bound, Item, Node, Position};
use crate::split::split;
use crate::unique::{Conflict, clean, conflict};
use pg_btree_port::{FileId, IndexError, Inserted, MAX_KEY, Tid};
use pg_buffer_port::{MiniTx, PageId, Slot};
use pg_txn_port::Transaction;

/// See [`pg_btree_port::insert`]; `unique_in` is the heap whose live rows forbid
/// equal keys.
pub fn insert(
    tx: &mut Transaction,
    file: FileId,
    unique_in: Option<FileId>,
    key: &[u8],
    tid: Tid,
) -> Result<Inserted, IndexError> {
    if key.len() > MAX_KEY {
        return Err(IndexError::KeyTooLong { len: key.len() });
    }
    let at = Position {
        key,
        tid: tid.pack(),
    };
    // A unique insert begins at the first page that can have the key and keeps
    // it latched: whoever inserts the same key must pass through it.
    let first = match unique_in {
        Some(_) => Position::before(key),
        None => at,
    };
    loop {
        let (page, path) = descend(file, first, false, 0)?;
        drop(page);
        let mut mtx = tx.change_pages(tx.xid().map_or(0, |x| x.0));
        let Some((mut slot, mut block)) = latch(&mut mtx, file, path.block, first, 0)? else {
            continue;
        };
        if let Some(heap) = unique_in {
            match conflict(tx, &mut mtx, slot, file, heap, at)? {
                None => {}
                // Whoever looked for the key and did not find it: failing for that
                // tells more than a duplicate that a retry would have found.
                Some(Conflict::Row(row)) => {
                    tx.check_write(file.0, Some(block), None)?;
                    return Ok(Inserted::Duplicate(row));
                }
                Some(Conflict::Undecided(xid)) => {
                    drop(mtx);
                    tx.wait_for(xid)?;
                    continue;
                }
            }
            (slot, block) = move_right(&mut mtx, file, slot, block, at)?;
            let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
            if !node.has_room_for(key) {
                clean(&mut mtx, slot, file, heap)?;
            }
        }
        tx.check_write(file.0, Some(block), None)?;
        let item = Item {
            at: at.to_owned(),
            child: None,
        };
        add(&mut mtx, file, &path, slot, block, item)?;
        mtx.commit()?;
        return Ok(Inserted::Done);
    }
}

/// Goes right to the page where `at` belongs, keeping the pages left latched.
fn move_right(
    mtx: &mut MiniTx,
    file: FileId,
    mut slot: Slot,
    mut block: u32,
    at: Position<'_>,
) -> Result<(Slot, u32), IndexError> {
    loop {
        let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
        match node.right() {
            Some(right) if node.is_left_of(at) => {
                slot = mtx.latch(PageId::new(file, right))?;
                block = right;
            }
            _ => return Ok((slot, block)),
        }
    }
}

/// Adds `item` to the latched page on which it belongs, splitting upwards as far
/// as need be.
pub fn add(
    mtx: &mut MiniTx,
    file: FileId,
    path: &Path,
    mut slot: Slot,
    mut block: u32,
    mut item: Item,
) -> Result<(), IndexError> {
    loop {
        let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
        let index = node.count_before(item.at.position());
        if node.has_room(&item) {
            node::insert(mtx, slot, index, &item);
            return Ok(());
        }
        let level = node.level();
        let Some((separator, right)) = split(mtx, file, slot, block, index, item)? else {
            return Ok(());
        };
        (slot, block) = parent(mtx, file, path, level + 1, &separator)?;
        item = Item {
            at: separator,
            child: Some(right),
        };
    }
}

/// Latches the page of `level` on which the new page's separator belongs.
fn parent(
    mtx: &mut MiniTx,
    file: FileId,
    path: &Path,
    level: u16,
    separator: &Bound,
) -> Result<(Slot, u32), IndexError> {
    let at = separator.position();
    let remembered = path.passed.get(usize::from(level));
    if let Some(block) = remembered
        && let Some(found) = latch(mtx, file, *block, at, level)?
    {
        return Ok(found);
    }
    // The tree has grown since.
    loop {
        let (page, path) = descend(file, at, false, level)?;
        drop(page);
        if let Some(found) = latch(mtx, file, path.block, at, level)? {
            return Ok(found);
        }
    }
}
