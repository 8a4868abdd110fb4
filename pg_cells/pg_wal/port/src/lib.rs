//! Port of pg_wal: appending log records, waiting for durability, reading the
//! log back, and the superblock that says where recovery starts.
//!
//! The log is an endless stream of bytes. A record lies at a stream position (its
//! [`Lsn`]); the byte at position `p` lies in the log region at `p` modulo the
//! region's size. Appending copies a record into memory; [`flush`] makes
//! everything appended so far durable with one write for all who wait.
//!
//! Order of a start: [`open_disk`], [`LogReader::find_end`] from the superblock's
//! redo position, [`make_durable`], read with a [`LogReader`], bring the pages up to
//! date, [`start_log`].
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod disk;
mod flush;
mod lazy;
mod reader;
pub mod record;
mod state;
mod types;

pub use disk::{
    DiskOpenError, begin_checkpoint, checkpoint_failed, finish_checkpoint, give_up, open_disk,
    start_log,
};
pub use flush::{FlushBatch, FlushStep, Turn, flush, is_sealed, seal};
pub use lazy::{Lazy, is_durable_so_far, settle};
pub use pg_page::superblock::Superblock;
pub use reader::{LogEnd, LogReader, ReadError, make_durable};
pub use state::{Insert, SCHEMAS, WalState};
pub use types::{Durability, Lsn, WalError, WalStats};

use core::sync::atomic::{AtomicU64, Ordering};
use port::{Component, Port};
use record::Builder;

/// The log's door.
pub static WAL: Port<dyn WriteAheadLog> = Port::new("pg_wal");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &WAL;

/// The log moves through the disk, with the pool above it, which closes and opens
/// both.
pub static MOVES: port::Moves = port::Moves {
    park: port::no_tasks,
    give: || {
        state::forget();
        Ok(None)
    },
    take: |_| Ok(()),
    start: || Ok(()),
    anew: true,
};

/// What came of appending a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Append {
    /// It is in the log; this is its end.
    Done(Lsn),
    /// A checkpoint has begun since `redo_seen`: look again which pages to log
    /// whole.
    RedoMoved(Lsn),
    /// The memory is full: flush up to here, then try again.
    Flush(Lsn),
}

/// What stands behind the log's door.
pub trait WriteAheadLog: Component {
    /// Appends a finished record whose author has seen `redo_seen` as
    /// [`redo_position`].
    ///
    /// # Errors
    /// When the log takes no records, or this one is too long.
    fn append(&self, record: &mut Builder, redo_seen: Lsn) -> Result<Append, WalError>;
    /// What to do to have the log durable up to `to`. Use [`flush`].
    ///
    /// # Errors
    /// When the log takes no records.
    fn flush(&self, to: Lsn) -> Result<FlushStep, WalError>;
}

/// Appends a record; `build` makes it, given the redo position, and is called
/// again when that has moved. Waits for log memory if need be, not for the disk
/// region: see [`wait_for_space`].
///
/// # Errors
/// When it could not be appended.
pub fn append(
    record: &mut Builder,
    mut build: impl FnMut(&mut Builder, Lsn) -> Result<(), WalError>,
) -> Result<Lsn, WalError> {
    let mut redo = redo_position();
    build(record, redo)?;
    loop {
        let step = WAL
            .enter()
            .map_err(|_| WalError::NotRunning)?
            .append(record, redo)?;
        match step {
            Append::Done(end) => return Ok(end),
            Append::Flush(to) => flush(to)?,
            Append::RedoMoved(to) => {
                redo = to;
                build(record, redo)?;
            }
        }
    }
}

/// Everything before this position is durable.
#[inline]
#[must_use]
pub fn flushed() -> Lsn {
    state::position(|s| &s.flushed)
}

/// Where the next record will start.
#[inline]
#[must_use]
pub fn insert_position() -> Lsn {
    state::position(|s| &s.inserted)
}

/// A page whose last change ended at or before this is logged whole at its next
/// change.
#[inline]
#[must_use]
pub fn redo_position() -> Lsn {
    state::position(|s| &s.redo)
}

/// Which start of the log this is: it counts up when the log begins anew, and what
/// was not durable before is gone then.
#[inline]
#[must_use]
pub fn epoch() -> u32 {
    let epoch = |s: &WalState| s.epoch.load(Ordering::SeqCst);
    state::STATE.get().map_or(0, epoch)
}

/// Whether the log takes records.
#[must_use]
pub fn is_open() -> bool {
    state::open_state().is_ok()
}

/// Whether a write to the log has failed: until the next start nothing becomes
/// durable, so no transaction that writes will end.
#[must_use]
pub fn has_failed() -> bool {
    state::STATE
        .get()
        .is_some_and(|s| s.failed.load(Ordering::SeqCst))
}

/// Whether a fault has cut short somebody under one of the log's locks: nobody gets
/// it any more.
#[must_use]
pub fn is_torn() -> bool {
    let state = state::STATE.get();
    state.is_some_and(|s| s.insert.is_torn() || s.flushing.is_torn() || s.tail.is_torn())
}

/// Frees the log's locks that faults have left half done. Only for who starts storage
/// anew, after [`give_up`]: what they protect is worthless until the log is opened.
pub fn mend() {
    if let Some(state) = state::STATE.get() {
        state.insert.mend();
        state.flushing.mend();
        state.tail.mend();
    }
}

/// For who starts storage anew: waits until the log has failed or the clock shows
/// `deadline` (ns). True when it has failed.
#[must_use]
pub fn wait_for_failure(deadline: u64) -> bool {
    let Ok(state) = state::state() else {
        task_port::park_until(deadline);
        return false;
    };
    let failed = || state.failed.load(Ordering::SeqCst);
    let seen = NUDGES.load(Ordering::SeqCst);
    let over = || (failed() || NUDGES.load(Ordering::SeqCst) != seen).then_some(());
    state.pressure.wait_deadline(deadline, over).is_some() && failed()
}

/// Waits until a log that has failed was started anew, or the clock shows
/// `deadline` (ns).
pub fn wait_while_failed(deadline: u64) {
    if let Ok(state) = state::state() {
        let back = || (!state.failed.load(Ordering::SeqCst)).then_some(());
        let _ = state.space.wait_deadline(deadline, back);
    }
}

/// The share of the region from which on new work waits for a checkpoint: three
/// quarters. The rest is for work under way, which holds latches and must not
/// wait.
fn soft_limit(size: u64) -> u64 {
    size / 4 * 3
}

/// Waits while the log region is nearly full. Hold no latch: the checkpoint that
/// frees the log needs them.
///
/// # Errors
/// When the log takes no records; [`WalError::Full`] when a checkpoint has failed
/// meanwhile: what is left of the region may still do.
#[inline]
pub fn wait_for_space() -> Result<(), WalError> {
    let state = state::state()?;
    let room = || state.used() <= soft_limit(state.size.load(Ordering::Relaxed));
    if room() {
        return state.check();
    }
    wait_slowly(state)
}

#[cold]
fn wait_slowly(state: &'static WalState) -> Result<(), WalError> {
    let failed = || state.checkpoints_failed.load(Ordering::SeqCst);
    let before = failed();
    state.space.wait_until(|| {
        if let Err(error) = state.check() {
            return Some(Err(error));
        }
        if failed() != before {
            return Some(Err(WalError::Full));
        }
        if state.used() <= soft_limit(state.size.load(Ordering::Relaxed)) {
            return Some(Ok(()));
        }
        state.pressure.wake_all();
        None
    })
}

/// For the loop that makes checkpoints: waits until a third of the log region is
/// in use or the clock shows `deadline` (ns). True when the log asks for one.
#[must_use]
pub fn wait_for_pressure(deadline: u64) -> bool {
    let Ok(state) = state::state() else {
        task_port::park_until(deadline);
        return false;
    };
    let third = || {
        let size = state.size.load(Ordering::Relaxed);
        size > 0 && state.used() > size / 3
    };
    let seen = NUDGES.load(Ordering::SeqCst);
    let over = || (third() || NUDGES.load(Ordering::SeqCst) != seen).then_some(());
    state.pressure.wait_deadline(deadline, over).is_some() && third()
}

/// How often who waits for pressure or a failure was told to look around.
static NUDGES: AtomicU64 = AtomicU64::new(0);

/// Lets who waits for pressure or for a failure look around.
pub fn nudge() {
    NUDGES.fetch_add(1, Ordering::SeqCst);
    if let Ok(state) = state::state() {
        state.pressure.wake_all();
    }
}

/// The superblock as last read or written.
#[must_use]
pub fn superblock() -> Option<Superblock> {
    *state::STATE.get()?.superblock.lock()
}

/// What the log has done.
#[must_use]
pub fn stats() -> WalStats {
    let Some(state) = state::STATE.get() else {
        return WalStats::default();
    };
    WalStats {
        records: state.records.load(Ordering::Relaxed),
        flushes: state.flushes.load(Ordering::Relaxed),
        used: state.used(),
        size: state.size.load(Ordering::Relaxed),
    }
}
