//! How changes of an index end.

use crate::Tid;
use pg_buffer_port::BufferError;
use pg_heap_port::HeapError;
use pg_txn_port::TxnError;
use port::PortError;

/// Why the index could not do something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IndexError {
    /// The transaction cannot go on: its own errors tell why.
    Txn(TxnError),
    /// A page could not be read or written.
    Storage(BufferError),
    /// The key does not fit (54000).
    KeyTooLong {
        /// Its bytes.
        len: usize,
    },
    /// The entries of a bulk build are not ascending.
    OutOfOrder,
    /// No cell stands behind the port (57P03).
    NotRunning,
}

/// How an insert ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// The entry is there.
    Done,
    /// Nothing was inserted: this row has the key already (23505).
    Duplicate(Tid),
}

impl From<TxnError> for IndexError {
    fn from(error: TxnError) -> Self {
        match error {
            TxnError::Storage(error) => IndexError::Storage(error),
            TxnError::NotRunning => IndexError::NotRunning,
            error => IndexError::Txn(error),
        }
    }
}

impl From<HeapError> for IndexError {
    fn from(error: HeapError) -> Self {
        match error {
            HeapError::Txn(error) => error.into(),
            HeapError::Storage(error) => IndexError::Storage(error),
            // Neither comes from a look at a row's liveness.
            HeapError::RowTooLarge { .. } | HeapError::NoSuchRow(_) | HeapError::NotRunning => {
                IndexError::NotRunning
            }
        }
    }
}

impl From<BufferError> for IndexError {
    fn from(error: BufferError) -> Self {
        IndexError::Storage(error)
    }
}

impl From<PortError> for IndexError {
    fn from(_: PortError) -> Self {
        IndexError::NotRunning
    }
}
