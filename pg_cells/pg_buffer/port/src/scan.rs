//! Reading a file from its beginning to its end: [`Scan`].
//!
//! Whoever reads page after page says so by reading through a `Scan`, which has two
//! effects. The pages that come next are read ahead, many requests at a time. And a
//! file that would fill a good part of the pool is read in passing: its pages do not
//! count as used, and each that was brought into memory for this scan goes back as
//! soon as the scan has left it, to be given up before any other page. What others
//! use stays, however large the file is.
//!
//! A scan is a note, not a right: it pins nothing between two calls, and losing it
//! costs nothing but speed.

use crate::page::{PageRead, read_page, want};
use crate::pool::{ONCE, PoolState, VALID, pool};
use crate::{BufferError, MiniTx, PageId, Slot};
use core::sync::atomic::Ordering;
use frame::{ReadGuard, TryRead};

/// A file with more pages than this share of the pool is read in passing.
const LARGE: usize = 4;
/// The most pages read ahead; fewer in a small pool, and at the beginning.
const AHEAD: u32 = 64;
/// Pages read ahead at first; twice as many at each further time.
const FIRST: u32 = 4;
/// Of the pool's frames, the share that one scan may read ahead.
const SHARE: usize = 16;
/// The most frames remembered as left by scans: older ones are the clock's.
const MOST_LEFT: usize = 1024;

/// One reader's way through a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// The page expected next.
    next: Option<PageId>,
    /// Up to where pages were asked for.
    ahead: u32,
    /// How many are asked for at a time.
    window: u32,
    /// The file's length, once a second page was read: who reads one page and
    /// begins again need not know it.
    blocks: Option<u32>,
    /// It is read in passing.
    large: bool,
    /// The frame and the page read last, if it is in memory for this scan alone.
    last: Option<(u32, u64)>,
}

impl Scan {
    /// One that has not begun.
    #[must_use]
    pub const fn new() -> Self {
        Scan {
            next: None,
            ahead: 0,
            window: 0,
            blocks: None,
            large: false,
            last: None,
        }
    }

    /// Reads a page as [`read_page`] does. Any page may be asked for; one that is
    /// not the next begins a new scan there.
    ///
    /// # Errors
    /// As [`read_page`].
    pub fn read(&mut self, id: PageId) -> Result<PageRead, BufferError> {
        let pool = pool()?;
        self.leave(pool);
        if self.next == Some(id) {
            self.look_ahead(pool, id);
        } else {
            *self = Scan::new();
        }
        self.next = id
            .block
            .checked_add(1)
            .map(|block| PageId::new(id.file, block));
        if !self.large {
            return read_page(id);
        }
        let guard = pool.if_open(read_once(pool, id))?;
        let frame = guard.frame();
        if frame.flags.load(Ordering::Relaxed) & ONCE != 0 {
            frame.flags.fetch_and(!ONCE, Ordering::SeqCst);
            self.last = Some((frame.index(), id.pack()));
        }
        Ok(PageRead(guard, id))
    }

    /// Latches a page as [`MiniTx::latch`] does, for a scan that changes some of what
    /// it reads.
    ///
    /// # Errors
    /// As [`MiniTx::latch`].
    pub fn latch(&mut self, mtx: &mut MiniTx, id: PageId) -> Result<Slot, BufferError> {
        drop(self.read(id)?);
        mtx.latch_for(id, self.large)
    }

    /// The second page: it is a scan.
    fn begin(&mut self, pool: &PoolState, id: PageId) -> u32 {
        let blocks = pool.space.lock().blocks(id.file).unwrap_or(0);
        self.window = FIRST;
        self.large = blocks as usize > pool.arena.frames().len() / LARGE;
        *self.blocks.insert(blocks)
    }

    /// Asks for more pages when half of those asked for have been read.
    fn look_ahead(&mut self, pool: &PoolState, id: PageId) {
        let blocks = match self.blocks {
            Some(blocks) => blocks,
            None => self.begin(pool, id),
        };
        let most = (pool.arena.frames().len() / SHARE).clamp(1, AHEAD as usize) as u32;
        let window = self.window.min(most);
        let from = self.ahead.max(id.block.saturating_add(1));
        if from > id.block.saturating_add(window / 2) || from >= blocks {
            return;
        }
        let to = id.block.saturating_add(1 + window).min(blocks);
        let pages = (from..to).map(|block| PageId::new(id.file, block));
        want(pool, pages, self.large);
        self.ahead = to;
        self.window = window.saturating_mul(2);
    }

    /// Lets the frame of the last page be used again.
    fn leave(&mut self, pool: &PoolState) {
        if let Some(last) = self.last.take() {
            let mut left = pool.left.lock();
            if left.len() >= MOST_LEFT {
                left.pop_front();
            }
            left.push_back(last);
        }
    }
}

/// Latches a page for reading without counting that as a use of it.
fn read_once(pool: &'static PoolState, id: PageId) -> Result<ReadGuard, BufferError> {
    let tag = id.pack();
    if let Some(index) = pool.table.look(pool.arena, tag)
        && let TryRead::Done(guard) = pool.arena.try_read_quietly(index, tag)
        && guard.frame().flags.load(Ordering::Acquire) & VALID != 0
    {
        pool.counters.hit();
        return Ok(guard);
    }
    crate::load::read(pool, id, true)
}
