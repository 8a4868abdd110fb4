//! What the text forms of values depend on: DateStyle, IntervalStyle, TimeZone and their kin.

use crate::datetime::TimeZone;

/// Session settings that text input and output consult.
#[derive(Clone, Debug)]
pub struct FormatSettings {
    /// First word of DateStyle.
    pub date_format: DateFormat,
    /// Second word of DateStyle: the order of day and month.
    pub date_order: DateOrder,
    /// IntervalStyle.
    pub interval_style: IntervalStyle,
    /// bytea_output.
    pub bytea_output: ByteaOutput,
    /// extra_float_digits: above 0 floats print shortest-exact, else rounded.
    pub extra_float_digits: i32,
    /// TimeZone.
    pub time_zone: TimeZone,
    /// The transaction's start (UTC microseconds since 2000): what `'now'` and `'today'` mean.
    pub now: i64,
}

impl Default for FormatSettings {
    /// PostgreSQL's defaults, in UTC: ISO dates in MDY order, `postgres` intervals, hex bytea.
    fn default() -> FormatSettings {
        FormatSettings {
            date_format: DateFormat::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            bytea_output: ByteaOutput::Hex,
            extra_float_digits: 1,
            time_zone: TimeZone::utc(),
            now: 0,
        }
    }
}

/// How dates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `2026-01-31`.
    Iso,
    /// `01/31/2026`.
    Sql,
    /// `01-31-2026`, `Sat Jan 31 00:00:00 2026`.
    Postgres,
    /// `31.01.2026`.
    German,
}

/// Which of day, month and year comes first in ambiguous dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// Month, day, year.
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// How intervals are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`.
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`.
    PostgresVerbose,
    /// `+1-2 +3 +4:05:06`.
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`.
    Iso8601,
}

/// How bytea is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteaOutput {
    /// `\x6d69`.
    Hex,
    /// Printable bytes as they are, others as octal escapes.
    Escape,
}
