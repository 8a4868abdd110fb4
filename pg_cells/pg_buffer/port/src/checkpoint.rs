//! Checkpoints: moving the point from which recovery starts.
//!
//! The point is the log's end when the checkpoint begins. It moves there once
//! every page changed before is durable; pages changed after it are logged whole
//! first, so pages may go on changing meanwhile.

use crate::pool::{DIRTY, PoolState, WRITING, pool};
use crate::write::{BATCH, Latched, Written, write_out};
use crate::{BUFFER, BufferError};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use nvme_port::{Op, Urgency, transfer};
use pg_wal_port::Lsn;
use task_port::Held;

/// How fast pages are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// As fast as the disk can.
    Fast,
    /// With pauses as long as the writes, so that others have half of the disk at
    /// least. Fast when somebody waits for it or the log fills.
    Even,
}

/// The longest pause between two batches.
const LONGEST_PAUSE: u64 = 100_000_000;

/// Writes all changed pages and moves the point from which recovery starts.
/// Blocks; work goes on meanwhile.
///
/// # Errors
/// When a page or the log could not be written.
pub fn checkpoint() -> Result<(), BufferError> {
    make_at(Pace::Fast)
}

pub(crate) fn make_at(pace: Pace) -> Result<(), BufferError> {
    make(pool()?, false, pace)
}

/// Ends the background loops, and makes a last checkpoint after which the next
/// start has nothing to replay. Nobody may change pages any more.
///
/// # Errors
/// When a page or the log could not be written.
pub fn shut_down() -> Result<(), BufferError> {
    crate::stop_background();
    let pool = pool()?;
    make(pool, true, Pace::Fast)?;
    pool.open.store(false, Ordering::SeqCst);
    Ok(())
}

/// Somebody waits for the checkpoint under way.
struct Hurry(&'static PoolState);

impl Hurry {
    fn said(pool: &'static PoolState) -> Held<Self> {
        pool.hurry.fetch_add(1, Ordering::SeqCst);
        Held::new(Hurry(pool))
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        self.0.hurry.fetch_sub(1, Ordering::SeqCst);
    }
}

fn make(pool: &'static PoolState, clean: bool, pace: Pace) -> Result<(), BufferError> {
    let _hurry = (pace == Pace::Fast).then(|| Hurry::said(pool));
    let _baton = pool.checkpoint_baton.take();
    make_alone(pool, clean, pace).inspect_err(|_| pg_wal_port::checkpoint_failed())
}

fn make_alone(pool: &'static PoolState, clean: bool, pace: Pace) -> Result<(), BufferError> {
    let redo = pg_wal_port::begin_checkpoint()?;
    let written = write_before(pool, redo, pace)?;
    let counters = &pool.counters;
    counters
        .checkpoint_pages
        .fetch_add(written.pages, Ordering::Relaxed);
    counters
        .checkpoint_requests
        .fetch_add(written.requests, Ordering::Relaxed);
    flush_device().inspect_err(|_| {
        // Pages written since the last flush count as clean, and may have left
        // the pool: if the disk lost some, only a replay brings them back. What
        // is read from now on may be older than what was acknowledged.
        pg_wal_port::give_up();
        pool.open.store(false, Ordering::SeqCst);
    })?;
    // Pages that have stopped existing since were let go of unwritten. The log must say
    // so for good before it forgets how they came about: without the record that cut
    // their file they would exist again, and nobody has written them.
    let cut = Lsn(pool.freed.load(Ordering::SeqCst));
    pg_wal_port::flush(redo.max(cut))?;
    pg_wal_port::finish_checkpoint(redo, clean)?;
    pool.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

pub(crate) fn flush_device() -> Result<(), BufferError> {
    let page = crate::PageId::unpack(0);
    let flushed = transfer(Urgency::Normal, Op::Flush, 0, None);
    flushed.map_err(|e| crate::load::disk_error(e, page))
}

/// Writes every page with changes before `lsn`, and waits for the writes of such
/// pages that others have under way. Tells what it wrote itself.
pub(crate) fn write_before(
    pool: &'static PoolState,
    lsn: Lsn,
    pace: Pace,
) -> Result<Written, BufferError> {
    let mut sum = Written::default();
    loop {
        let plan = BUFFER.enter()?.dirty_before(lsn);
        for chunk in plan.chunks(BATCH) {
            let pins: Vec<_> = chunk
                .iter()
                .filter_map(|(index, tag)| pool.arena.pin_quietly(*index, *tag))
                .collect();
            let before = task_port::now();
            sum += write_out(pool, pins, Urgency::Background, Latched::Wait)?;
            if pace == Pace::Even {
                pause(pool, task_port::now().saturating_sub(before));
            }
        }
        if !pool.arena.frames().iter().any(|f| is_left(pool, f, lsn)) {
            return Ok(sum);
        }
        // Pages of a file that is being cut are skipped until they are gone.
        task_port::yield_now();
    }
}

/// Waits for a write of the frame that somebody else has under way; whether there are
/// changes before `lsn` in it then: it could not be written, or was passed over. Both
/// from one look at its flags. Looking for writes first and for changes later would
/// miss a write that began in between, which the device's flush may then not cover.
fn is_left(pool: &PoolState, frame: &frame::Frame, lsn: Lsn) -> bool {
    let flags = pool.written.wait_until(|| {
        let flags = frame.flags.load(Ordering::SeqCst);
        (flags & WRITING == 0).then_some(flags)
    });
    flags & DIRTY != 0
        && frame.tag.load(Ordering::SeqCst) != frame::NO_TAG
        && frame.word.load(Ordering::SeqCst) < lsn.0
}

/// Leaves the disk to others for as long as the last batch took.
fn pause(pool: &PoolState, took: u64) {
    let log = pg_wal_port::stats();
    let filling = log.used > log.size / 2;
    let waited_for = pool.hurry.load(Ordering::SeqCst) != 0;
    if took > 0 && !filling && !waited_for {
        task_port::sleep(took.min(LONGEST_PAUSE));
    }
}
