//! The planner's errors in PostgreSQL's words.

use alloc::format;
use pg_types::{Oid, SqlError, SqlState, format_type};

/// 42703 for a bare column name.
pub fn no_column(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{name}\" does not exist"),
    )
}

/// 42703 for a column of a table or alias.
pub fn no_column_of(table: &str, name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column {table}.{name} does not exist"),
    )
}

/// 42703 for a column of a relation that is changed.
pub fn no_column_in(relation: &str, name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{name}\" of relation \"{relation}\" does not exist"),
    )
}

/// 42P01 for a table.
pub fn no_table(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_TABLE,
        format!("relation \"{name}\" does not exist"),
    )
}

/// 42P01 for a table name that FROM does not have.
pub fn no_from_entry(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_TABLE,
        format!("missing FROM-clause entry for table \"{name}\""),
    )
}

/// 42702.
pub fn ambiguous(name: &str) -> SqlError {
    SqlError::new(
        SqlState::AMBIGUOUS_COLUMN,
        format!("column reference \"{name}\" is ambiguous"),
    )
}

/// 42846.
pub fn no_cast(from: Oid, to: Oid) -> SqlError {
    SqlError::new(
        SqlState::CANNOT_COERCE,
        format!(
            "cannot cast type {} to {}",
            format_type(from, -1),
            format_type(to, -1)
        ),
    )
}

/// 42804 for a condition that is no boolean.
pub fn not_boolean(clause: &str, found: Oid) -> SqlError {
    SqlError::new(
        SqlState::DATATYPE_MISMATCH,
        format!(
            "argument of {clause} must be type boolean, not type {}",
            format_type(found, -1)
        ),
    )
}

/// 42601 in words of its own.
pub fn syntax(message: impl Into<alloc::string::String>) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

/// 42803.
pub fn grouping(message: impl Into<alloc::string::String>) -> SqlError {
    SqlError::new(SqlState::GROUPING_ERROR, message)
}

/// 42P10.
pub fn bad_reference(message: impl Into<alloc::string::String>) -> SqlError {
    SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
}
