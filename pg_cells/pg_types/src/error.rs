//! The error that reaches a client: SQLSTATE, message and the optional fields of the protocol.
//!
//! [`SqlError`] is one pointer wide, so `Result<Datum, SqlError>` stays small.
//! Layers below SQL have their own enums and convert at their edge.

use crate::sqlstate::SqlState;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// `Result` with [`SqlError`].
pub type SqlResult<T> = Result<T, SqlError>;

/// An error as PostgreSQL reports it.
#[derive(Clone, PartialEq, Eq)]
pub struct SqlError(Box<ErrorFields>);

/// The fields of an error or notice message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFields {
    /// SQLSTATE (`C`).
    pub code: SqlState,
    /// Primary message (`M`).
    pub message: String,
    /// Detail (`D`).
    pub detail: Option<String>,
    /// Hint (`H`).
    pub hint: Option<String>,
    /// Position in the query text, in characters from 1 (`P`).
    pub position: Option<u32>,
    /// Call context (`W`).
    pub context: Option<String>,
    /// Schema (`s`).
    pub schema: Option<String>,
    /// Table (`t`).
    pub table: Option<String>,
    /// Column (`c`).
    pub column: Option<String>,
    /// Data type (`d`).
    pub data_type: Option<String>,
    /// Constraint (`n`).
    pub constraint: Option<String>,
}

impl SqlError {
    /// An error of this code and message.
    pub fn new(code: SqlState, message: impl Into<String>) -> SqlError {
        SqlError(Box::new(ErrorFields {
            code,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
        }))
    }

    /// 0A000: names what is not supported.
    pub fn unsupported(what: impl fmt::Display) -> SqlError {
        SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            alloc::format!("{what} is not supported"),
        )
    }

    /// XX000: a broken invariant of the system itself.
    pub fn internal(message: impl Into<String>) -> SqlError {
        SqlError::new(SqlState::INTERNAL_ERROR, message)
    }

    /// 22P02: `invalid input syntax for type T: "text"`.
    pub fn invalid_text(type_name: &str, text: &str) -> SqlError {
        SqlError::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            alloc::format!("invalid input syntax for type {type_name}: \"{text}\""),
        )
    }

    /// 22003: `T out of range`.
    pub fn out_of_range(type_name: &str) -> SqlError {
        SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            alloc::format!("{type_name} out of range"),
        )
    }

    /// 22012.
    pub fn division_by_zero() -> SqlError {
        SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
    }

    /// Adds the detail line.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> SqlError {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the hint line.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> SqlError {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the position in the query (characters from 1), unless one is set already.
    #[must_use]
    pub fn at(mut self, position: u32) -> SqlError {
        if self.0.position.is_none() && position > 0 {
            self.0.position = Some(position);
        }
        self
    }

    /// Names the table concerned.
    #[must_use]
    pub fn with_table(mut self, schema: impl Into<String>, table: impl Into<String>) -> SqlError {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    /// Names the column concerned.
    #[must_use]
    pub fn with_column(mut self, column: impl Into<String>) -> SqlError {
        self.0.column = Some(column.into());
        self
    }

    /// Names the constraint concerned.
    #[must_use]
    pub fn with_constraint(mut self, constraint: impl Into<String>) -> SqlError {
        self.0.constraint = Some(constraint.into());
        self
    }

    /// Names the data type concerned.
    #[must_use]
    pub fn with_data_type(mut self, data_type: impl Into<String>) -> SqlError {
        self.0.data_type = Some(data_type.into());
        self
    }

    /// Sets the context line.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> SqlError {
        self.0.context = Some(context.into());
        self
    }

    /// The SQLSTATE.
    pub fn code(&self) -> SqlState {
        self.0.code
    }

    /// The primary message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// All fields.
    pub fn fields(&self) -> &ErrorFields {
        &self.0
    }

    /// All fields, to change.
    pub fn fields_mut(&mut self) -> &mut ErrorFields {
        &mut self.0
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for SqlError {}
