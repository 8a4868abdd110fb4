//! The unique check: whether a live row has the key already.

use crate::descend::{corrupt, open};
use crate::node::{Frame, Node, Position, write};
use alloc::vec::Vec;
use pg_btree_port::{FileId, IndexError, Tid};
use pg_buffer_port::{MiniTx, Slot};
use pg_heap_port::{Liveness, is_dead, liveness};
use pg_txn_port::{Transaction, Xid};

/// What forbids an insert.
pub enum Conflict {
    /// This row has the key.
    Row(Tid),
    /// A row has it, or will not, depending on how this transaction ends.
    Undecided(Xid),
}

/// So many entries of dead rows in the way of one insert are worth a cleaning.
const DEAD: u32 = 16;

/// Looks at all entries with the key of `new`, beginning on the latched page
/// `first`. Rows are looked at with that page latched: latches go from the
/// index to the heap, never back. Where a key has many dead entries, as that of a
/// row updated often, those of the first page are taken out.
pub fn conflict(
    tx: &Transaction,
    mtx: &mut MiniTx,
    first: Slot,
    file: FileId,
    heap: FileId,
    new: Position<'_>,
) -> Result<Option<Conflict>, IndexError> {
    let block = mtx.page_id(first).block;
    let node = Node::new(mtx.page(first)).ok_or_else(|| corrupt(file, block))?;
    let mut dead = 0;
    let (mut found, mut next) = on_page(tx, &node, heap, new, &mut dead)?;
    let worth_it = dead >= DEAD;
    while let (None, Some(block)) = (&found, next) {
        let page = open(file, block)?;
        let node = Node::new(&page).ok_or_else(|| corrupt(file, block))?;
        (found, next) = on_page(tx, &node, heap, new, &mut dead)?;
    }
    if worth_it && found.is_none() {
        clean(mtx, first, file, heap)?;
    }
    Ok(found)
}

/// Takes entries of dead rows out of a latched leaf. Only among entries of equal
/// keys are they looked for: in a unique index all of these but one are dead, or
/// will be.
pub fn clean(mtx: &mut MiniTx, slot: Slot, file: FileId, heap: FileId) -> Result<(), IndexError> {
    let block = mtx.page_id(slot).block;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    let frame = Frame::of(&node);
    let all = node.items();
    let before = all.len();
    let mut kept = Vec::with_capacity(before);
    for equal in all.chunk_by(|a, b| a.at.key == b.at.key) {
        for item in equal {
            if equal.len() == 1 || !is_dead(heap, Tid::unpack(item.at.tid))? {
                kept.push(item.clone());
            }
        }
    }
    if kept.len() < before {
        write(mtx, slot, &frame, &kept);
    }
    Ok(())
}

/// Looks at one page; gives the next one if the key may go on there.
fn on_page(
    tx: &Transaction,
    node: &Node<'_>,
    heap: FileId,
    new: Position<'_>,
    dead: &mut u32,
) -> Result<(Option<Conflict>, Option<u32>), IndexError> {
    for index in node.count_before(Position::before(new.key))..node.len() {
        let at = node.position(index);
        if at.key != new.key {
            return Ok((None, None));
        }
        if at.tid == new.tid {
            continue;
        }
        let row = Tid::unpack(at.tid);
        match liveness(tx, heap, row)? {
            Liveness::Dead => *dead += 1,
            Liveness::Live => return Ok((Some(Conflict::Row(row)), None)),
            Liveness::InProgress(xid) => return Ok((Some(Conflict::Undecided(xid)), None)),
        }
    }
    let goes_on = node.is_left_of(Position::behind(new.key));
    Ok((None, node.right().filter(|_| goes_on)))
}
