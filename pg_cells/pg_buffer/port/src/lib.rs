//! Port of pg_buffer: reading pages, changing them in mini-transactions, files,
//! checkpoints, recovery.
//!
//! ```
//! # use pg_buffer_port::*;
//! fn add_one(file: FileId) -> Result<(), BufferError> {
//!     let mut mtx = MiniTx::begin(0);
//!     let slot = mtx.latch(PageId::new(file, 0))?;
//!     let byte = mtx.page(slot)[100];
//!     mtx.write(slot, 100, &[byte + 1]);
//!     let lsn = mtx.commit()?;
//!     Ok(pg_wal_port::flush(lsn)?)
//! }
//! ```
//!
//! What waits is here, outside the cell: for latches, for the disk, for the log.
//! What decides is in the cell: which frame is given up, which pages are written
//! and when, where a file grows. A page that is in memory is found and latched
//! without entering the cell at all: the page table is part of the state.
//!
//! Order of waiting, to be kept by all: the checkpoint baton, the space baton,
//! page latches as the page's owners order them, then latches of the space map.
//! Nobody waits for the latch of a page to write it out while holding another.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod background;
mod checkpoint;
mod files;
mod lend;
mod load;
mod mini_tx;
mod moves;
mod page;
mod pool;
pub mod record;
mod recover;
mod restart;
mod scan;
pub mod space;
mod table;
mod types;
mod verify;
mod write;

pub use background::{run_background, stop_background};
pub use checkpoint::{checkpoint, shut_down};
pub use files::{blocks, create_file, drop_file, files, truncate};
pub use lend::{BorrowedExtent, Lent, Room, borrow_extent, room};
pub use mini_tx::{MAX_PAGES, MiniTx, Slot};
pub use page::{PagePin, PageRead, prefetch, read_page, set_hint};
pub use pg_page::{PAGE_SIZE, Page};
pub use pg_wal_port::Lsn;
pub use pool::{Counters, DIRTY, Line, ONCE, PoolState, SCHEMAS, VALID, WRITING};
pub use recover::{OpenError, OpenReport, open, starts};
pub use scan::Scan;
pub use table::PageTable;
pub use types::{BufferError, BufferStats, FileId, Fork, PageId};
pub use verify::Verifier;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use frame::Pin;
use port::{Component, Port};

/// The pool's door.
pub static BUFFER: Port<dyn BufferPool> = Port::new("pg_buffer");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &BUFFER;

/// Storage moves through the disk.
pub static MOVES: port::Moves = moves::MOVES;

/// What came of looking for a frame.
#[derive(Debug)]
pub enum Place {
    /// The page's frame; its bytes may not have been read yet.
    Pinned(Pin),
    /// Write these pages out, then ask again.
    WriteOut(Vec<Pin>),
    /// No frame can be given up at this moment.
    Busy,
}

/// What stands behind the pool's door: decisions. None of its calls waits.
pub trait BufferPool: Component {
    /// Pins the frame of the page with this packed address, giving it one if it
    /// has none. That does not count as a use if the page is read `once`, by who
    /// reads all pages of a file.
    ///
    /// # Errors
    /// None of its own so far; the port's.
    fn place(&self, tag: u64, once: bool) -> Result<Place, BufferError>;
    /// The frames with changes before `lsn` that are not on the disk, in the
    /// order in which to write them: index and tag.
    fn dirty_before(&self, lsn: Lsn) -> Vec<(u32, u64)>;
    /// Up to `count` changed pages that will have to be written soon.
    fn ahead(&self, count: usize) -> Vec<Pin>;
    /// Keeps a free extent for a file whose last extent is `near`.
    fn choose_extent(&self, near: Option<u32>) -> Option<u32>;
}

/// What the pool has done and holds.
///
/// # Errors
/// When the pool is not running.
pub fn stats() -> Result<BufferStats, BufferError> {
    let pool = pool::any_pool()?;
    let frames = pool.arena.frames();
    let dirty = |f: &&frame::Frame| f.flags.load(Ordering::Relaxed) & DIRTY != 0;
    let (extents, free_extents) = pool.space.lock().extents();
    let counters = &pool.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(BufferStats {
        frames: frames.len() as u64,
        dirty: frames.iter().filter(dirty).count() as u64,
        hits: counters.hits.iter().map(|hits| count(hits)).sum(),
        reads: count(&counters.reads),
        read_ahead: count(&counters.read_ahead),
        writes: count(&counters.writes),
        write_requests: count(&counters.write_requests),
        evictions: count(&counters.evictions),
        corrupt: count(&counters.corrupt),
        checkpoints: count(&counters.checkpoints),
        checkpoint_pages: count(&counters.checkpoint_pages),
        checkpoint_requests: count(&counters.checkpoint_requests),
        restarts: count(&counters.restarts),
        extents,
        free_extents,
        lent_extents: pool.lent.len() as u64,
    })
}

/// How many pins all frames have together: 0 when nobody is at work.
///
/// # Errors
/// When the pool is not running.
pub fn pins() -> Result<u64, BufferError> {
    let frames = pool::any_pool()?.arena.frames();
    Ok(frames.iter().map(|f| u64::from(f.pins())).sum())
}

/// What is under way in the pool: all 0 when nobody is at work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnderWay {
    /// Pins of all frames together.
    pub pins: u64,
    /// Frames that somebody has latched, for reading or changing.
    pub latched: u64,
    /// Frames being written.
    pub writing: u64,
    /// Frames that are being given to another page.
    pub claimed: u64,
    /// Pages wanted soon that nobody has begun to read.
    pub wanted: u64,
    /// Pages being read ahead.
    pub reading: u64,
}

/// What is under way in the pool now.
///
/// # Errors
/// When the pool is not running.
pub fn under_way() -> Result<UnderWay, BufferError> {
    let pool = pool::any_pool()?;
    let mut sum = UnderWay::default();
    {
        // Under the lock with which the reader takes some over.
        let wanted = pool.wanted.lock();
        sum.wanted = wanted.len() as u64;
        sum.reading = pool.reading.load(Ordering::SeqCst);
    }
    for frame in pool.arena.frames() {
        sum.pins += u64::from(frame.pins());
        sum.latched += u64::from(frame.is_latched());
        sum.claimed += u64::from(frame.is_claimed());
        sum.writing += u64::from(frame.flags.load(Ordering::Relaxed) & WRITING != 0);
    }
    Ok(sum)
}
