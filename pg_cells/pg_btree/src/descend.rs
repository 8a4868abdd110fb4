//! From the root to a page. One page is latched at a time on the way down: a
//! page that has split meanwhile is noticed by its bound, and its right link
//! leads on. A page that has been given back meanwhile is noticed by its flag or
//! its stamp, and the way begins again at the root.

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
    /// Where the log stood before the first link was read.
    pub since: u64,
    /// Whether the tree had free pages.
    pub has_free: bool,
}

impl Path {
    fn new() -> Self {
        Path {
            passed: [ROOT; LEVELS],
            block: ROOT,
            low: Bound::default(),
            since: now(),
            has_free: false,
        }
    }
}

/// Where the log stands: links that are read from now on are newer.
pub fn now() -> u64 {
    pg_wal_port::insert_position().0
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
    loop {
        if let Some(found) = try_descend(file, at, strictly, level)? {
            return Ok(found);
        }
    }
}

/// The same; none when the way led to a page that was given back meanwhile.
fn try_descend(
    file: FileId,
    at: Position<'_>,
    strictly: bool,
    level: u16,
) -> Result<Option<(PageRead, Path)>, IndexError> {
    let mut path = Path::new();
    let mut page = open(file, ROOT)?;
    path.has_free = Node::new(&page).is_some_and(|root| root.next_free().is_some());
    loop {
        let node = Node::new(&page).ok_or_else(|| corrupt(file, path.block))?;
        if node.is_other_than(path.since) {
            return Ok(None);
        }
        let passes = |high: Position<'_>| if strictly { at > high } else { at >= high };
        let next = match (node.high(), node.right()) {
            (Some(high), Some(right)) if passes(high) => {
                if strictly {
                    path.low = high.to_owned();
                }
                right
            }
            _ if node.level() <= level => return Ok(Some((page, path))),
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

/// Latches for reading the leaf on which `at` belongs, by a link that was read
/// when the log stood at `since`, or else from the root. Tells its number and
/// since when that is known.
pub fn leaf(
    file: FileId,
    link: Option<(u32, u64)>,
    at: Position<'_>,
) -> Result<(PageRead, u32, u64), IndexError> {
    if let Some((block, since)) = link {
        let fresh = now();
        let page = open(file, block)?;
        let node = Node::new(&page).ok_or_else(|| corrupt(file, block))?;
        // What the page has become since, it is for long enough.
        if node.is_leaf() && !node.is_other_than(since) && !node.is_left_of(at) {
            return Ok((page, block, fresh));
        }
    }
    let (page, path) = descend(file, at, false, 0)?;
    Ok((page, path.block, path.since))
}

/// Latches for writing the page of `level` on which `at` belongs, starting at
/// `start`, from which it is to be reached to the right and to which a link led
/// that is not older than `since`. None when `start` is of another level by now,
/// or of none: the root has grown, or the page was given back.
pub fn latch(
    mtx: &mut MiniTx,
    file: FileId,
    (start, since): (u32, u64),
    at: Position<'_>,
    level: u16,
) -> Result<Option<(Slot, u32)>, IndexError> {
    let mut block = start;
    let mut slot = mtx.latch(PageId::new(file, block))?;
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    if node.is_other_than(since) {
        mtx.release(slot);
        return Ok(None);
    }
    loop {
        let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
        if node.level() != level {
            mtx.release(slot);
            return Ok(None);
        }
        match node.right() {
            // It stays where it is: whoever takes it out needs this page's latch.
            Some(right) if node.is_left_of(at) => {
                let next = mtx.latch(PageId::new(file, right))?;
                mtx.release(slot);
                (slot, block) = (next, right);
            }
            _ => return Ok(Some((slot, block))),
        }
    }
}
