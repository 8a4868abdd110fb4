//! The unique check: whether a live row has the key already.

use crate::clean::take_equals;
use crate::descend::{corrupt, open};
use crate::node::{Node, Position};
use pg_btree_port::{FileId, IndexError, Tid};
use pg_buffer_port::{MiniTx, Slot};
use pg_heap_port::{Liveness, liveness};
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

/// Looks at all entries whose keys begin with `key` but the one of `tid`, beginning
/// on the latched page `first`. Rows are looked at with that page latched: latches go from the
/// index to the heap, never back. Where a key has many dead entries, as that of a
/// row updated often, those of the first page are taken out.
pub fn conflict(
    tx: &Transaction,
    mtx: &mut MiniTx,
    first: Slot,
    (file, heap): (FileId, FileId),
    new: (&[u8], u64),
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
        take_equals(mtx, first, file, heap)?;
    }
    Ok(found)
}

/// Looks at one page; gives the next one if the key may go on there.
fn on_page(
    tx: &Transaction,
    node: &Node<'_>,
    heap: FileId,
    (key, tid): (&[u8], u64),
    dead: &mut u32,
) -> Result<(Option<Conflict>, Option<u32>), IndexError> {
    for index in node.count_before(Position::before(key))..node.len() {
        let at = node.position(index);
        if !at.key.starts_with(key) {
            return Ok((None, None));
        }
        if at.tid == tid {
            continue;
        }
        if node.is_killed(index) {
            *dead += 1;
            continue;
        }
        let row = Tid::unpack(at.tid);
        match liveness(tx, heap, row)? {
            Liveness::Dead => *dead += 1,
            Liveness::Live => return Ok((Some(Conflict::Row(row)), None)),
            Liveness::InProgress(xid) => return Ok((Some(Conflict::Undecided(xid)), None)),
        }
    }
    let goes_on = |high: Position<'_>| high.key <= key || high.key.starts_with(key);
    Ok((
        None,
        node.right().filter(|_| node.high().is_some_and(goes_on)),
    ))
}
