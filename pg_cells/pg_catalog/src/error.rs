//! From the errors of the layers below to what a client is told, and the
//! catalog's own messages.

use alloc::format;
use alloc::string::String;
use pg_btree_port::IndexError;
use pg_buffer_port::BufferError;
use pg_heap_port::HeapError;
use pg_txn_port::TxnError;
use pg_types::{SqlError, SqlResult, SqlState};

/// Turns a lower layer's error into the client's.
pub trait OrSql<T> {
    /// The same result with a client's error.
    ///
    /// # Errors
    /// The translated one.
    fn sql(self) -> SqlResult<T>;
}

impl<T> OrSql<T> for Result<T, TxnError> {
    fn sql(self) -> SqlResult<T> {
        self.map_err(txn)
    }
}

impl<T> OrSql<T> for Result<T, HeapError> {
    fn sql(self) -> SqlResult<T> {
        self.map_err(|error| match error {
            HeapError::Txn(error) => txn(error),
            HeapError::Storage(error) => storage(error),
            HeapError::RowTooLarge { len } => SqlError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("row of a system catalog is too big: size {len}"),
            ),
            HeapError::NoSuchRow(tid) => SqlError::new(
                SqlState::DATA_CORRUPTED,
                format!("there is no catalog row at {tid}"),
            ),
            HeapError::NotRunning => not_running(),
        })
    }
}

impl<T> OrSql<T> for Result<T, IndexError> {
    fn sql(self) -> SqlResult<T> {
        self.map_err(|error| match error {
            IndexError::Txn(error) => txn(error),
            IndexError::Storage(error) => storage(error),
            IndexError::KeyTooLong { .. } | IndexError::OutOfOrder => {
                SqlError::internal("a key of a system catalog does not fit its index")
            }
            IndexError::NotRunning => not_running(),
        })
    }
}

impl<T> OrSql<T> for Result<T, BufferError> {
    fn sql(self) -> SqlResult<T> {
        self.map_err(storage)
    }
}

#[cold]
fn not_running() -> SqlError {
    SqlError::new(
        SqlState::CANNOT_CONNECT_NOW,
        "the database system is starting up",
    )
}

#[cold]
fn txn(error: TxnError) -> SqlError {
    use SqlState as S;
    match error {
        TxnError::Deadlock => SqlError::new(S::T_R_DEADLOCK_DETECTED, "deadlock detected"),
        TxnError::Serialization => SqlError::new(
            S::T_R_SERIALIZATION_FAILURE,
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
            S::LOCK_NOT_AVAILABLE,
            "canceling statement due to lock timeout",
        ),
        TxnError::LockNotAvailable => {
            SqlError::new(S::LOCK_NOT_AVAILABLE, "could not obtain lock on relation")
        }
        TxnError::Cancelled => {
            SqlError::new(S::QUERY_CANCELED, "canceling statement due to user request")
        }
        TxnError::ReadOnly => SqlError::new(
            S::READ_ONLY_SQL_TRANSACTION,
            "cannot change the schema in a read-only transaction",
        ),
        TxnError::NoSavepoint(name) => SqlError::new(
            S::S_E_INVALID_SPECIFICATION,
            format!("savepoint \"{name}\" does not exist"),
        ),
        TxnError::Storage(error) => storage(error),
        TxnError::Log(error) => storage(BufferError::from(error)),
        TxnError::NotRunning => not_running(),
    }
}

#[cold]
fn storage(error: BufferError) -> SqlError {
    let code = match error {
        BufferError::Io { .. } => SqlState::IO_ERROR,
        BufferError::Corrupt { .. } | BufferError::NoSuchPage { .. } => SqlState::DATA_CORRUPTED,
        BufferError::FileExists { .. } => SqlState::INTERNAL_ERROR,
        BufferError::DiskFull => SqlState::DISK_FULL,
        BufferError::OutOfMemory => SqlState::OUT_OF_MEMORY,
        BufferError::TooLarge => SqlState::PROGRAM_LIMIT_EXCEEDED,
        BufferError::Stopped => SqlState::ADMIN_SHUTDOWN,
        BufferError::NotRunning => return not_running(),
    };
    SqlError::new(code, format!("{error}"))
}

/// 42P01.
#[cold]
pub fn no_relation(name: impl core::fmt::Display) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_TABLE,
        format!("relation \"{name}\" does not exist"),
    )
}

/// 42P07.
#[cold]
pub fn relation_exists(name: &str) -> SqlError {
    SqlError::new(
        SqlState::DUPLICATE_TABLE,
        format!("relation \"{name}\" already exists"),
    )
}

/// 3F000.
#[cold]
pub fn no_schema(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_SCHEMA,
        format!("schema \"{name}\" does not exist"),
    )
}

/// 42703, of a table.
#[cold]
pub fn no_column(column: &str, relation: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{column}\" of relation \"{relation}\" does not exist"),
    )
}

/// 42704, of a constraint.
#[cold]
pub fn no_constraint(name: &str, table: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("constraint \"{name}\" of relation \"{table}\" does not exist"),
    )
}

/// XX000: a row that must be there is not.
#[cold]
pub fn lost(what: impl Into<String>) -> SqlError {
    SqlError::internal(format!("cache lookup failed for {}", what.into()))
}
