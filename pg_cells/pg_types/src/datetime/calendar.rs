//! The proleptic Gregorian calendar: day numbers to fields and back.

use super::{TS_INFINITY, TS_NEG_INFINITY};
use crate::error::{SqlError, SqlResult};
use crate::sqlstate::SqlState;

/// Microseconds of a day.
pub const DAY_MICROS: i64 = 86_400_000_000;
/// 1970-01-01 in days since 2000-01-01.
pub const UNIX_EPOCH_DAYS: i32 = -10_957;
/// 4714-11-24 BC 00:00, the first timestamp.
pub const MIN_TIMESTAMP: i64 = -211_813_488_000_000_000;
/// The first microsecond behind 294276-12-31.
pub const MAX_TIMESTAMP: i64 = 9_223_371_331_200_000_000;
/// Julian day of 2000-01-01.
const EPOCH_JULIAN: i32 = 2_451_545;

/// Fields of a point in local time. Year 0 is 1 BC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Astronomical year: 0 is 1 BC, -1 is 2 BC.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999,999.
    pub micros: u32,
}

/// True for years of 366 days.
pub fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month (1 to 12).
pub fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap_year(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 2000-01-01 of a date that exists. After Howard Hinnant's `days_from_civil`:
/// years start in March, eras have 400 of them.
pub fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day) - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    // 730,425 days lie between 0000-03-01 and 2000-01-01.
    (era * 146_097 + day_of_era - 730_425) as i32
}

/// Year, month and day of a day number.
pub fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let z = i64::from(days) + 730_425;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    ((yoe + era * 400 + i64::from(month <= 2)) as i32, month, day)
}

/// Julian day number of a day.
pub fn julian_day(days: i32) -> i32 {
    days.saturating_add(EPOCH_JULIAN)
}

/// 0 for Sunday to 6 for Saturday.
pub fn day_of_week(days: i32) -> u32 {
    (i64::from(days) + 6).rem_euclid(7) as u32
}

/// ISO 8601 year and week (1 to 53) of a day.
pub fn iso_week(days: i32) -> (i32, u32) {
    // The week belongs to the year of its Thursday.
    let monday_based = (day_of_week(days) + 6) % 7;
    let thursday = days - monday_based as i32 + 3;
    let (year, _, _) = civil_from_days(thursday);
    let first = days_from_civil(year, 1, 1);
    (year, ((thursday - first) / 7 + 1) as u32)
}

/// Fields of a finite timestamp.
pub fn civil_from_timestamp(ts: i64) -> Civil {
    let days = ts.div_euclid(DAY_MICROS);
    let micros = ts.rem_euclid(DAY_MICROS);
    let (year, month, day) = civil_from_days(days as i32);
    let seconds = (micros / 1_000_000) as u32;
    Civil {
        year,
        month,
        day,
        hour: seconds / 3600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        micros: (micros % 1_000_000) as u32,
    }
}

/// The timestamp of a day and its microseconds; 22008 outside the range of the type.
pub fn timestamp_from_civil(days: i32, micros: i64) -> SqlResult<i64> {
    i64::from(days)
        .checked_mul(DAY_MICROS)
        .and_then(|t| t.checked_add(micros))
        .filter(|t| in_range(*t))
        .ok_or_else(out_of_range)
}

/// True for finite timestamps that the type can hold.
pub(crate) fn in_range(ts: i64) -> bool {
    (MIN_TIMESTAMP..MAX_TIMESTAMP).contains(&ts)
}

/// True for the two infinities.
pub(crate) fn is_infinite(ts: i64) -> bool {
    ts == TS_INFINITY || ts == TS_NEG_INFINITY
}

/// 22008 `timestamp out of range`.
pub(crate) fn out_of_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}
