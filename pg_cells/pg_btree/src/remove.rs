//! Taking dead entries out, leaf by leaf from the left. Leaves that become empty
//! are taken out of the tree (`delete.rs`).

use crate::delete;
use crate::descend::{corrupt, latch, leaf};
use crate::node::{Bound, Item, Node, Position};
use crate::write::{self, Frame};
use alloc::vec::Vec;
use pg_btree_port::{DeadTids, FileId, IndexError, Tid};
use pg_txn_port::Transaction;

/// See [`pg_btree_port::remove`].
pub fn remove(tx: &Transaction, file: FileId, dead: &DeadTids) -> Result<u64, IndexError> {
    let mut removed = 0;
    if dead.is_empty() {
        return Ok(removed);
    }
    // Where the next leaf begins, and which it was said to be.
    let mut low = Bound::default();
    let mut link = None;
    loop {
        tx.check_cancel()?;
        let (page, block, since) = leaf(file, link, low.position())?;
        let node = Node::new(&page).ok_or_else(|| corrupt(file, block))?;
        let is_dead = |index| dead.contains(Tid::unpack(node.position(index).tid));
        let mut seen = Seen::of(&node);
        let any = (0..node.len()).any(is_dead);
        drop(page);
        if any {
            let place = (block, since);
            // None: it has been split or given back between two looks.
            let cleaned = clean(tx, file, place, low.position(), dead)?;
            let Some((count, now)) = cleaned else {
                link = None;
                continue;
            };
            removed += count;
            seen = now;
        }
        if seen.is_empty && delete::page(file, block, low.position())? {
            // The page to its right begins where it began.
            link = None;
            continue;
        }
        match (seen.high, seen.right) {
            (Some(high), Some(right)) => {
                low = high;
                link = Some((right, since));
            }
            _ => break,
        }
    }
    while delete::lower_root(file)? {}
    Ok(removed)
}

/// What a leaf looked like.
struct Seen {
    is_empty: bool,
    high: Option<Bound>,
    right: Option<u32>,
}

impl Seen {
    fn of(node: &Node<'_>) -> Self {
        Seen {
            is_empty: node.len() == 0,
            high: node.high().map(Position::to_owned),
            right: node.right(),
        }
    }
}

/// Writes a leaf without its dead entries: how many there were, and what it looks
/// like. None when it is not the leaf where `low` belongs any more.
fn clean(
    tx: &Transaction,
    file: FileId,
    place: (u32, u64),
    low: Position<'_>,
    dead: &DeadTids,
) -> Result<Option<(u64, Seen)>, IndexError> {
    let mut mtx = tx.change_pages(0);
    let Some((slot, block)) = latch(&mut mtx, file, place, low, 0)? else {
        return Ok(None);
    };
    if block != place.0 {
        return Ok(None);
    }
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    let frame = Frame::of(&node);
    let all = node.items();
    let before = all.len();
    let is_dead = |item: &Item| dead.contains(Tid::unpack(item.at.tid));
    let kept: Vec<Item> = all.into_iter().filter(|item| !is_dead(item)).collect();
    write::page(&mut mtx, slot, &frame, &kept);
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    let seen = Seen::of(&node);
    mtx.commit()?;
    Ok(Some(((before - kept.len()) as u64, seen)))
}
