//! Dates, timestamps and intervals by template.

use super::number::roman_digits;
use super::template::{Piece, pieces};
use alloc::format;
use alloc::string::{String, ToString};
use pg_types::Interval;
use pg_types::datetime::{
    DAY_MICROS, MONTHS, WEEKDAYS, civil_from_timestamp, day_of_week, days_from_civil, iso_week,
    julian_day,
};

/// What templates show of a timestamp or interval.
pub(super) struct Moment {
    year: i32,
    month: u32,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    days: i32,
    of_year: i32,
    /// Seconds east and abbreviation.
    zone: Option<(i32, String)>,
    interval: bool,
}

impl Moment {
    /// A local timestamp, with its zone when it has one.
    pub(super) fn of_timestamp(local: i64, zone: Option<(i32, String)>) -> Moment {
        let c = civil_from_timestamp(local);
        let days = local.div_euclid(DAY_MICROS) as i32;
        Moment {
            year: c.year,
            month: c.month,
            day: c.day.into(),
            hour: c.hour.into(),
            minute: c.minute.into(),
            second: c.second.into(),
            micros: c.micros.into(),
            days,
            of_year: days - days_from_civil(c.year, 1, 1) + 1,
            zone,
            interval: false,
        }
    }

    /// An interval: hours are not cut to a day.
    pub(super) fn of_interval(i: &Interval) -> Moment {
        let seconds = i.micros / 1_000_000;
        Moment {
            year: i.months / 12,
            month: (i.months % 12).unsigned_abs(),
            day: i.days.into(),
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: i.micros % 1_000_000,
            days: 0,
            of_year: 0,
            zone: None,
            interval: true,
        }
    }

    fn shown_year(&self) -> i64 {
        let y = i64::from(self.year);
        if self.interval || y > 0 { y } else { 1 - y }
    }
}

/// `st`, `nd`, `rd` or `th` for a number.
pub(super) fn ordinal(digits: &str) -> &'static str {
    let b = digits.as_bytes();
    let tens = b.len().checked_sub(2).map(|i| b[i]);
    match (tens, b.last()) {
        (Some(b'1'), _) => "th",
        (_, Some(b'1')) => "st",
        (_, Some(b'2')) => "nd",
        (_, Some(b'3')) => "rd",
        _ => "th",
    }
}

/// A moment by a template.
pub(super) fn format(m: &Moment, template: &str) -> String {
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Literal(c) => out.push(c),
            Piece::Field {
                name,
                written,
                fill,
                ordinal: suffix,
            } => {
                let text = field(m, name, &written, fill);
                out.push_str(&text);
                if let Some(upper) = suffix {
                    let suffix = ordinal(&text);
                    out.push_str(&if upper {
                        suffix.to_ascii_uppercase()
                    } else {
                        suffix.to_string()
                    });
                }
            }
        }
    }
    out
}

fn padded(value: i64, width: usize, fill: bool) -> String {
    if fill {
        return value.to_string();
    }
    // The sign of a negative part does not eat into the digits.
    let width = if value < 0 { width + 1 } else { width };
    format!("{value:0width$}")
}

/// A name in the case of its keyword: `MONTH`, `Month` or `month`, padded to 9 unless FM.
fn name_in_case(name: &str, written: &str, width: usize, fill: bool) -> String {
    let b = written.as_bytes();
    let text = match (
        b[0].is_ascii_uppercase(),
        b.get(1).is_some_and(u8::is_ascii_uppercase),
    ) {
        (true, true) => name.to_ascii_uppercase(),
        (true, false) => name.to_string(),
        _ => name.to_ascii_lowercase(),
    };
    if fill {
        text
    } else {
        format!("{text:<width$}")
    }
}

fn half_day(m: &Moment, written: &str) -> String {
    let dotted = written.contains('.');
    let word = match (m.hour.rem_euclid(24) >= 12, dotted) {
        (true, true) => "P.M.",
        (true, false) => "PM",
        (false, true) => "A.M.",
        (false, false) => "AM",
    };
    in_case_of(word, written)
}

fn era(m: &Moment, written: &str) -> String {
    let word = match (m.year <= 0, written.contains('.')) {
        (true, true) => "B.C.",
        (true, false) => "BC",
        (false, true) => "A.D.",
        (false, false) => "AD",
    };
    in_case_of(word, written)
}

fn in_case_of(word: &str, written: &str) -> String {
    if written.starts_with(|c: char| c.is_ascii_lowercase()) {
        word.to_ascii_lowercase()
    } else {
        word.to_string()
    }
}

fn field(m: &Moment, name: &str, written: &str, fill: bool) -> String {
    let num = |value: i64, width: usize| padded(value, width, fill);
    let last = |value: i64, digits: u32| num(value % 10i64.pow(digits), digits as usize);
    let (iso_year, week) = iso_week(m.days);
    match name {
        "HH24" => num(m.hour, 2),
        "HH" | "HH12" => num(if m.hour % 12 == 0 { 12 } else { m.hour % 12 }, 2),
        "MI" => num(m.minute, 2),
        "SS" => num(m.second, 2),
        "MS" => format!("{:03}", m.micros / 1000),
        "US" => format!("{:06}", m.micros),
        "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
            let digits = usize::from(name.as_bytes()[2] - b'0');
            format!("{:06}", m.micros)[..digits].to_string()
        }
        "SSSS" | "SSSSS" => num(m.hour * 3600 + m.minute * 60 + m.second, 0),
        "AM" | "PM" | "A.M." | "P.M." => half_day(m, written),
        "AD" | "BC" | "A.D." | "B.C." => era(m, written),
        "YYYY" => num(m.shown_year(), 4),
        "Y,YYY" => {
            let y = m.shown_year();
            format!("{},{:03}", y / 1000, y % 1000)
        }
        "YYY" => last(m.shown_year(), 3),
        "YY" => last(m.shown_year(), 2),
        "Y" => last(m.shown_year(), 1),
        "IYYY" => num(iso_year.into(), 4),
        "IYY" => last(iso_year.into(), 3),
        "IY" => last(iso_year.into(), 2),
        "I" => last(iso_year.into(), 1),
        "CC" => num((m.shown_year() - 1).div_euclid(100) + 1, 2),
        "Q" if m.month == 0 => String::new(),
        "Q" => num((i64::from(m.month) - 1) / 3 + 1, 1),
        "MM" => num(m.month.into(), 2),
        "MONTH" if m.month == 0 => String::new(),
        "MONTH" => name_in_case(MONTHS[m.month as usize - 1], written, 9, fill),
        "MON" if m.month == 0 => String::new(),
        "MON" => name_in_case(&MONTHS[m.month as usize - 1][..3], written, 3, fill),
        "RM" => name_in_case(&roman_digits(m.month), written, 4, fill),
        "DAY" => name_in_case(WEEKDAYS[day_of_week(m.days) as usize], written, 9, fill),
        "DY" => name_in_case(
            &WEEKDAYS[day_of_week(m.days) as usize][..3],
            written,
            3,
            fill,
        ),
        "DDD" => num(if m.interval { m.day } else { m.of_year.into() }, 3),
        "DD" => num(m.day, 2),
        "D" => num(i64::from(day_of_week(m.days)) + 1, 1),
        "ID" => num((i64::from(day_of_week(m.days)) + 6) % 7 + 1, 1),
        "IDDD" => num(
            i64::from(week - 1) * 7 + (i64::from(day_of_week(m.days)) + 6) % 7 + 1,
            3,
        ),
        "WW" => num(i64::from(m.of_year - 1) / 7 + 1, 2),
        "IW" => num(week.into(), 2),
        "W" => num((m.day - 1) / 7 + 1, 1),
        "J" => num(julian_day(m.days).into(), 0),
        _ => zone_field(m, name, written),
    }
}

fn zone_field(m: &Moment, name: &str, written: &str) -> String {
    let Some((offset, abbreviation)) = &m.zone else {
        return String::new();
    };
    let sign = if *offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (
        offset.unsigned_abs() / 3600,
        offset.unsigned_abs() / 60 % 60,
    );
    match name {
        "TZ" => in_case_of(abbreviation, written),
        "TZH" => format!("{sign}{hours:02}"),
        "TZM" => format!("{minutes:02}"),
        _ if minutes != 0 => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}"),
    }
}
