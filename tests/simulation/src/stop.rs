//! Why a task stops what it does: the errors of all layers, sorted by what they mean
//! here.

use pg_btree_port::IndexError;
use pg_buffer_port::BufferError;
use pg_heap_port::HeapError;
use pg_txn_port::TxnError;
use pg_wal_port::WalError;

/// Why a task stopped what it did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// To be rolled back and tried again: 40001, 40P01, 55P03.
    Again(&'static str),
    /// The key is there already.
    Duplicate,
    /// The table is not there any more.
    Gone,
    /// Storage.
    Storage(BufferError),
    /// The log: the commit's end is not known.
    Log(WalError),
    /// What should not happen to anybody who is not lost.
    Other(String),
}

impl From<TxnError> for Stop {
    fn from(error: TxnError) -> Self {
        match error {
            TxnError::Deadlock => Stop::Again("deadlock"),
            TxnError::Serialization => Stop::Again("serialization"),
            TxnError::ConcurrentDelete => Stop::Again("concurrent delete"),
            TxnError::LockTimeout => Stop::Again("lock timeout"),
            TxnError::LockNotAvailable => Stop::Again("locked"),
            TxnError::Cancelled => Stop::Again("cancelled"),
            TxnError::Dependency(_) => Stop::Again("dependency"),
            TxnError::Storage(error) => Stop::Storage(error),
            TxnError::Log(error) => Stop::Log(error),
            TxnError::NotRunning => Stop::Storage(BufferError::NotRunning),
            error => Stop::Other(format!("{error:?}")),
        }
    }
}

impl From<HeapError> for Stop {
    fn from(error: HeapError) -> Self {
        match error {
            HeapError::Txn(error) => error.into(),
            HeapError::Storage(error) => Stop::Storage(error),
            HeapError::NotRunning => Stop::Storage(BufferError::NotRunning),
            error => Stop::Other(format!("{error:?}")),
        }
    }
}

impl From<IndexError> for Stop {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Txn(error) => error.into(),
            IndexError::Storage(error) => Stop::Storage(error),
            IndexError::NotRunning => Stop::Storage(BufferError::NotRunning),
            error => Stop::Other(format!("{error:?}")),
        }
    }
}

impl From<BufferError> for Stop {
    fn from(error: BufferError) -> Self {
        Stop::Storage(error)
    }
}
