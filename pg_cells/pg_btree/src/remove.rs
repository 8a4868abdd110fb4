//! Taking dead entries out, leaf by leaf from the left. Pages that become empty
//! stay in the tree and are filled again by what belongs there.

use crate::descend::{corrupt, descend, open};
use crate::node::{Frame, Item, Node, Position, write};
use alloc::vec::Vec;
use pg_btree_port::{DeadTids, FileId, IndexError, Tid};
use pg_buffer_port::PageId;
use pg_txn_port::Transaction;

/// See [`pg_btree_port::remove`].
pub fn remove(tx: &Transaction, file: FileId, dead: &DeadTids) -> Result<u64, IndexError> {
    let mut removed = 0;
    if dead.is_empty() {
        return Ok(removed);
    }
    let (page, path) = descend(file, Position::LEAST, false, 0)?;
    drop(page);
    let mut next = Some(path.block);
    while let Some(block) = next {
        tx.check_cancel()?;
        let (right, any) = {
            let page = open(file, block)?;
            let node = Node::new(&page).ok_or_else(|| corrupt(file, block))?;
            if !node.is_leaf() {
                // The root was a leaf when we came; now its entries are below.
                drop(page);
                return Ok(removed + remove(tx, file, dead)?);
            }
            let is_dead = |index| dead.contains(Tid::unpack(node.position(index).tid));
            (node.right(), (0..node.len()).any(is_dead))
        };
        next = right;
        if any {
            match clean(tx, file, block, dead)? {
                Some((count, right)) => {
                    removed += count;
                    next = right;
                }
                None => return Ok(removed + remove(tx, file, dead)?),
            }
        }
    }
    Ok(removed)
}

/// Writes a leaf without its dead entries: how many there were, and the page to
/// its right. None when it is no leaf any more.
fn clean(
    tx: &Transaction,
    file: FileId,
    block: u32,
    dead: &DeadTids,
) -> Result<Option<(u64, Option<u32>)>, IndexError> {
    let mut mtx = tx.change_pages(0);
    let slot = mtx.latch(PageId::new(file, block))?;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    if !node.is_leaf() {
        return Ok(None);
    }
    let frame = Frame::of(&node);
    let all = node.items();
    let before = all.len();
    let is_dead = |item: &Item| dead.contains(Tid::unpack(item.at.tid));
    let kept: Vec<Item> = all.into_iter().filter(|item| !is_dead(item)).collect();
    write(&mut mtx, slot, &frame, &kept);
    mtx.commit()?;
    Ok(Some(((before - kept.len()) as u64, frame.right)))
}
