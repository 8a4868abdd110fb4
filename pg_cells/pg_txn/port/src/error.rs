//! Why a transaction could not go on.

use crate::SerialFailure;
use alloc::string::String;
use pg_buffer_port::BufferError;
use pg_wal_port::WalError;
use port::PortError;

/// Sorted by what the caller must do. All but [`TxnError::NoSavepoint`] end
/// the statement; the ones that also end the transaction say so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TxnError {
    /// Waiting would never have ended: this transaction is the victim (40P01).
    Deadlock,
    /// The row was changed by another since this transaction's snapshot, or the
    /// transaction's state was lost in a fault; run it again (40001).
    Serialization,
    /// The row was deleted by another since this transaction's snapshot (40001).
    ConcurrentDelete,
    /// A serializable transaction could be part of an anomaly; run it again
    /// (40001).
    Dependency(SerialFailure),
    /// `lock_timeout` passed (55P03).
    LockTimeout,
    /// NOWAIT, and someone holds the lock (55P03).
    LockNotAvailable,
    /// The statement was cancelled (57014).
    Cancelled,
    /// A write in a read-only transaction (25006).
    ReadOnly,
    /// There is no savepoint of this name (3B001).
    NoSavepoint(String),
    /// A page could not be read or written.
    Storage(BufferError),
    /// The log could not be written: whether the commit happened is known after
    /// the next start (58030).
    Log(WalError),
    /// No cell stands behind a port (57P03).
    NotRunning,
}

impl From<BufferError> for TxnError {
    fn from(error: BufferError) -> Self {
        TxnError::Storage(error)
    }
}

impl From<WalError> for TxnError {
    fn from(error: WalError) -> Self {
        TxnError::Log(error)
    }
}

impl From<PortError> for TxnError {
    fn from(_: PortError) -> Self {
        TxnError::NotRunning
    }
}

impl From<SerialFailure> for TxnError {
    fn from(failure: SerialFailure) -> Self {
        TxnError::Dependency(failure)
    }
}
