//! The loops that look after the pool: checkpoints, writing ahead of the clock's
//! hand, making the log durable without being asked, reading ahead, and starting
//! storage anew when the log has failed. Each enters the port anew on each round, so
//! the cell can be replaced.

use crate::checkpoint::Pace;
use crate::load::{ReadingAhead, read_ahead};
use crate::pool::{PoolState, any_pool};
use crate::write::{BATCH, Latched, write_out};
use crate::{BUFFER, BufferError};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use nvme_port::Urgency;
use task_port::{Priority, SpawnError, SpawnOptions};

const MS: u64 = 1_000_000;
/// Without pressure from the log, a checkpoint every so often.
const CHECKPOINT_EVERY: u64 = 60_000 * MS;
/// The shortest time between two rounds of the writer.
const WRITER_EVERY: u64 = 50 * MS;
/// The longest nap of a loop that has nothing to do: a lost edge costs so much, and
/// a pool that was started anew is noticed.
pub(crate) const NAP: u64 = 1_000 * MS;
/// After an error, before the next try.
const PAUSE: u64 = 500 * MS;
/// The most submissions of the reader that are under way together.
const READS_UNDER_WAY: usize = 4;
/// Of the pool's frames, the share that the reader may be filling.
const READER_SHARE: usize = 8;

/// The loops' names.
pub(crate) const NAMES: [&str; 5] = [
    "checkpointer",
    "page writer",
    "page reader",
    "log writer",
    "storage keeper",
];

/// Starts the pool's background tasks. They end with [`crate::shut_down`].
///
/// # Errors
/// When there is no memory for them.
pub fn run_background() -> Result<(), SpawnError> {
    let tasks: [(Priority, fn()); 5] = [
        (Priority::Background, checkpointer),
        (Priority::Background, writer),
        // Somebody will wait for what it reads.
        (Priority::Normal, reader),
        // Not behind the page writer: what it writes may take long, and commits
        // that did not wait count on the log being written.
        (Priority::High, log_writer),
        (Priority::High, crate::restart::keeper),
    ];
    for (name, (priority, body)) in NAMES.into_iter().zip(tasks) {
        task_port::spawn(SpawnOptions::new(name).priority(priority), body)?;
    }
    Ok(())
}

/// Tells the loops to end, as they do within a second.
pub fn stop_background() {
    if let Ok(pool) = any_pool() {
        pool.background.store(false, Ordering::SeqCst);
        pool.wanting.wake_all();
        pool.stirred.wake_all();
        pool.logged.wake_all();
        pg_wal_port::nudge();
    }
}

pub(crate) fn goes_on() -> bool {
    any_pool().is_ok_and(|p| p.background.load(Ordering::SeqCst))
}

fn checkpointer() {
    let mut last = (task_port::now(), pg_wal_port::insert_position());
    while goes_on() {
        let pressed = pg_wal_port::wait_for_pressure(task_port::now() + NAP);
        let idle = pg_wal_port::insert_position() == last.1;
        let due = !idle && task_port::now() >= last.0 + CHECKPOINT_EVERY;
        if !pressed && !due {
            continue;
        }
        let before = pg_wal_port::insert_position();
        match behind_a_gate(|| crate::checkpoint::make_at(Pace::Even)) {
            true => last = (task_port::now(), before),
            false => task_port::sleep(PAUSE),
        }
    }
}

fn writer() {
    let mut hand = None;
    while goes_on() {
        let Ok(pool) = any_pool() else {
            return;
        };
        // The hand is where the writer has looked: nothing to look after. The next
        // miss stirs the writer.
        let nap = task_port::now() + NAP;
        let work = || {
            let ends = !pool.background.load(Ordering::SeqCst);
            (ends || hand != Some(pool.hand.load(Ordering::Relaxed))).then_some(())
        };
        if pool.stirred.wait_deadline(nap, work).is_none() {
            continue;
        }
        task_port::sleep(WRITER_EVERY);
        let now = pool.hand.load(Ordering::Relaxed);
        let mut all = false;
        behind_a_gate(|| {
            all = write_ahead(crate::pool::pool()?)?;
            Ok(())
        });
        hand = all.then_some(now);
    }
}

fn log_writer() {
    let mut last = pg_wal_port::insert_position();
    while goes_on() {
        let Ok(pool) = any_pool() else {
            return;
        };
        let nap = task_port::now() + NAP;
        let work = || {
            let ends = !pool.background.load(Ordering::SeqCst);
            let late = pg_wal_port::flushed() < pg_wal_port::insert_position();
            (ends || late || !pg_wal_port::is_sealed()).then_some(())
        };
        if pool.logged.wait_deadline(nap, work).is_none() {
            continue;
        }
        task_port::sleep(WRITER_EVERY);
        let end = pg_wal_port::insert_position();
        let flushed = behind_a_gate(|| Ok(pg_wal_port::flush(end)?));
        // Nobody has come for a round: the last of a burst is what no later record
        // speaks of.
        let sealed = end != last || behind_a_gate(|| seal(pool));
        last = end;
        if !flushed || !sealed {
            task_port::sleep(PAUSE);
        }
    }
}

/// Ends the log with a record that knows of all before it. Not beside a checkpoint,
/// which might be the last one and leave nothing to replay.
fn seal(pool: &'static PoolState) -> Result<(), BufferError> {
    let Some(_baton) = pool.checkpoint_baton.try_take() else {
        return Ok(());
    };
    if goes_on() {
        pg_wal_port::seal()?;
    }
    Ok(())
}

/// Writes pages that the clock's hand will meet soon. True when that were all.
fn write_ahead(pool: &'static PoolState) -> Result<bool, BufferError> {
    let pins = BUFFER.enter()?.ahead(BATCH);
    let all = pins.len() < BATCH;
    if !pins.is_empty() {
        write_out(pool, pins, Urgency::Background, Latched::Skip)?;
    }
    Ok(all)
}

/// Reads what is wanted, with several submissions under way: while the device is
/// busy with one it has the next.
fn reader() {
    let mut under_way: VecDeque<ReadingAhead> = VecDeque::new();
    while goes_on() {
        let Ok(pool) = any_pool() else {
            return;
        };
        if under_way.is_empty() {
            pool.reading.store(0, Ordering::SeqCst);
        }
        let until = task_port::now() + NAP;
        let over = || !pool.background.load(Ordering::SeqCst);
        let some = || (!pool.wanted.lock().is_empty() || over()).then_some(());
        if under_way.is_empty() && pool.wanting.wait_deadline(until, some).is_none() {
            continue;
        }
        let share = pool.arena.frames().len() / READER_SHARE;
        let most = (share / READS_UNDER_WAY).clamp(1, BATCH);
        let wanted: Vec<_> = {
            let mut wanted = pool.wanted.lock();
            let count = wanted.len().min(most);
            pool.reading.fetch_add(count as u64, Ordering::SeqCst);
            wanted.drain(..count).collect()
        };
        if !wanted.is_empty() {
            behind_a_gate(|| {
                under_way.push_back(read_ahead(crate::pool::pool()?, &wanted)?);
                Ok(())
            });
        }
        if wanted.is_empty() || under_way.len() >= READS_UNDER_WAY {
            let first = under_way.pop_front();
            behind_a_gate(|| first.map_or(Ok(()), |reading| reading.finish(pool)));
        }
    }
}

/// A fault in the cell must not end the loop; the next round enters its
/// replacement.
fn behind_a_gate(body: impl FnOnce() -> Result<(), BufferError>) -> bool {
    matches!(task_port::gate(body), Ok(Ok(())))
}
