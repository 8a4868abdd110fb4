//! Dates and times: calendar arithmetic, zones, and their text forms.
//!
//! Days count from 2000-01-01, microseconds from its midnight, as PostgreSQL's
//! binary forms do. `calendar` converts them to fields, `zone` knows offsets
//! from UTC, `parse` and `format` are the text forms, `interval` those of
//! intervals, `ops` the arithmetic that SQL operators need.

mod calendar;
mod fields;
mod format;
mod interval;
mod interval_format;
mod lex;
mod ops;
mod parse;
mod zone;

pub use calendar::{
    Civil, DAY_MICROS, MAX_TIMESTAMP, MIN_TIMESTAMP, UNIX_EPOCH_DAYS, civil_from_days,
    civil_from_timestamp, day_of_week, days_from_civil, days_in_month, is_leap_year, iso_week,
    julian_day, timestamp_from_civil,
};
pub use format::{
    MONTHS, WEEKDAYS, format_date, format_time, format_timestamp, format_timestamptz,
};
pub use interval::parse_interval;
pub use interval_format::format_interval;
pub use ops::{
    add_interval, age, interval_add, interval_div, interval_from_f64_seconds, interval_mul,
    interval_neg, interval_sub, justify_days, justify_hours, justify_interval, round_micros,
    round_time, timestamp_diff, timestamptz_add_interval,
};
pub use parse::{parse_date, parse_time, parse_timestamp, parse_timestamptz};
pub use zone::TimeZone;

/// Days of the date infinity.
pub const DATE_INFINITY: i32 = i32::MAX;
/// Days of the date -infinity.
pub const DATE_NEG_INFINITY: i32 = i32::MIN;
/// Microseconds of the timestamp infinity.
pub const TS_INFINITY: i64 = i64::MAX;
/// Microseconds of the timestamp -infinity.
pub const TS_NEG_INFINITY: i64 = i64::MIN;
