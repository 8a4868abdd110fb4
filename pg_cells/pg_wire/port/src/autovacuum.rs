//! VACUUM and ANALYZE without being asked (PostgreSQL's autovacuum, simplified): when
//! they start, and when they give way.
//!
//! One task, the *launcher*, sleeps for `autovacuum_naptime` at a time. When rows were
//! changed meanwhile it starts the *worker*, which asks the wire cell what is due and
//! lets it vacuum table by table, in a session without a client; `pg_stat_activity`
//! shows it. Two tasks, because the launcher watches over the worker, and cancels it
//!
//! - as soon as somebody waits for a lock on the table it is at: it is tried again
//!   after the next nap;
//! - when one of the cells it runs in was replaced, since a vacuum may stay in the
//!   former one for long: it is tried again soon, in the new one;
//! - when tasks are to leave (`roster.rs`).
//!
//! What a worker has done until then stays done: the next one finds fewer dead
//! versions. A fault in a cell ends the round, and its transaction with it.

use crate::{Due, Session, WIRE, roster, serve};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use pg_btree_port::BTREE;
use pg_catalog_port::SHARED;
use pg_executor_port::EXECUTOR;
use pg_heap_port::HEAP;
use pg_txn_port::{CancelToken, LockTarget, TXN};
use sync::WaitQueue;
use task_port::SpawnOptions;

const MS: u64 = 1_000_000;
/// The longest nap, so that a lost edge costs no more.
const LONGEST: u64 = 3_600_000 * MS;
/// Until the next look after the cells were replaced.
const SOON: u64 = 1_000 * MS;
/// How often the launcher looks after a worker.
const LOOK: u64 = 50 * MS;
/// The worker's stack: as a session's.
const STACK: usize = 512 * 1024;

/// The launcher, while it sleeps.
static NAPPING: WaitQueue = WaitQueue::new();
/// Somebody wants it to look at its settings again.
static NUDGED: AtomicBool = AtomicBool::new(false);
/// The launcher, while a worker works.
static WATCHING: WaitQueue = WaitQueue::new();

/// The launcher's task.
pub(crate) fn options() -> SpawnOptions {
    SpawnOptions::new("pg_wire autovacuum")
}

/// Lets the launcher look around.
pub(crate) fn nudge() {
    NUDGED.store(true, Ordering::SeqCst);
    NAPPING.wake_all();
    WATCHING.wake_all();
}

/// A worker's round.
#[derive(Debug, Default)]
struct Round {
    /// The table it is at; 0 for none.
    table: AtomicU32,
    /// It is to come to its end.
    over: AtomicBool,
    ended: AtomicBool,
}

/// Naps and starts workers, while tasks need not leave.
pub(crate) fn launch() {
    let mut soon = false;
    loop {
        nap(soon);
        if roster::leaving() && roster::park_vacuum() {
            return;
        }
        soon = false;
        if SHARED.changed().is_empty() || !matches!(pause(), Ok(Some(_))) {
            continue;
        }
        let round = Arc::new(Round::default());
        let its = Arc::clone(&round);
        let options = SpawnOptions::new("pg_wire vacuum worker").stack(STACK);
        // Without memory for a task there is none for a vacuum either.
        if roster::spawn(options, move || work(&its)).is_ok() {
            soon = watch(&round);
        }
    }
}

/// Nobody is there to be asked.
struct Absent;

/// How long a nap is; none when nobody is to vacuum by himself.
fn pause() -> Result<Option<u64>, Absent> {
    match task_port::gate(|| WIRE.enter().map(|wire| wire.vacuum_pause())) {
        Ok(Ok(pause)) => Ok(pause),
        Ok(Err(_)) | Err(_) => Err(Absent),
    }
}

fn nap(soon: bool) {
    let began = task_port::now();
    loop {
        NUDGED.store(false, Ordering::SeqCst);
        let length = match pause() {
            Ok(Some(length)) if !soon => length.min(LONGEST),
            Ok(None) => LONGEST,
            Ok(Some(_)) | Err(Absent) => SOON,
        };
        let until = began.saturating_add(length);
        let nudged = || {
            let some = roster::leaving() || NUDGED.load(Ordering::SeqCst);
            some.then_some(())
        };
        if NAPPING.wait_deadline(until, nudged).is_none() || roster::leaving() {
            return;
        }
    }
}

/// The generations of the cells that a vacuum stays in.
fn generations() -> [u64; 4] {
    [
        WIRE.generation(),
        EXECUTOR.generation(),
        HEAP.generation(),
        BTREE.generation(),
    ]
}

/// Waits for the end of a round, and ends it where others want something. True when
/// there is to be another one soon.
fn watch(round: &Round) -> bool {
    let generations = self::generations();
    loop {
        let ended = || round.ended.load(Ordering::SeqCst).then_some(());
        if WATCHING
            .wait_deadline(task_port::now() + LOOK, ended)
            .is_some()
        {
            return generations != self::generations();
        }
        let replaced = generations != self::generations();
        if replaced || roster::leaving() {
            round.over.store(true, Ordering::SeqCst);
        }
        if round.over.load(Ordering::SeqCst) || is_waited_for(round) {
            cancel();
        }
    }
}

/// Whether somebody waits for the table of a round.
fn is_waited_for(round: &Round) -> bool {
    let table = round.table.load(Ordering::SeqCst);
    let waited = || {
        TXN.enter()
            .is_ok_and(|txn| txn.is_waited_for(LockTarget::relation(table)))
    };
    table != 0 && task_port::gate(waited).unwrap_or(true)
}

/// Ends what workers do now.
fn cancel() {
    let all = crate::sessions();
    let workers = all.iter().filter(|e| e.kind == crate::Kind::Vacuum);
    let tokens: Vec<CancelToken> = workers.map(|e| e.cancel.clone()).collect();
    tokens.iter().for_each(CancelToken::cancel);
}

/// Says that a round has ended, however it did.
struct Ending<'a>(&'a Round);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::SeqCst);
        WATCHING.wake_all();
    }
}

/// The worker: vacuums what is due.
fn work(round: &Round) {
    let _ending = Ending(round);
    let mut session = Session::vacuum();
    let due = task_port::gate(|| WIRE.enter().map(|wire| wire.vacuum_due(&mut session)));
    let due: Vec<Due> = match due {
        Ok(Ok(due)) => due,
        // It is being replaced.
        Ok(Err(_)) => Vec::new(),
        Err(fault) => {
            log_fault(&fault);
            Vec::new()
        }
    };
    for due in due {
        round.table.store(due.table, Ordering::SeqCst);
        if round.over.load(Ordering::SeqCst) || session.entry.is_terminated() {
            break;
        }
        let done = task_port::gate(|| WIRE.enter().map(|wire| wire.vacuum(&mut session, &due)));
        if let Err(fault) = done {
            log_fault(&fault);
            break;
        }
    }
    round.table.store(0, Ordering::SeqCst);
    serve::end(session);
}

fn log_fault(fault: &task_port::Fault) {
    log::warn!("a vacuum ended in {}: {}", fault.cell, fault.message);
}
