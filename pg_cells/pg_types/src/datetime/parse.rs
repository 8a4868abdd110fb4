//! Dates and times from text.
use crate::error::{SqlError, SqlResult};
use crate::settings::FormatSettings;

/// Reads a date (days since 2000-01-01).
pub fn parse_date(text: &str, _settings: &FormatSettings) -> SqlResult<i32> {
    Err(SqlError::invalid_text("date", text))
}
/// Reads a time of day (microseconds).
pub fn parse_time(text: &str, _settings: &FormatSettings) -> SqlResult<i64> {
    Err(SqlError::invalid_text("time", text))
}
/// Reads a timestamp; a zone in the text is ignored.
pub fn parse_timestamp(text: &str, _settings: &FormatSettings) -> SqlResult<i64> {
    Err(SqlError::invalid_text("timestamp", text))
}
/// Reads a timestamp with zone; without one, the session's.
pub fn parse_timestamptz(text: &str, _settings: &FormatSettings) -> SqlResult<i64> {
    Err(SqlError::invalid_text("timestamp with time zone", text))
}
