//! The pool's state: what a swap hands over.

use crate::mini_tx::Inner;
use crate::space::Space;
use crate::table::PageTable;
use crate::{BufferError, Lent, OpenReport, PageId};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use frame::{Arena, Frame, IoBuffer, NO_TAG, StaticRef};
use port::{HandoverError, Lineage, Schemas, State};
use sync::{SpinLock, WaitQueue};
use task_port::Held;

/// The schemas of [`PoolState`]: as it is, and with its lineage.
pub const SCHEMAS: Schemas = Schemas {
    plain: 3,
    traced: 4,
};

/// Flag of a frame: its bytes are the page.
pub const VALID: u32 = 1;
/// Flag of a frame: its bytes are newer than the disk's.
pub const DIRTY: u32 = 2;
/// Flag of a frame: a copy of its bytes is on its way to the disk.
pub const WRITING: u32 = 4;
/// Flag of a frame: it was filled for somebody who reads every page of a file
/// once, and who has not come to it yet.
pub const ONCE: u32 = 8;

static POOL: StaticRef<PoolState> = StaticRef::new();
/// The frames of the generation of this crate before this one.
pub(crate) static SPARE: StaticRef<Arena> = StaticRef::new();

/// A value with cache lines of its own: what is written often must not lie beside
/// what every access to a page reads.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Line<T>(pub T);

impl<T> core::ops::Deref for Line<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Counters for people and tests.
#[derive(Debug, Default)]
pub struct Counters {
    /// Times that a page was found in memory, by CPU: each has its own, as this is
    /// counted at every access.
    pub hits: [Line<AtomicU64>; MEMORIES],
    /// Pages read.
    pub reads: AtomicU64,
    /// Those among them that nobody waited for yet.
    pub read_ahead: AtomicU64,
    /// Pages written.
    pub writes: AtomicU64,
    /// Requests to write them.
    pub write_requests: AtomicU64,
    /// Frames given to another page.
    pub evictions: AtomicU64,
    /// Damaged pages met.
    pub corrupt: AtomicU64,
    /// Checkpoints completed.
    pub checkpoints: AtomicU64,
    /// Starts of storage after a failure of the log or of a flush.
    pub restarts: AtomicU64,
    /// Pages that they wrote.
    pub checkpoint_pages: AtomicU64,
    /// Requests that they wrote them with.
    pub checkpoint_requests: AtomicU64,
}

impl Counters {
    /// A page was found in memory.
    #[inline]
    pub(crate) fn hit(&self) {
        self.hits[cpu::id() % MEMORIES].fetch_add(1, Ordering::Relaxed);
    }
}

/// The buffer pool. It lives for ever; a cell that is born without inheriting it
/// starts it anew.
///
/// A frame's `word` is a log position: no change of the page that is not on the
/// disk yet lies before it. It counts while the frame is dirty.
#[derive(Debug)]
pub struct PoolState {
    /// The frames, which outlive this state and a move of this crate.
    pub arena: &'static Arena,
    /// Which frame holds which page.
    pub table: PageTable,
    /// The clock's hand: how many frames it has visited.
    pub hand: Line<AtomicU32>,
    /// Up to where the writer has looked ahead of the hand.
    pub looked: AtomicU32,
    /// Frames whose page a scan has read and left, with the page: to be given up
    /// first, oldest first.
    pub left: Line<SpinLock<VecDeque<(u32, u64)>>>,
    /// The files. Nothing is waited for under it.
    pub space: Line<SpinLock<Space>>,
    /// Where in the log the last extents became free. Until that is durable they may
    /// belong to their file again after a power cut.
    pub(crate) freed: AtomicU64,
    /// Extents lent to others; opening shows them to the space map.
    pub lent: Arc<Lent>,
    /// Held by the one who changes the space map.
    pub(crate) space_baton: Baton,
    /// Held by the one who makes a checkpoint, or opens the pool.
    pub(crate) checkpoint_baton: Baton,
    /// How many wait for the checkpoint under way: it does not dawdle then.
    pub(crate) hurry: AtomicU32,
    /// Those who wait for a frame's write to end.
    pub(crate) written: Line<WaitQueue>,
    /// Pages somebody will want soon, each with whether it is read once.
    pub(crate) wanted: Line<SpinLock<VecDeque<(PageId, bool)>>>,
    /// Pages that their reader has taken over and not finished with.
    pub(crate) reading: AtomicU64,
    /// The reader of wanted pages, waiting.
    pub(crate) wanting: Line<WaitQueue>,
    /// The writer, waiting for something to write.
    pub(crate) stirred: Line<WaitQueue>,
    /// The writer of the log, waiting for records.
    pub(crate) logged: Line<WaitQueue>,
    /// Pages are given out.
    pub(crate) open: AtomicBool,
    /// Background loops go on.
    pub(crate) background: AtomicBool,
    /// What the latest starts found.
    pub(crate) starts: SpinLock<VecDeque<OpenReport>>,
    /// Counts up when the pool is started anew.
    pub(crate) generation: AtomicU64,
    /// Bytes of the log region of a disk to be formatted; 0: by default.
    pub log_size: AtomicU64,
    /// A disk that holds something else is formatted.
    pub overwrite: AtomicBool,
    /// Memory for writing pages out.
    pub(crate) buffers: SpinLock<Vec<IoBuffer>>,
    /// Mini-transactions that have ended and whose memory can be used again, by
    /// CPU. In boxes, because that is how they are entered in a ledger.
    #[allow(clippy::vec_box)]
    pub(crate) memory: [Line<SpinLock<Vec<Box<Inner>>>>; MEMORIES],
    /// Counters.
    pub counters: Line<Counters>,
}

/// CPUs beyond so many share.
pub(crate) const MEMORIES: usize = 16;

impl PoolState {
    /// The state for a cell born without one: closed, with `frames` frames. What
    /// is there already is used again when it has that size.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn obtain(frames: u32) -> Result<&'static PoolState, BufferError> {
        if let Some(pool) = POOL.get() {
            pool.open.store(false, Ordering::SeqCst);
            // A fault within a spinning lock leaves it locked for ever.
            let sound = pool.space.try_lock().is_some();
            if sound && pool.arena.frames().len() == frames as usize {
                return Ok(pool);
            }
            // Who still has the old one can only fail.
            pool.generation.fetch_add(1, Ordering::SeqCst);
        }
        let moved = SPARE.get();
        let arena = match moved.filter(|arena| arena.frames().len() == frames as usize) {
            Some(arena) => arena,
            None => Box::leak(Box::new(Arena::new(frames)?)),
        };
        // What is lent stays lent: it may be written to at this moment.
        let lent = POOL.get().map(|p| p.lent.clone()).unwrap_or_default();
        let pool: &'static PoolState = Box::leak(Box::new(PoolState {
            table: PageTable::new(frames as usize),
            arena,
            hand: Line::default(),
            looked: AtomicU32::new(0),
            left: Line::default(),
            space: Line::default(),
            freed: AtomicU64::new(0),
            lent,
            space_baton: Baton::default(),
            checkpoint_baton: Baton::default(),
            hurry: AtomicU32::new(0),
            written: Line::default(),
            wanted: Line::default(),
            reading: AtomicU64::new(0),
            wanting: Line::default(),
            stirred: Line::default(),
            logged: Line::default(),
            open: AtomicBool::new(false),
            background: AtomicBool::new(true),
            starts: SpinLock::new(VecDeque::new()),
            generation: AtomicU64::new(0),
            log_size: AtomicU64::new(0),
            overwrite: AtomicBool::new(false),
            buffers: SpinLock::new(Vec::new()),
            memory: core::array::from_fn(|_| Line::default()),
            counters: Line::default(),
        }));
        POOL.set(Some(pool));
        Ok(pool)
    }

    /// For the swap: the state as it is handed over, with its lineage if the cell
    /// keeps one.
    #[must_use]
    pub fn into_state(&'static self, lineage: Option<Lineage>) -> State {
        SCHEMAS.wrap(self, lineage)
    }

    /// For the swap: the state from its predecessor. That it is the one this port
    /// knows is not left to the predecessor, whose reference a fault may have damaged.
    ///
    /// # Errors
    /// When it is not one this code knows.
    pub fn from_state(
        state: State,
    ) -> Result<(&'static PoolState, Option<Lineage>), HandoverError> {
        let (given, lineage) = SCHEMAS
            .unwrap(state)
            .map_err(|other| HandoverError::Schema {
                offered: other.schema(),
            })?;
        Ok((POOL.get().unwrap_or(given), lineage))
    }

    /// Forgets every page. Waits for those who have one latched.
    pub(crate) fn reset(&'static self) {
        self.open.store(false, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
        // Who changes files lets go of pages by what he has learned before: not of those
        // that are there after this. He can only fail by now.
        drop(self.space_baton.take());
        // First: whoever finds a page's place by the old map could bring it in behind
        // our back, and it may have no place in the new one.
        let none = Space::default().with_lent(self.lent.clone());
        let old = core::mem::replace(&mut *self.space.lock(), none);
        drop(old);
        for frame in self.arena.frames() {
            loop {
                match frame.tag.load(Ordering::SeqCst) {
                    NO_TAG => break,
                    tag => self.discard(frame, tag),
                }
            }
            // A mini-transaction that still holds the latch can only fail now;
            // it puts its bytes back before it lets go.
            if let Some(pin) = self.arena.pin_quietly(frame.index(), NO_TAG) {
                let exclusive = pin.exclusive();
                exclusive.frame().flags.store(0, Ordering::SeqCst);
            }
        }
        self.wanted.lock().clear();
        self.left.lock().clear();
    }

    /// Lets a frame hold nothing if it holds the page of `tag`: by now it may hold
    /// another, whose changes nobody has written. Whoever has it pinned may still read it.
    pub(crate) fn discard(&self, frame: &Frame, tag: u64) {
        while tag != NO_TAG && frame.tag.load(Ordering::SeqCst) == tag {
            // Pinned, so that it is not given to another page between the steps.
            let Some(pin) = self.arena.pin_quietly(frame.index(), tag) else {
                task_port::yield_now();
                continue;
            };
            self.written
                .wait_until(|| (frame.flags.load(Ordering::SeqCst) & WRITING == 0).then_some(()));
            if self.table.unlink(self.arena, tag, frame.index()) {
                frame.flags.fetch_and(!(VALID | DIRTY), Ordering::SeqCst);
            }
            drop(pin);
            return;
        }
    }

    /// What was found, if the pool was open all the while; one that is being started
    /// anew shows what is on its way from the disk's past to the log's end. Or it was
    /// started meanwhile: then all is there, and who asked is of the past.
    #[inline]
    pub(crate) fn if_open<T>(&self, found: Result<T, BufferError>) -> Result<T, BufferError> {
        match self.open.load(Ordering::Acquire) {
            true => found,
            false => Err(closed()),
        }
    }

    /// Where a page lies on the disk.
    pub(crate) fn locate(&self, id: PageId) -> Option<u64> {
        self.space.lock().locate(id)
    }
}

/// The pool, whether open or not.
pub(crate) fn any_pool() -> Result<&'static PoolState, BufferError> {
    POOL.get().ok_or(BufferError::NotRunning)
}

/// The open pool.
#[inline]
pub(crate) fn pool() -> Result<&'static PoolState, BufferError> {
    match POOL.get() {
        Some(pool) if pool.open.load(Ordering::Acquire) => Ok(pool),
        _ => Err(closed()),
    }
}

/// Why no page is given out: storage has failed and is being started anew, or it was
/// not opened.
#[cold]
fn closed() -> BufferError {
    match pg_wal_port::has_failed() {
        true => BufferError::Stopped,
        false => BufferError::NotRunning,
    }
}

/// A lock whose holder may sleep and may fault.
#[derive(Debug, Default)]
pub(crate) struct Baton {
    taken: AtomicBool,
    waiters: WaitQueue,
}

/// The right that a [`Baton`] stands for.
#[derive(Debug)]
pub(crate) struct BatonGuard(&'static Baton);

impl Baton {
    pub(crate) fn take(&'static self) -> Held<BatonGuard> {
        self.waiters
            .wait_until(|| (!self.taken.swap(true, Ordering::SeqCst)).then_some(()));
        Held::new(BatonGuard(self))
    }

    /// The same if nobody has it.
    pub(crate) fn try_take(&'static self) -> Option<Held<BatonGuard>> {
        (!self.taken.swap(true, Ordering::SeqCst)).then(|| Held::new(BatonGuard(self)))
    }
}

impl Drop for BatonGuard {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::SeqCst);
        // All, since the one chosen may have been ended by a fault meanwhile.
        self.0.waiters.wake_all();
    }
}
