//! to_date, to_timestamp and to_number: the way back from text.

use super::number::{Part, parse};
use super::template::{Piece, pieces};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::datetime::{
    MONTHS, UNIX_EPOCH_DAYS, WEEKDAYS, days_from_civil, days_in_month, is_leap_year, iso_week,
    timestamp_from_civil,
};
use pg_types::{Datum, Numeric, SqlError, SqlResult, SqlState};

/// Local microseconds, and seconds east of Greenwich when the text told them.
pub(super) struct Stamp {
    pub local: i64,
    pub offset: Option<i32>,
}

#[derive(Default)]
struct Fields {
    year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    of_year: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    half: Option<bool>,
    twelve: bool,
    minute: i64,
    second: i64,
    micros: i64,
    day_seconds: Option<i64>,
    bc: bool,
    zone_hours: Option<i64>,
    zone_minutes: i64,
}

fn invalid(value: &str, field: &str) -> SqlError {
    SqlError::new(
        SqlState::INVALID_DATETIME_FORMAT,
        format!("invalid value \"{value}\" for \"{field}\""),
    )
}

/// Reads a timestamp by a template. 22007 for text that does not fit, 22008 for fields out of range.
pub(super) fn timestamp(text: &str, template: &str) -> SqlResult<Stamp> {
    let pieces = pieces(template);
    let mut rest = text.trim_start();
    let mut f = Fields::default();
    for (i, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(c) if c.is_alphanumeric() => {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
            }
            // Separators match any separator, or nothing.
            Piece::Literal(_) => {
                let trimmed = rest.trim_start();
                rest = if trimmed.len() < rest.len() {
                    trimmed
                } else {
                    let sep = |c: char| c.is_ascii_punctuation() && !matches!(c, '-' | '+');
                    let minus = rest.starts_with('-') || rest.starts_with('+');
                    if rest.starts_with(sep) || minus {
                        &rest[1..]
                    } else {
                        rest
                    }
                };
            }
            Piece::Field {
                name,
                fill,
                ordinal,
                ..
            } => {
                rest = rest.trim_start();
                if rest.is_empty() {
                    break;
                }
                let next_is_digit = matches!(pieces.get(i + 1), Some(Piece::Field { .. }));
                rest = take_field(&mut f, name, rest, next_is_digit && !fill)?;
                if ordinal.is_some()
                    && rest.len() >= 2
                    && rest.as_bytes()[..2].iter().all(u8::is_ascii_alphabetic)
                {
                    rest = &rest[2..];
                }
            }
        }
    }
    finish(&f, text)
}

/// Digits of a field: at most `width` when another field follows directly.
fn digits<'a>(rest: &'a str, width: usize, exact: bool, field: &str) -> SqlResult<(i64, &'a str)> {
    let signed = usize::from(rest.starts_with(['-', '+']));
    let limit = if exact { width } else { usize::MAX };
    let len = rest[signed..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .take(limit)
        .count();
    if len == 0 {
        let shown: String = rest.chars().take(width).collect();
        return Err(invalid(&shown, field).with_detail("Value must be an integer."));
    }
    let end = signed + len;
    let value = rest[..end].parse::<i64>().map_err(|_| {
        SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("value for \"{field}\" in source string is out of range"),
        )
    })?;
    Ok((value, &rest[end..]))
}

/// The name at the start of a text, by its place in a list; full names before abbreviations.
fn named<'a>(rest: &'a str, names: &[&str], full: bool, field: &str) -> SqlResult<(i64, &'a str)> {
    for (i, name) in names.iter().enumerate() {
        let name = if full { *name } else { &name[..3] };
        if rest
            .get(..name.len())
            .is_some_and(|t| t.eq_ignore_ascii_case(name))
        {
            return Ok((i as i64, &rest[name.len()..]));
        }
    }
    let shown: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
    Err(invalid(&shown, field)
        .with_detail("The given value did not match any of the allowed values for this field."))
}

fn take_field<'a>(f: &mut Fields, name: &str, rest: &'a str, exact: bool) -> SqlResult<&'a str> {
    let number = |width: usize| digits(rest, width, exact, name);
    let mut tail = rest;
    let mut get = |width: usize| -> SqlResult<i64> {
        let (value, after) = number(width)?;
        tail = after;
        Ok(value)
    };
    match name {
        "HH24" => f.hour = get(2)?,
        "HH" | "HH12" => {
            f.twelve = true;
            f.hour = get(2)?;
        }
        "MI" => f.minute = get(2)?,
        "SS" => f.second = get(2)?,
        "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
            // Digits of a fraction: 5 is five tenths.
            let len = rest.bytes().take_while(u8::is_ascii_digit).take(6).count();
            get(6)?;
            let fraction = format!("{:0<6}", &rest[..len]);
            f.micros = fraction.parse().unwrap_or(0);
        }
        "SSSS" | "SSSSS" => f.day_seconds = Some(get(5)?),
        "YYYY" => f.year = Some(get(4)?),
        "Y,YYY" => {
            let (thousands, after) = digits(rest, 3, true, name)?;
            let (units, after) = digits(after.trim_start_matches(','), 3, true, name)?;
            f.year = Some(thousands * 1000 + units);
            return Ok(after);
        }
        "YYY" => f.year = Some(near_2000(get(3)?)),
        "YY" => f.year = Some(near_2000(get(2)?)),
        "Y" => f.year = Some(near_2000(get(1)?)),
        "IYYY" | "IYY" | "IY" | "I" => f.iso_year = Some(near_2000(get(name.len())?)),
        "IW" => f.iso_week = Some(get(2)?),
        "ID" => f.iso_day = Some(get(1)?),
        "MM" => f.month = Some(get(2)?),
        "DD" => f.day = Some(get(2)?),
        "DDD" => f.of_year = Some(get(3)?),
        "J" => f.julian = Some(get(7)?),
        "TZH" => f.zone_hours = Some(get(2)?),
        "TZM" => f.zone_minutes = get(2)?,
        "Q" | "W" | "WW" | "CC" | "D" | "IDDD" => {
            get(name.len())?;
        }
        "MONTH" | "MON" => {
            let (at, after) = named(rest, &MONTHS, name == "MONTH", name)?;
            f.month = Some(at + 1);
            return Ok(after);
        }
        "DAY" | "DY" => return Ok(named(rest, &WEEKDAYS, name == "DAY", name)?.1),
        "AM" | "PM" | "A.M." | "P.M." => {
            let len = name.len().min(rest.len());
            f.half = Some(rest.starts_with(['p', 'P']));
            return Ok(rest.get(len..).unwrap_or(""));
        }
        "AD" | "BC" | "A.D." | "B.C." => {
            f.bc = rest.starts_with(['b', 'B']);
            return Ok(rest.get(name.len()..).unwrap_or(""));
        }
        _ => {
            return Err(SqlError::unsupported(format!(
                "formatting field \"{name}\" in input"
            )));
        }
    }
    Ok(tail)
}

/// Short years are those nearest to 2020.
fn near_2000(year: i64) -> i64 {
    match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

fn finish(f: &Fields, text: &str) -> SqlResult<Stamp> {
    let out = || {
        SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{text}\""),
        )
    };
    let mut hour = f.hour;
    if f.twelve || f.half.is_some() {
        if !(1..=12).contains(&hour) && f.half.is_some() {
            return Err(SqlError::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("hour \"{hour}\" is invalid for the 12-hour clock"),
            )
            .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        hour = match f.half {
            Some(pm) => hour % 12 + if pm { 12 } else { 0 },
            None => hour,
        };
    }
    if !(0..24).contains(&hour) || !(0..60).contains(&f.minute) || !(0..60).contains(&f.second) {
        return Err(out());
    }
    let mut micros = (hour * 3600 + f.minute * 60 + f.second) * 1_000_000 + f.micros;
    if let Some(seconds) = f.day_seconds {
        micros = seconds * 1_000_000 + f.micros;
    }
    let days = day_number(f).ok_or_else(out)?;
    let offset = f
        .zone_hours
        .map(|h| (h * 3600 + f.zone_minutes * 60 * h.signum().max(-1)) as i32);
    Ok(Stamp {
        local: timestamp_from_civil(days, micros)?,
        offset,
    })
}

fn day_number(f: &Fields) -> Option<i32> {
    if let Some(julian) = f.julian {
        return i32::try_from(julian - 2_440_588 + i64::from(UNIX_EPOCH_DAYS)).ok();
    }
    if let Some(year) = f.iso_year {
        let year = i32::try_from(year).ok()?;
        // January 4th is always in week 1.
        let fourth = days_from_civil(year, 1, 4);
        let monday = fourth - (pg_types::datetime::day_of_week(fourth) as i32 + 6) % 7;
        let week = f.iso_week.unwrap_or(1);
        let day = f.iso_day.unwrap_or(1);
        let days = monday + i32::try_from((week - 1) * 7 + day - 1).ok()?;
        return (iso_week(days).0 == year).then_some(days);
    }
    // Without a year it is 1 BC, as the server has it.
    let year = match (f.year, f.bc) {
        (None | Some(0), _) => 0,
        (Some(y), true) => 1 - y,
        (Some(y), false) => y,
    };
    let year = i32::try_from(year)
        .ok()
        .filter(|y| (-4713..300_000).contains(y))?;
    if let Some(day) = f.of_year {
        let length = 365 + i64::from(is_leap_year(year));
        return (1..=length)
            .contains(&day)
            .then(|| days_from_civil(year, 1, 1) + day as i32 - 1);
    }
    let month = u32::try_from(f.month.unwrap_or(1))
        .ok()
        .filter(|m| (1..=12).contains(m))?;
    let day = u32::try_from(f.day.unwrap_or(1))
        .ok()
        .filter(|d| *d >= 1 && *d <= days_in_month(year, month))?;
    Some(days_from_civil(year, month, day))
}

/// `to_number`: digits and signs where the template has them.
pub(super) fn number(text: &str, template: &str) -> SqlResult<Datum> {
    let t = parse(template)?;
    let mut negative = text.contains('<') && t.parts.contains(&Part::Brackets);
    let (mut digits, mut scale, mut after_point) = (String::new(), 0u32, false);
    let chars: Vec<char> = text.chars().collect();
    let mut i = 0;
    for part in &t.parts {
        while chars.get(i).is_some_and(|c| c.is_whitespace()) {
            i += 1;
        }
        let Some(&c) = chars.get(i) else {
            break;
        };
        match part {
            Part::Digit(_) => {
                if matches!(c, '-' | '+' | '<') && digits.is_empty() {
                    negative |= c != '+';
                    i += 1;
                }
                // A point in the text ends the digits before it, whatever the template says.
                match chars.get(i) {
                    Some(d) if d.is_ascii_digit() => {
                        digits.push(*d);
                        scale += u32::from(after_point);
                        i += 1;
                    }
                    _ => {}
                }
            }
            Part::Point if c == '.' => {
                after_point = true;
                i += 1;
            }
            Part::Group if c == ',' => i += 1,
            Part::Sign | Part::Minus | Part::Plus | Part::EitherSign if matches!(c, '-' | '+') => {
                negative |= c == '-';
                i += 1;
            }
            Part::Currency if !c.is_ascii_digit() && !matches!(c, '-' | '+') => i += 1,
            Part::Literal(_) => i += 1,
            _ => {}
        }
    }
    if chars[i.min(chars.len())..].contains(&'-') && t.parts.contains(&Part::Sign) {
        negative = true;
    }
    if digits.is_empty() {
        return Err(SqlError::invalid_text("numeric", " "));
    }
    let value = Numeric::parse(&format!(
        "{}{digits}e-{scale}",
        if negative { "-" } else { "" }
    ))?;
    Ok(Datum::Numeric(value))
}
