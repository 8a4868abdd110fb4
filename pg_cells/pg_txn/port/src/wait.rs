//! Waiting for other transactions, outside the cell.

use crate::manager::{ProcId, TXN, WaitReply};
use crate::{CancelToken, TxnError};
use pg_buffer_port::BufferError;
use sync::{Completion, Outcome};

/// Outcome of a wait: what was waited for is there.
pub const GRANTED: Outcome = 0;
/// Outcome of a wait: the session's [`CancelToken`] ended it.
pub const CANCELLED: Outcome = 1;

/// How often a wait makes sure that its place is not lost, in nanoseconds.
const ROUND: u64 = 1_000_000_000;

/// What to do when a row is locked by another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WaitPolicy {
    /// Wait for it.
    #[default]
    Wait,
    /// Fail with [`TxnError::LockNotAvailable`].
    NoWait,
    /// Pass the row over.
    Skip,
}

/// How long a session's waits may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Nanoseconds; 0 for ever.
    pub(crate) lock_timeout: u64,
    /// Nanoseconds until a wait is looked at for a deadlock.
    pub(crate) deadlock_timeout: u64,
}

/// Does the waiting of a reply.
pub(crate) fn finish(
    reply: WaitReply,
    proc: ProcId,
    limits: Limits,
    cancel: &CancelToken,
) -> Result<(), TxnError> {
    let WaitReply::Wait(done) = reply else {
        return Ok(());
    };
    cancel.watch(&done);
    let waited = wait(&done, proc, limits);
    cancel.unwatch();
    if waited.is_err() {
        // Granted in the last moment: it counts, and is given back at the end of
        // the transaction like any other, unless the user wanted out.
        let granted = TXN.enter()?.stop_waiting(proc)?;
        if granted && waited != Err(TxnError::Cancelled) {
            return Ok(());
        }
    }
    waited
}

/// Waits for a token of no lock, without a limit.
pub(crate) fn until(done: &Completion, proc: ProcId, cancel: &CancelToken) -> Result<(), TxnError> {
    cancel.watch(done);
    let outcome = loop {
        match done.wait_deadline(task_port::now().saturating_add(ROUND)) {
            Some(GRANTED) => break Ok(()),
            Some(_) => break Err(TxnError::Cancelled),
            // A state that was lost in a fault ends no tokens.
            None => match TXN.enter()?.may_commit(proc) {
                Ok(()) => {}
                Err(lost) => break Err(lost),
            },
        }
    };
    cancel.unwatch();
    outcome
}

fn wait(done: &Completion, proc: ProcId, limits: Limits) -> Result<(), TxnError> {
    let start = task_port::now();
    let give_up = match limits.lock_timeout {
        0 => u64::MAX,
        ns => start.saturating_add(ns),
    };
    let mut look = start.saturating_add(limits.deadlock_timeout);
    loop {
        match done.wait_deadline(look.min(give_up)) {
            Some(GRANTED) => return Ok(()),
            Some(_) => return Err(TxnError::Cancelled),
            None => {}
        }
        let now = task_port::now();
        if now >= give_up {
            return Err(TxnError::LockTimeout);
        }
        if now >= look {
            // Whoever was committing when the log failed has not ended, and will
            // not before the next start.
            if pg_wal_port::has_failed() {
                return Err(BufferError::Stopped.into());
            }
            if TXN.enter()?.is_deadlocked(proc)? {
                return Err(TxnError::Deadlock);
            }
            look = now.saturating_add(ROUND);
        }
    }
}
