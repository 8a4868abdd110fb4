//! The one table from the errors of transactions, heap, tree, buffer pool, log
//! and ports to what a client is told.

use alloc::format;
use pg_btree_port::IndexError;
use pg_buffer_port::BufferError;
use pg_heap_port::HeapError;
use pg_temp_port::TempError;
use pg_txn_port::TxnError;
use pg_types::{SqlError, SqlState};
use pg_wal_port::WalError;
use port::PortError;

/// 57P03: a part of the database is not there right now.
#[cold]
fn not_running() -> SqlError {
    SqlError::new(
        SqlState::CANNOT_CONNECT_NOW,
        "the database system is starting up",
    )
}

/// Nobody stands behind a port.
#[cold]
#[must_use]
pub fn port_error(error: PortError) -> SqlError {
    let PortError::NoProvider(name) = error;
    not_running().with_detail(format!("The part \"{name}\" is not running."))
}

/// Errors of transactions.
#[cold]
#[must_use]
pub fn txn_error(error: TxnError) -> SqlError {
    match error {
        TxnError::Deadlock => SqlError::new(SqlState::T_R_DEADLOCK_DETECTED, "deadlock detected"),
        TxnError::Serialization => SqlError::new(
            SqlState::T_R_SERIALIZATION_FAILURE,
            "could not serialize access due to concurrent update",
        ),
        TxnError::ConcurrentDelete => SqlError::new(
            SqlState::T_R_SERIALIZATION_FAILURE,
            "could not serialize access due to concurrent delete",
        ),
        TxnError::Dependency(failure) => SqlError::new(
            SqlState::T_R_SERIALIZATION_FAILURE,
            "could not serialize access due to read/write dependencies among transactions",
        )
        .with_detail(format!("Reason code: {failure}"))
        .with_hint("The transaction might succeed if retried."),
        TxnError::LockTimeout => SqlError::new(
            SqlState::LOCK_NOT_AVAILABLE,
            "canceling statement due to lock timeout",
        ),
        TxnError::LockNotAvailable => {
            SqlError::new(SqlState::LOCK_NOT_AVAILABLE, "could not obtain lock")
        }
        TxnError::Cancelled => SqlError::new(
            SqlState::QUERY_CANCELED,
            "canceling statement due to user request",
        ),
        TxnError::ReadOnly => SqlError::new(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            "cannot execute a statement that writes in a read-only transaction",
        ),
        TxnError::NoSavepoint(name) => SqlError::new(
            SqlState::S_E_INVALID_SPECIFICATION,
            format!("savepoint \"{name}\" does not exist"),
        ),
        TxnError::Storage(error) => buffer_error(error),
        TxnError::Log(WalError::Failed) => SqlError::new(
            SqlState::IO_ERROR,
            "the log could not be written: whether the transaction is committed is not known",
        )
        .with_hint("Storage is being started anew, and decides. Look for what it did before you repeat it."),
        TxnError::Log(error) => wal_error(error),
        TxnError::NotRunning => not_running(),
    }
}

/// Errors of the log.
#[cold]
#[must_use]
pub fn wal_error(error: WalError) -> SqlError {
    buffer_error(BufferError::from(error))
}

/// Errors of the buffer pool.
#[cold]
#[must_use]
pub fn buffer_error(error: BufferError) -> SqlError {
    match error {
        BufferError::Io { page } => SqlError::new(
            SqlState::IO_ERROR,
            format!("could not read or write {page}"),
        ),
        BufferError::Corrupt { page } => {
            SqlError::new(SqlState::DATA_CORRUPTED, format!("{page} is damaged"))
        }
        BufferError::NoSuchPage { page } => {
            SqlError::new(SqlState::DATA_CORRUPTED, format!("{page} does not exist"))
        }
        BufferError::FileExists { file } => {
            SqlError::internal(format!("file {file:?} exists already"))
        }
        BufferError::DiskFull => SqlError::new(SqlState::DISK_FULL, "no space left on device"),
        BufferError::OutOfMemory => SqlError::new(SqlState::OUT_OF_MEMORY, "no free buffer"),
        BufferError::TooLarge => SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "one change of pages is too large",
        ),
        BufferError::Stopped if pg_wal_port::has_failed() => SqlError::new(
            SqlState::IO_ERROR,
            "the log could not be written; storage is being started anew",
        ),
        BufferError::Stopped => SqlError::new(
            SqlState::ADMIN_SHUTDOWN,
            "the database system is shutting down",
        ),
        BufferError::NotRunning => not_running(),
    }
}

/// Errors of temporary files.
#[cold]
#[must_use]
pub fn temp_error(error: TempError) -> SqlError {
    match error {
        TempError::Full => SqlError::new(
            SqlState::DISK_FULL,
            "could not write to temporary file: no space left on device",
        ),
        TempError::Io => SqlError::new(
            SqlState::IO_ERROR,
            "could not read or write a temporary file",
        ),
        TempError::OutOfMemory => SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory")
            .with_detail("There is no memory for a temporary file's block."),
        TempError::NotRunning => not_running(),
    }
}

/// Errors of the heap.
#[cold]
#[must_use]
pub fn heap_error(error: HeapError) -> SqlError {
    match error {
        HeapError::Txn(error) => txn_error(error),
        HeapError::Storage(error) => buffer_error(error),
        HeapError::RowTooLarge { len } => SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!(
                "row is too big: size {len}, maximum size {}",
                pg_heap_port::MAX_ROW
            ),
        ),
        HeapError::NoSuchRow(tid) => SqlError::new(
            SqlState::DATA_CORRUPTED,
            format!("there is no row at {tid}"),
        ),
        HeapError::NotRunning => not_running(),
    }
}

/// Errors of indexes.
#[cold]
#[must_use]
pub fn index_error(error: IndexError) -> SqlError {
    match error {
        IndexError::Txn(error) => txn_error(error),
        IndexError::Storage(error) => buffer_error(error),
        IndexError::KeyTooLong { len } => SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!(
                "index row size {len} exceeds maximum {}",
                pg_btree_port::MAX_KEY
            ),
        ),
        IndexError::OutOfOrder => SqlError::internal("index entries came out of order"),
        IndexError::NotRunning => not_running(),
    }
}
