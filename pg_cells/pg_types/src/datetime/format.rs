//! Text forms of dates, times and timestamps in the four date styles.

use super::calendar::{Civil, civil_from_days, civil_from_timestamp, day_of_week};
use super::zone::offset_text;
use super::{DATE_INFINITY, DATE_NEG_INFINITY, TS_INFINITY, TS_NEG_INFINITY};
use crate::settings::{DateFormat, DateOrder, FormatSettings};
use alloc::string::String;
use core::fmt::Write;

/// English month names.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// English weekday names, from Sunday.
pub const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

// Writing to a String cannot fail, so the results of `write!` below are dropped.

/// Appends a date.
pub fn format_date(out: &mut String, days: i32, settings: &FormatSettings) {
    match days {
        DATE_INFINITY => return out.push_str("infinity"),
        DATE_NEG_INFINITY => return out.push_str("-infinity"),
        _ => {}
    }
    let (year, month, day) = civil_from_days(days);
    put_date(out, year, month, day, settings, false);
    if year <= 0 {
        out.push_str(" BC");
    }
}

/// Year as shown: years before 1 count backwards.
fn shown_year(year: i32) -> i32 {
    if year > 0 { year } else { 1 - year }
}

fn put_date(
    out: &mut String,
    year: i32,
    month: u32,
    day: u32,
    settings: &FormatSettings,
    in_timestamp: bool,
) {
    let year = shown_year(year);
    let day_first = settings.date_order == DateOrder::Dmy;
    let (a, b) = if day_first {
        (day, month)
    } else {
        (month, day)
    };
    let _ = match settings.date_format {
        DateFormat::Iso => write!(out, "{year:04}-{month:02}-{day:02}"),
        DateFormat::Sql => write!(out, "{a:02}/{b:02}/{year:04}"),
        DateFormat::German => write!(out, "{day:02}.{month:02}.{year:04}"),
        DateFormat::Postgres if !in_timestamp => write!(out, "{a:02}-{b:02}-{year:04}"),
        DateFormat::Postgres => {
            let name = &MONTHS[month as usize - 1][..3];
            if day_first {
                write!(out, "{day:02} {name}")
            } else {
                write!(out, "{name} {day:02}")
            }
        }
    };
}

/// Appends a time of day: `04:05:06.789`, trailing zeros of the fraction dropped.
pub fn format_time(out: &mut String, micros: i64) {
    let seconds = micros / 1_000_000;
    put_clock(
        out,
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        micros % 1_000_000,
    );
}

fn put_clock(out: &mut String, hour: i64, minute: i64, second: i64, micros: i64) {
    let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
    put_fraction(out, micros);
}

/// `.5` for 500,000 microseconds; nothing for 0.
pub(super) fn put_fraction(out: &mut String, micros: i64) {
    if micros != 0 {
        let _ = write!(out, ".{micros:06}");
        out.truncate(out.trim_end_matches('0').len());
    }
}

fn put_special(out: &mut String, ts: i64) -> bool {
    match ts {
        TS_INFINITY => out.push_str("infinity"),
        TS_NEG_INFINITY => out.push_str("-infinity"),
        _ => return false,
    }
    true
}

/// Appends a timestamp without zone.
pub fn format_timestamp(out: &mut String, ts: i64, settings: &FormatSettings) {
    if !put_special(out, ts) {
        put_timestamp(out, ts, settings, None);
    }
}

/// Appends a timestamp with zone, in the session's zone.
pub fn format_timestamptz(out: &mut String, ts: i64, settings: &FormatSettings) {
    if put_special(out, ts) {
        return;
    }
    let zone = &settings.time_zone;
    let suffix = match settings.date_format {
        DateFormat::Iso => offset_text(zone.offset_at(ts)),
        _ => {
            let mut s = zone.abbreviation(ts);
            s.insert(0, ' ');
            s
        }
    };
    put_timestamp(out, zone.to_local(ts), settings, Some(&suffix));
}

fn put_timestamp(out: &mut String, local: i64, settings: &FormatSettings, zone: Option<&str>) {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        micros,
    } = civil_from_timestamp(local);
    let verbose = settings.date_format == DateFormat::Postgres;
    if verbose {
        let weekday = day_of_week(local.div_euclid(super::DAY_MICROS) as i32);
        out.push_str(&WEEKDAYS[weekday as usize][..3]);
        out.push(' ');
    }
    put_date(out, year, month, day, settings, true);
    out.push(' ');
    put_clock(
        out,
        hour.into(),
        minute.into(),
        second.into(),
        micros.into(),
    );
    if verbose {
        let _ = write!(out, " {:04}", shown_year(year));
    }
    if let Some(zone) = zone {
        out.push_str(zone);
    }
    if year <= 0 {
        out.push_str(" BC");
    }
}
