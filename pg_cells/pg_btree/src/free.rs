//! Free pages: a list through the pages themselves, which begins at the root. It
//! is changed in the mini-transaction that takes a page out of the tree or into
//! it, so no crash loses one.
//!
//! A page may be taken into use again at once. Whoever holds a link to what it
//! was finds it free, or finds a stamp: where the log stood when it was taken.
//! Links to a page are gone before it becomes free, and that is a log record; so
//! a link to what it was is older than the stamp, and one to what it is, newer.
//!
//! Latches: the root, then the free page, both after any other. Whoever has a
//! free page latched waits for nobody.

use crate::descend::{corrupt, now};
use crate::node::{Node, ROOT};
use crate::write;
use pg_btree_port::{FileId, IndexError};
use pg_buffer_port::{MiniTx, PageId, Slot};

/// A page for the tree, latched, to be written anew.
pub struct Fresh {
    /// The page.
    pub slot: Slot,
    /// Its number.
    pub block: u32,
    /// What to stamp it with.
    pub stamp: Option<u64>,
}

/// Takes a free page, or makes one. `has_free` tells whether it is worth asking
/// the root.
pub fn take(mtx: &mut MiniTx, file: FileId, has_free: bool) -> Result<Fresh, IndexError> {
    if has_free {
        let root = mtx.latch(PageId::new(file, ROOT))?;
        let node = Node::new(mtx.page(root)).ok_or_else(|| corrupt(file, ROOT))?;
        if let Some(block) = node.next_free() {
            let slot = mtx.latch(PageId::new(file, block))?;
            let free = Node::new(mtx.page(slot)).filter(Node::is_free);
            let next = free.ok_or_else(|| corrupt(file, block))?.next_free();
            write::set_list(mtx, root, next);
            return Ok(Fresh {
                slot,
                block,
                stamp: Some(now()),
            });
        }
    }
    let (slot, block) = mtx.extend(file)?;
    Ok(Fresh {
        slot,
        block,
        stamp: None,
    })
}

/// Makes a latched page free, to which nothing links any more.
pub fn give(mtx: &mut MiniTx, file: FileId, slot: Slot, block: u32) -> Result<(), IndexError> {
    let root = mtx.latch(PageId::new(file, ROOT))?;
    let node = Node::new(mtx.page(root)).ok_or_else(|| corrupt(file, ROOT))?;
    let next = node.next_free();
    write::set_free(mtx, slot, next);
    write::set_list(mtx, root, Some(block));
    Ok(())
}
