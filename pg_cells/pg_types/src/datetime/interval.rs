//! Intervals from text.
use crate::datum::Interval;
use crate::error::{SqlError, SqlResult};

/// Reads an interval, in any of the forms that PostgreSQL takes. `typmod` names the fields (`INTERVAL '1' DAY`).
pub fn parse_interval(text: &str, _typmod: i32) -> SqlResult<Interval> {
    Err(SqlError::invalid_text("interval", text))
}
