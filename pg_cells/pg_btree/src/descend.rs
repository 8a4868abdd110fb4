//! From the root to a page. One page is latched at a time on the way down: a
//! page that has split meanwhile is noticed by its bound, and its right link
//! leads on.

use crate::node::{Bound, Node, Position, ROOT};
use pg_btree_port::{FileId, IndexError};
use pg_buffer_port::{BufferError, MiniTx, PageId, PageRead, Slot, read_page};

/// More levels than a tree of 2^32 pages has.
pub const LEVELS: usize = 34;

/// A way through the tree.
#[derive(Debug)]
pub struct Path {
    /// The pages passed, by level; the root where none was.
    pub passed: [u32; LEVELS],
    /// The page it ends at.
    pub block: u32,
    /// At most every position on that page. Kept when going down strictly alone.
    pub low: Bound,
}

/// The error for a page that is no tree page.
pub fn corrupt(file: FileId, block: u32) -> IndexError {
    let page = PageId::new(file, block);
    IndexError::Storage(BufferError::Corrupt { page })
}

/// Latches a page of the tree for reading.
pub fn open(file: FileId, block: u32) -> Result<PageRead, IndexError> {
    Ok(read_page(PageId::new(file, block))?)
}

/// Goes down to the page of `level` on which `at` belongs, or (`strictly`) the
/// last position before `at`. The page is still latched for reading; it may be
/// above `level` only if the tree has no such level.
pub fn descend(
    file: FileId,
    at: Position<'_>,
    strictly: bool,
    level: u16,
) -> Result<(PageRead, Path), IndexError> {
    let mut path = Path {
        passed: [ROOT; LEVELS],
        block: ROOT,
        low: Bound::default(),
    };
    let mut page = open(file, ROOT)?;
    loop {
        let node = Node::new(&page).ok_or_else(|| corrupt(file, path.block))?;
        let passes = |high: Position<'_>| if strictly { at > high } else { at >= high };
        let next = match (node.high(), node.right()) {
            (Some(high), Some(right)) if passes(high) => {
                if strictly {
                    path.low = high.to_owned();
                }
                right
            }
            _ if node.level() <= level => return Ok((page, path)),
            _ => {
                let branch = node.branch(at, strictly);
                if let Some(passed) = path.passed.get_mut(usize::from(node.level())) {
                    *passed = path.block;
                }
                let low = node.position(branch);
                if strictly && low > path.low.position() {
                    path.low = low.to_owned();
                }
                node.child(branch)
                    .ok_or_else(|| corrupt(file, path.block))?
            }
        };
        drop(page);
        page = open(file, next)?;
        path.block = next;
    }
}

/// Latches for writing the page of `level` on which `at` belongs, starting at
/// `start`, from which it is to be reached to the right. None when `start` is of
/// another level by now: the root has grown.
pub fn latch(
    mtx: &mut MiniTx,
    file: FileId,
    start: u32,
    at: Position<'_>,
    level: u16,
) -> Result<Option<(Slot, u32)>, IndexError> {
    let mut block = start;
    let mut slot = mtx.latch(PageId::new(file, block))?;
    loop {
        let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
        if node.level() != level {
            mtx.release(slot);
            return Ok(None);
        }
        match node.right() {
            Some(right) if node.is_left_of(at) => {
                let next = mtx.latch(PageId::new(file, right))?;
                mtx.release(slot);
                (slot, block) = (next, right);
            }
            _ => return Ok(Some((slot, block))),
        }
    }
}
