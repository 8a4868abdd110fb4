//! The log's state: what a swap hands over.

use crate::{Lazy, Lsn, WalError};
use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use frame::{IoBuffer, Ring, StaticRef};
use pg_page::superblock::{BLOCK, LOG_OFFSET, Superblock};
use port::{HandoverError, Lineage, Schemas, State};
use sync::{Completion, Mutex, SpinLock, WaitQueue};

/// The schemas of [`WalState`]: as it is, and with its lineage.
pub const SCHEMAS: Schemas = Schemas {
    plain: 2,
    traced: 3,
};

pub(crate) static STATE: StaticRef<WalState> = StaticRef::new();

/// What is guarded by the insert lock.
#[derive(Debug)]
pub struct Insert {
    /// The bytes not durable yet, from the last block boundary before them.
    pub ring: Ring,
    /// The highest transaction number logged.
    pub highest_xid: u64,
}

/// The log. It lives for ever; a cell that is born without inheriting it starts
/// it anew.
#[derive(Debug)]
pub struct WalState {
    /// The log's memory. A few instructions and one copy at a time.
    pub insert: SpinLock<Insert>,
    /// The flush under way, if any; its end is this token.
    pub flushing: SpinLock<Option<Completion>>,
    /// The memory of the last, partly filled block while no flush uses it.
    pub tail: SpinLock<Option<IoBuffer>>,
    /// The end of the last record.
    pub inserted: AtomicU64,
    /// Everything before is durable.
    pub flushed: AtomicU64,
    /// Where recovery would start after the checkpoint under way or the last
    /// one. Changes under the insert lock. A page not changed since is logged
    /// whole.
    pub redo: AtomicU64,
    /// Where recovery would start now; the log before is free.
    pub kept_from: AtomicU64,
    /// Bytes of the log region.
    pub size: AtomicU64,
    /// This start's number, in every record.
    pub epoch: AtomicU32,
    /// Records are taken.
    pub open: AtomicBool,
    /// A write failed.
    pub failed: AtomicBool,
    /// How many checkpoints have failed.
    pub checkpoints_failed: AtomicU64,
    /// Those who wait for a checkpoint to free the log.
    pub space: WaitQueue,
    /// Whoever makes checkpoints, waiting for a reason.
    pub pressure: WaitQueue,
    /// The superblock as last written.
    pub superblock: Mutex<Option<Superblock>>,
    /// The log's end behind the last [`crate::seal`]: nothing has come since.
    pub sealed: AtomicU64,
    /// Commits acknowledged before they are durable.
    pub lazy: Lazy,
    /// Flushes done, for statistics.
    pub flushes: AtomicU64,
    /// Records appended, for statistics.
    pub records: AtomicU64,
}

impl WalState {
    fn new(ring: Ring) -> Self {
        WalState {
            insert: SpinLock::new(Insert {
                ring,
                highest_xid: 0,
            }),
            flushing: SpinLock::new(None),
            tail: SpinLock::new(None),
            inserted: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            redo: AtomicU64::new(0),
            kept_from: AtomicU64::new(0),
            size: AtomicU64::new(0),
            epoch: AtomicU32::new(0),
            open: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            checkpoints_failed: AtomicU64::new(0),
            space: WaitQueue::new(),
            pressure: WaitQueue::new(),
            superblock: Mutex::new(None),
            sealed: AtomicU64::new(0),
            lazy: Lazy::default(),
            flushes: AtomicU64::new(0),
            records: AtomicU64::new(0),
        }
    }

    /// The state for a cell born without one: closed, with a ring of `ring`
    /// bytes. What is there already is used again.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn obtain(ring: usize) -> Result<&'static WalState, WalError> {
        if let Some(state) = STATE.get() {
            state.open.store(false, Ordering::SeqCst);
            state.failed.store(false, Ordering::SeqCst);
            // Of another disk, perhaps.
            state.flushed.store(0, Ordering::SeqCst);
            // A fault within a spinning lock leaves it locked for ever.
            if state.insert.try_lock().is_some() && state.flushing.try_lock().is_some() {
                return Ok(state);
            }
        }
        let ring = Ring::new(ring).map_err(|_| WalError::OutOfMemory)?;
        let state: &'static WalState = Box::leak(Box::new(WalState::new(ring)));
        STATE.set(Some(state));
        Ok(state)
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
    pub fn from_state(state: State) -> Result<(&'static WalState, Option<Lineage>), HandoverError> {
        let (given, lineage) = SCHEMAS
            .unwrap(state)
            .map_err(|other| HandoverError::Schema {
                offered: other.schema(),
            })?;
        Ok((STATE.get().unwrap_or(given), lineage))
    }

    /// Where on the disk the log's position `at` lies.
    #[must_use]
    pub fn place(&self, at: u64) -> u64 {
        LOG_OFFSET + at % self.size.load(Ordering::Relaxed).max(BLOCK)
    }

    /// How much of the region is in use, counting what is not durable yet.
    #[must_use]
    pub fn used(&self) -> u64 {
        let inserted = self.inserted.load(Ordering::Relaxed);
        inserted.saturating_sub(self.kept_from.load(Ordering::Relaxed))
    }

    /// Fails all that wait and all that come: the log cannot be written.
    pub fn poison(&self) {
        self.failed.store(true, Ordering::SeqCst);
        self.space.wake_all();
        // Who looks after storage waits here, too.
        self.pressure.wake_all();
    }

    /// Why no record can be appended, if so.
    ///
    /// # Errors
    /// The reason.
    #[inline]
    pub fn check(&self) -> Result<(), WalError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(WalError::Failed);
        }
        if !self.open.load(Ordering::SeqCst) {
            return Err(WalError::NotRunning);
        }
        Ok(())
    }

    /// A flush up to `to` has ended.
    pub(crate) fn flush_ended(&self, to: u64, tail: Option<IoBuffer>, ok: bool) {
        if ok {
            self.insert.lock().ring.release(to / BLOCK * BLOCK);
            self.flushed.fetch_max(to, Ordering::SeqCst);
            self.flushes.fetch_add(1, Ordering::Relaxed);
        } else {
            self.poison();
        }
        if tail.is_some() {
            let old = core::mem::replace(&mut *self.tail.lock(), tail);
            drop(old);
        }
        let token = self.flushing.lock().take();
        drop(token);
    }
}

/// For a move: what is known of the disk counts no more, whoever serves next.
pub(crate) fn forget() {
    if let Some(state) = STATE.get() {
        state.open.store(false, Ordering::SeqCst);
        state.flushed.store(0, Ordering::SeqCst);
    }
}

pub(crate) fn state() -> Result<&'static WalState, WalError> {
    STATE.get().ok_or(WalError::NotRunning)
}

/// The running log's state, for the wrappers of the buffer pool.
///
/// # Errors
/// When the log is not open or has failed.
pub(crate) fn open_state() -> Result<&'static WalState, WalError> {
    let state = state()?;
    state.check()?;
    Ok(state)
}

/// A position from one of the state's words.
#[inline]
pub(crate) fn position(word: fn(&WalState) -> &AtomicU64) -> Lsn {
    Lsn(STATE.get().map_or(0, |s| word(s).load(Ordering::SeqCst)))
}
