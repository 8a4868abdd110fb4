//! Advisory locks: `pg_advisory_lock` and its kin.
//!
//! A key is an int8, or two int4 that are never the same as one. Locks of the
//! transaction are given back by it, those of the session by the session, each
//! as often as they were taken.

use crate::eval::Eval;
use alloc::format;
use core::sync::atomic::Ordering;
use pg_executor_port::errors::txn_error;
use pg_txn_port::{LockMode, LockTarget, Transaction, TxnError};
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// What a function of this family does.
#[derive(Clone, Copy)]
enum Call {
    Lock { wait: bool, session: bool },
    Unlock,
    UnlockAll,
}

/// Reads a function's name; none when it is no advisory lock's.
fn read(name: &str) -> Option<(Call, LockMode)> {
    let (wait, rest) = match name.strip_prefix("pg_try_advisory_") {
        Some(rest) => (false, rest),
        None => (true, name.strip_prefix("pg_advisory_")?),
    };
    let (rest, mode) = match rest.strip_suffix("_shared") {
        Some(rest) => (rest, LockMode::Share),
        None => (rest, LockMode::Exclusive),
    };
    let call = match rest {
        "lock" => Call::Lock {
            wait,
            session: true,
        },
        "xact_lock" => Call::Lock {
            wait,
            session: false,
        },
        "unlock" => Call::Unlock,
        "unlock_all" => Call::UnlockAll,
        _ => return None,
    };
    Some((call, mode))
}

/// Calls the function `name` if it is one of these.
pub fn call(
    eval: &Eval<'_>,
    tx: &mut Transaction,
    name: &str,
    args: &[Datum],
) -> Option<SqlResult<Datum>> {
    let (call, mode) = read(name)?;
    let target = match args {
        [] => LockTarget::advisory(0),
        [Datum::Int8(key)] => LockTarget::advisory(key.cast_unsigned()),
        [Datum::Int4(a), Datum::Int4(b)] => {
            LockTarget::advisory_pair(a.cast_unsigned(), b.cast_unsigned())
        }
        _ => return Some(Err(SqlError::internal(format!("arguments of {name}")))),
    };
    Some(run(eval, tx, call, mode, target))
}

fn run(
    eval: &Eval<'_>,
    tx: &mut Transaction,
    call: Call,
    mode: LockMode,
    target: LockTarget,
) -> SqlResult<Datum> {
    let void = Datum::from("");
    let mut locks = eval.advisory.borrow_mut();
    match call {
        Call::Lock { wait, session } => {
            let done = match session {
                true => {
                    let done = locks.lock(tx, target, mode, !wait);
                    let place = locks.place().map_or(0, |p| p.serial);
                    eval.entry.locks.store(place, Ordering::Relaxed);
                    done
                }
                false => locks.attach(tx).and_then(|()| tx.lock(target, mode, !wait)),
            };
            match done {
                Ok(()) if wait => Ok(void),
                Ok(()) => Ok(Datum::Bool(true)),
                Err(TxnError::LockNotAvailable) if !wait => Ok(Datum::Bool(false)),
                Err(error) => Err(txn_error(error)),
            }
        }
        Call::Unlock => {
            let held = locks.unlock(target, mode).map_err(txn_error)?;
            if !held {
                let message = match mode {
                    LockMode::Share => "you don't own a lock of type ShareLock",
                    _ => "you don't own a lock of type ExclusiveLock",
                };
                eval.warn(SqlState::WARNING, message);
            }
            Ok(Datum::Bool(held))
        }
        Call::UnlockAll => {
            locks.unlock_all().map_err(txn_error)?;
            Ok(void)
        }
    }
}
