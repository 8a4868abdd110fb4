//! Transactions as the rest of the database sees them: ids, snapshots, the
//! commit log, table and row locks.
//!
//! A session owns a [`Transaction`]; everything it does to rows takes it (or a
//! [`Snapshot`] of it). The cell behind the port, `pg_txn`, keeps who is running
//! and who waits for whom in one [`TxnState`], which it hands over at a swap:
//! open transactions and waiters do not notice.
//!
//! No call sleeps inside the port. A call that would wait for another
//! transaction returns a token, and a call that needs a page says so; waiting
//! and page access are done here, outside the cell ([`Transaction::wait_for`],
//! [`status`], [`Transaction::commit`]).
//!
//! How a commit becomes true, in this order: the two bits of all its ids are set
//! in the commit log by one mini-transaction, the log is flushed, and only then
//! the transaction leaves the set of running ones. Whoever looks sees it running
//! until it is durable. An abort writes nothing: an id that does not run and is
//! not marked committed never happened.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod cancel;
pub mod commit_log;
mod error;
mod lock;
mod locking;
mod manager;
mod savepoint;
mod serial;
pub mod serial_state;
mod session_locks;
mod sight;
mod snapshot;
pub mod state;
mod transaction;
mod view;
mod wait;
mod xid;

pub use cancel::CancelToken;
pub use error::TxnError;
pub use lock::{LockMode, LockTarget, RowHolder, RowKey, RowLock};
pub use manager::{Assigned, ProcId, StatusReply, TXN, TransactionManager, TxnCounts, WaitReply};
pub use pg_wal_port::Durability;
pub use serial::{
    ReadReply, ReadTarget, Reads, SerialFailure, SerialStart, file_replaced, page_split,
};
pub use session_locks::SessionLocks;
pub use sight::{Keep, Sight};
pub use snapshot::{ActiveSet, Snapshot};
pub use state::TxnState;
pub use transaction::{Isolation, Transaction};
pub use view::{Locked, Process, WaitsFor, processes};
pub use wait::{CANCELLED, GRANTED, WaitPolicy};
pub use xid::{CommandId, Xid, XidStatus};

/// The door of [`TXN`], without its type.
pub static DOOR: &dyn port::Door = &TXN;

/// Nobody is in a transaction while this crate moves; what has ended is in the commit
/// log, from which the cell behind it starts.
pub static MOVES: port::Moves = port::Moves {
    park: port::no_tasks,
    give: || Ok(None),
    take: |_| Ok(()),
    start: || Ok(()),
    anew: true,
};

/// How the transaction `xid` ended, or that it still runs. Answers from memory
/// for recent ids; else reads a page of the commit log, which may block.
///
/// # Errors
/// When the commit log cannot be read or nobody stands behind the port.
pub fn status(xid: Xid) -> Result<XidStatus, TxnError> {
    if !xid.is_normal() {
        return Ok(if xid == Xid::INVALID {
            XidStatus::Aborted
        } else {
            XidStatus::Committed
        });
    }
    let reply = TXN.enter()?.status(xid);
    match reply {
        StatusReply::Known(status) => Ok(status),
        StatusReply::InLog => commit_log::read(xid),
    }
}

/// Rows deleted by a transaction before this one are invisible to every
/// snapshot, present and to come, and may be pruned.
///
/// # Errors
/// When nobody stands behind the port.
pub fn horizon() -> Result<Xid, TxnError> {
    Ok(TXN.enter()?.horizon())
}

/// Who looks: the finer answer to the question which versions may be pruned.
///
/// # Errors
/// When nobody stands behind the port.
pub fn sight() -> Result<Sight, TxnError> {
    Ok(TXN.enter()?.sight())
}
