//! Dates and times from text, in all the forms that people and programs write.
//!
//! Tokens are read one by one into [`Fields`]; what is missing or contradicts
//! itself is an error with the SQLSTATE that PostgreSQL gives it: 22007 for
//! syntax, 22008 for fields out of range, 22009 for offsets.

use super::TimeZone;
use super::calendar::{DAY_MICROS, days_from_civil, days_in_month, in_range};
use super::fields::{Fields, Special, read, read_time};
use super::{DATE_INFINITY, DATE_NEG_INFINITY, TS_INFINITY, TS_NEG_INFINITY, UNIX_EPOCH_DAYS};
use crate::error::{SqlError, SqlResult};
use crate::settings::FormatSettings;
use crate::sqlstate::SqlState;
use alloc::format;

/// What went wrong, before it is known for which type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Not a date.
    Syntax,
    /// A field is out of range.
    Field,
    /// A month is above 12: perhaps day and month are swapped.
    MonthOrDay,
    /// An offset from UTC is out of range.
    Offset,
    /// A zone that is not known.
    Zone,
}

fn report(trouble: Trouble, type_name: &str, text: &str) -> SqlError {
    let field = || {
        SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{text}\""),
        )
    };
    match trouble {
        Trouble::Syntax => SqlError::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type {type_name}: \"{text}\""),
        ),
        Trouble::Field => field(),
        Trouble::MonthOrDay => {
            field().with_hint("Perhaps you need a different \"datestyle\" setting.")
        }
        Trouble::Offset => SqlError::new(
            SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
            format!("time zone displacement out of range: \"{text}\""),
        ),
        Trouble::Zone => SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("time zone \"{}\" not recognized", zone_in(text)),
        ),
    }
}

/// The part of a text that looks like a zone's name.
fn zone_in(text: &str) -> alloc::string::String {
    let word = text
        .split_whitespace()
        .rfind(|w| w.bytes().any(|b| b.is_ascii_alphabetic()))
        .unwrap_or(text);
    word.trim_start_matches(|c: char| !c.is_ascii_alphabetic())
        .to_ascii_lowercase()
}

/// Day number of the fields' date, checked against the calendar.
fn day_number(f: &Fields) -> Result<i32, Trouble> {
    if let Some(julian) = f.julian {
        return i32::try_from(julian - 2_451_545).map_err(|_| Trouble::Field);
    }
    let year = f.year.ok_or(Trouble::Syntax)?;
    let year = match (f.bc, year) {
        (_, 0) => return Err(Trouble::Field),
        (true, y) => 1 - y,
        (false, y) => y,
    };
    if let Some(of_year) = f.day_of_year {
        let length = 365 + u32::from(super::is_leap_year(year));
        if of_year == 0 || of_year > length {
            return Err(Trouble::Field);
        }
        return Ok(days_from_civil(year, 1, 1) + of_year as i32 - 1);
    }
    let (month, day) = (
        f.month.ok_or(Trouble::Syntax)?,
        f.day.ok_or(Trouble::Syntax)?,
    );
    if !(1..=12).contains(&month) {
        return Err(Trouble::MonthOrDay);
    }
    if day == 0 || day > 31 {
        return Err(Trouble::MonthOrDay);
    }
    if day > days_in_month(year, month) || !(-4713..=5_878_000).contains(&year) {
        return Err(Trouble::Field);
    }
    Ok(days_from_civil(year, month, day))
}

/// Microseconds of the day; the end of the day (24:00:00) and a leap second are allowed.
fn time_of_day(f: &Fields) -> Result<i64, Trouble> {
    let Some((mut hour, minute, second, micros)) = f.time else {
        return Ok(0);
    };
    if let Some(pm) = f.pm {
        if hour == 0 || hour > 12 {
            return Err(Trouble::Field);
        }
        hour = hour % 12 + if pm { 12 } else { 0 };
    }
    let end_of_day = hour == 24 && minute == 0 && second == 0 && micros == 0;
    if (hour > 23 && !end_of_day) || minute > 59 || second > 60 || (second == 60 && micros > 0) {
        return Err(Trouble::Field);
    }
    Ok(
        ((i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second)) * 1_000_000
            + i64::from(micros),
    )
}

fn today(settings: &FormatSettings) -> i32 {
    settings
        .time_zone
        .to_local(settings.now)
        .div_euclid(DAY_MICROS) as i32
}

fn special_day(special: Special, settings: &FormatSettings) -> Option<i32> {
    Some(match special {
        Special::Infinity => DATE_INFINITY,
        Special::NegInfinity => DATE_NEG_INFINITY,
        Special::Epoch => UNIX_EPOCH_DAYS,
        Special::Now | Special::Today => today(settings),
        Special::Tomorrow => today(settings) + 1,
        Special::Yesterday => today(settings) - 1,
    })
}

/// Reads a date (days since 2000-01-01).
pub fn parse_date(text: &str, settings: &FormatSettings) -> SqlResult<i32> {
    let parse = || {
        let f = read(text, settings)?;
        if let Some(special) = f.special {
            return special_day(special, settings).ok_or(Trouble::Syntax);
        }
        time_of_day(&f)?;
        day_number(&f)
    };
    let days = parse().map_err(|t| report(t, "date", text))?;
    let range = days_from_civil(-4713, 11, 24)..=days_from_civil(5_874_897, 12, 31);
    if days != DATE_INFINITY && days != DATE_NEG_INFINITY && !range.contains(&days) {
        return Err(SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date out of range: \"{text}\""),
        ));
    }
    Ok(days)
}

/// Reads a time of day (microseconds). A date in front is ignored, as is a zone.
pub fn parse_time(text: &str, settings: &FormatSettings) -> SqlResult<i64> {
    let parse = || {
        let f = read_time(text, settings)?;
        match f.special {
            Some(Special::Now) => Ok(settings
                .time_zone
                .to_local(settings.now)
                .rem_euclid(DAY_MICROS)),
            Some(_) => Err(Trouble::Syntax),
            None if f.time.is_none() => Err(Trouble::Syntax),
            None => time_of_day(&f),
        }
    };
    parse().map_err(|t| report(t, "time", text))
}

/// Where a local time is meant.
enum Place {
    /// The text does not say.
    Here,
    /// Seconds east of Greenwich.
    Offset(i32),
    /// A zone by name.
    Zone(TimeZone),
}

/// Local microseconds of the fields, and where that is.
fn stamp(text: &str, settings: &FormatSettings) -> Result<(i64, Place), Trouble> {
    let f = read(text, settings)?;
    let time = time_of_day(&f)?;
    let days = match f.special {
        Some(Special::Infinity) => return Ok((TS_INFINITY, Place::Here)),
        Some(Special::NegInfinity) => return Ok((TS_NEG_INFINITY, Place::Here)),
        Some(Special::Now) => return Ok((settings.time_zone.to_local(settings.now), Place::Here)),
        Some(Special::Epoch) => {
            return Ok((i64::from(UNIX_EPOCH_DAYS) * DAY_MICROS, Place::Offset(0)));
        }
        Some(day) => special_day(day, settings).ok_or(Trouble::Syntax)?,
        None => day_number(&f)?,
    };
    let local = i64::from(days)
        .checked_mul(DAY_MICROS)
        .and_then(|d| d.checked_add(time));
    let place = match (f.zone, f.offset) {
        (Some(zone), _) => Place::Zone(zone),
        (None, Some(offset)) => Place::Offset(offset),
        (None, None) => Place::Here,
    };
    // Days beyond the range of timestamps are reported as such by the caller.
    Ok((local.unwrap_or(i64::MAX - 1), place))
}

fn ranged(ts: i64, text: &str) -> SqlResult<i64> {
    if in_range(ts) || ts == TS_INFINITY || ts == TS_NEG_INFINITY {
        return Ok(ts);
    }
    Err(SqlError::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("timestamp out of range: \"{text}\""),
    ))
}

/// Reads a timestamp; a zone in the text is ignored.
pub fn parse_timestamp(text: &str, settings: &FormatSettings) -> SqlResult<i64> {
    let (local, _) = stamp(text, settings).map_err(|t| report(t, "timestamp", text))?;
    ranged(local, text)
}

/// Reads a timestamp with zone; without one, in the session's.
pub fn parse_timestamptz(text: &str, settings: &FormatSettings) -> SqlResult<i64> {
    let (local, place) =
        stamp(text, settings).map_err(|t| report(t, "timestamp with time zone", text))?;
    if local == TS_INFINITY || local == TS_NEG_INFINITY {
        return Ok(local);
    }
    let utc = match place {
        Place::Offset(offset) => local.saturating_sub(i64::from(offset) * 1_000_000),
        Place::Zone(zone) => zone.to_utc(local),
        Place::Here => settings.time_zone.to_utc(local),
    };
    ranged(utc, text)
}
