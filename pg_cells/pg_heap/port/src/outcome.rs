//! How changes of rows end.

use crate::Tid;
use pg_buffer_port::BufferError;
use pg_txn_port::{TxnError, Xid};
use port::PortError;

/// Why the heap could not do something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeapError {
    /// The transaction cannot go on: its own errors tell why.
    Txn(TxnError),
    /// A page could not be read or written.
    Storage(BufferError),
    /// The row does not fit a page (54000).
    RowTooLarge {
        /// Bytes of its content.
        len: usize,
    },
    /// Nothing is at this tid.
    NoSuchRow(Tid),
    /// No cell stands behind the port (57P03).
    NotRunning,
}

/// How an update or a delete ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateOutcome {
    /// Done.
    Updated {
        /// The new version.
        tid: Tid,
        /// Whether index entries of the former version lead to it.
        hot: bool,
    },
    /// The running command has changed this row itself, or a later one has.
    SelfModified,
    /// Another transaction has changed the row and committed: look at the newer
    /// version and, if it still qualifies, update that one.
    Concurrent {
        /// The next version, which may have been changed again.
        newest: Tid,
    },
    /// Another transaction has deleted the row and committed.
    Deleted,
}

/// How locking a row ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockOutcome {
    /// Locked until the transaction ends.
    Locked,
    /// Someone holds it, and the policy is to pass such rows over.
    Skipped,
    /// The running command has changed this row itself.
    SelfModified,
    /// As [`UpdateOutcome::Concurrent`].
    Concurrent {
        /// The next version.
        newest: Tid,
    },
    /// As [`UpdateOutcome::Deleted`].
    Deleted,
}

/// What a row is to a unique index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Liveness {
    /// A version is there that this transaction must respect.
    Live,
    /// None is, and none will be again.
    Dead,
    /// It depends on how this transaction ends.
    InProgress(Xid),
}

impl From<TxnError> for HeapError {
    fn from(error: TxnError) -> Self {
        match error {
            TxnError::Storage(error) => HeapError::Storage(error),
            TxnError::NotRunning => HeapError::NotRunning,
            error => HeapError::Txn(error),
        }
    }
}

impl From<BufferError> for HeapError {
    fn from(error: BufferError) -> Self {
        HeapError::Storage(error)
    }
}

impl From<PortError> for HeapError {
    fn from(_: PortError) -> Self {
        HeapError::NotRunning
    }
}
