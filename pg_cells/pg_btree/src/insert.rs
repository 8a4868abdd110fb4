//! Adding an entry.

use crate::clean::{Room, make_room};
use crate::descend::{Path, corrupt, descend, latch};
use crate::node::{Bound, Item, Node, Position};
use crate::split::Growth;
use crate::unique::{Conflict, conflict};
use pg_btree_port::{FileId, IndexError, Inserted, MAX_KEY, Tid};
use pg_buffer_port::{MiniTx, PageId, Slot};
use pg_txn_port::Transaction;

/// See [`pg_btree_port::insert_alone`].
pub fn insert(
    tx: &mut Transaction,
    file: FileId,
    heap: FileId,
    key: &[u8],
    tid: Tid,
    alone: Option<usize>,
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
    let unique = alone.and_then(|len| key.get(..len));
    let first = unique.map_or(at, Position::before);
    loop {
        let (page, path) = descend(file, first, false, 0)?;
        drop(page);
        let mut mtx = tx.change_pages(tx.xid().map_or(0, |x| x.0));
        let start = (path.block, path.since);
        let Some((mut slot, mut block)) = latch(&mut mtx, file, start, first, 0)? else {
            continue;
        };
        if let Some(unique) = unique {
            match conflict(tx, &mut mtx, slot, (file, heap), (unique, at.tid))? {
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
        }
        let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
        if !node.has_room_for(key) && heap != file {
            let room = Room {
                file,
                heap,
                wanted: at,
            };
            make_room(&mut mtx, slot, &room)?;
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

/// Adds `item` to the latched page on which it belongs. When pages split for it,
/// all that change are latched first, upwards, and then the new ones are taken.
fn add(
    mtx: &mut MiniTx,
    file: FileId,
    path: &Path,
    mut slot: Slot,
    mut block: u32,
    mut item: Item,
) -> Result<(), IndexError> {
    let mut growth = Growth::default();
    loop {
        let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
        if node.has_room(&item) {
            return growth.write(mtx, file, path.has_free, Some((slot, item)));
        }
        let level = node.level();
        let Some(separator) = growth.split(file, (slot, block), &node, item)? else {
            return growth.write(mtx, file, path.has_free, None);
        };
        (slot, block) = parent(mtx, file, path, level + 1, &separator.at)?;
        item = separator;
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
        && let Some(found) = latch(mtx, file, (*block, path.since), at, level)?
    {
        return Ok(found);
    }
    // The tree has grown since, or the page was given back.
    loop {
        let (page, path) = descend(file, at, false, level)?;
        drop(page);
        if let Some(found) = latch(mtx, file, (path.block, path.since), at, level)? {
            return Ok(found);
        }
    }
}
