//! Intervals from text: `1 year 2 mons`, `1-2 3 4:05:06`, `P1Y2M3DT4H5M6S`, `@ 1 hour ago`.

use super::lex::{Token, tokens};
use crate::datum::Interval;
use crate::error::{SqlError, SqlResult};
use crate::sqlstate::SqlState;
use alloc::format;
use alloc::vec::Vec;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Syntax,
    Range,
}

type Outcome<T> = Result<T, Trouble>;

/// Reads an interval. `typmod` names the fields (`INTERVAL '1' DAY`), which tell what a
/// number without a unit counts; -1 for none.
pub fn parse_interval(text: &str, typmod: i32) -> SqlResult<Interval> {
    let trimmed = text.trim();
    let parsed = match trimmed.strip_prefix(['P', 'p']) {
        Some(iso) => parse_iso(iso),
        None => parse_words(trimmed, typmod),
    };
    let value = parsed.map_err(|t| match t {
        Trouble::Syntax => SqlError::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type interval: \"{text}\""),
        ),
        Trouble::Range => SqlError::new(
            SqlState::INTERVAL_FIELD_OVERFLOW,
            format!("interval field value out of range: \"{text}\""),
        ),
    })?;
    Ok(if typmod >= 0 {
        crate::typmod::fit_interval(value, typmod)
    } else {
        value
    })
}

/// A unit: how many months, days or microseconds one of it is.
#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Days(i64),
    Micros(i64),
}

fn unit_of(word: &str) -> Option<Unit> {
    Some(match word {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds"
        | "microsecon" => Unit::Micros(1),
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds"
        | "millisecon" => Unit::Micros(1000),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(SECOND),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(MINUTE),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(HOUR),
        "d" | "day" | "days" => Unit::Days(1),
        "w" | "week" | "weeks" => Unit::Days(7),
        "mon" | "mons" | "month" | "months" => Unit::Months(1),
        "qtr" | "quarter" => Unit::Months(3),
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Months(12),
        "dec" | "decs" | "decade" | "decades" => Unit::Months(120),
        "c" | "cent" | "century" | "centuries" => Unit::Months(1200),
        "mil" | "mils" | "millennia" | "millennium" => Unit::Months(12_000),
        _ => return None,
    })
}

/// What a bare number counts under a typmod's fields.
fn default_unit(typmod: i32) -> Unit {
    if typmod < 0 {
        return Unit::Micros(SECOND);
    }
    match (typmod >> 16) & 0x7fff {
        0x0004 => Unit::Months(12),
        0x0002 | 0x0006 => Unit::Months(1),
        0x0008 => Unit::Days(1),
        0x0400 | 0x0408 => Unit::Micros(HOUR),
        0x0800 | 0x0c08 | 0x0c00 => Unit::Micros(MINUTE),
        _ => Unit::Micros(SECOND),
    }
}

/// A number with its fraction apart, so that whole units stay exact.
#[derive(Clone, Copy)]
struct Quantity {
    whole: i64,
    fraction: f64,
}

fn quantity(text: &str) -> Outcome<Quantity> {
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || body.is_empty() || body == "." {
        return Err(Trouble::Syntax);
    }
    let sign = if negative { -1 } else { 1 };
    let whole: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| Trouble::Range)?
    };
    let fraction: f64 = match fraction {
        "" => 0.0,
        f => format!("0.{f}").parse().map_err(|_| Trouble::Syntax)?,
    };
    Ok(Quantity {
        whole: sign * whole,
        fraction: sign as f64 * fraction,
    })
}

/// Sums in 64 bits until the end.
#[derive(Default)]
struct Sum {
    months: i64,
    days: i64,
    micros: i64,
}

impl Sum {
    fn add(&mut self, q: Quantity, unit: Unit) -> Outcome<()> {
        let times = |a: i64, b: i64| a.checked_mul(b).ok_or(Trouble::Range);
        match unit {
            Unit::Micros(size) => {
                self.put_micros(times(q.whole, size)?)?;
                self.put_micros(libm::rint(q.fraction * size as f64) as i64)
            }
            Unit::Days(size) => {
                self.days = self
                    .days
                    .checked_add(times(q.whole, size)?)
                    .ok_or(Trouble::Range)?;
                let days = q.fraction * size as f64;
                let whole = libm::trunc(days);
                self.days += whole as i64;
                self.put_micros(libm::rint((days - whole) * DAY as f64) as i64)
            }
            Unit::Months(1) => {
                self.months = self.months.checked_add(q.whole).ok_or(Trouble::Range)?;
                // A month has 30 days here.
                let days = q.fraction * 30.0;
                let whole = libm::trunc(days);
                self.days += whole as i64;
                self.put_micros(libm::rint((days - whole) * DAY as f64) as i64)
            }
            Unit::Months(size) => {
                self.months = self
                    .months
                    .checked_add(times(q.whole, size)?)
                    .ok_or(Trouble::Range)?;
                // Fractions of years and above are rounded to months.
                self.months += libm::rint(q.fraction * size as f64) as i64;
                Ok(())
            }
        }
    }

    fn put_micros(&mut self, micros: i64) -> Outcome<()> {
        self.micros = self.micros.checked_add(micros).ok_or(Trouble::Range)?;
        Ok(())
    }

    fn finish(self, ago: bool) -> Outcome<Interval> {
        let sign = if ago { -1 } else { 1 };
        Ok(Interval {
            months: i32::try_from(sign * self.months).map_err(|_| Trouble::Range)?,
            days: i32::try_from(sign * self.days).map_err(|_| Trouble::Range)?,
            micros: self.micros.checked_mul(sign).ok_or(Trouble::Range)?,
        })
    }
}

/// `[-]h:m[:s]`, or `m:s.f`, as microseconds.
fn clock(text: &str, typmod: i32) -> Outcome<i64> {
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let parts: Vec<&str> = body.split(':').collect();
    let whole = |s: &str| s.parse::<i64>().map_err(|_| Trouble::Syntax);
    let minutes_first = typmod >= 0 && (typmod >> 16) & 0x7fff == 0x1800;
    let (h, m, s) = match parts[..] {
        [m, s] if s.contains('.') || minutes_first => (0, whole(m)?, quantity(s)?),
        [h, m] => (
            whole(h)?,
            whole(m)?,
            Quantity {
                whole: 0,
                fraction: 0.0,
            },
        ),
        [h, m, s] => (whole(h)?, whole(m)?, quantity(s)?),
        _ => return Err(Trouble::Syntax),
    };
    if m > 59 || s.whole > 60 {
        return Err(Trouble::Range);
    }
    let micros = h
        .checked_mul(HOUR)
        .and_then(|t| t.checked_add(m * MINUTE + s.whole * SECOND))
        .and_then(|t| t.checked_add(libm::rint(s.fraction * 1e6) as i64))
        .ok_or(Trouble::Range)?;
    Ok(if negative { -micros } else { micros })
}

/// `1-2` as 14 months.
fn year_month(text: &str) -> Outcome<i64> {
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (years, months) = body.split_once('-').ok_or(Trouble::Syntax)?;
    let years: i64 = years.parse().map_err(|_| Trouble::Syntax)?;
    let months: i64 = months.parse().map_err(|_| Trouble::Syntax)?;
    if months > 11 {
        return Err(Trouble::Range);
    }
    let total = years
        .checked_mul(12)
        .and_then(|y| y.checked_add(months))
        .ok_or(Trouble::Range)?;
    Ok(if negative { -total } else { total })
}

fn parse_words(text: &str, typmod: i32) -> Outcome<Interval> {
    let mut tokens = tokens(text).ok_or(Trouble::Syntax)?;
    let ago = tokens.last() == Some(&Token::Word("ago".into()));
    if ago {
        tokens.pop();
    }
    if tokens.is_empty() {
        return Err(Trouble::Syntax);
    }
    let mut sum = Sum::default();
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Time(body) => sum.put_micros(clock(body, typmod)?)?,
            Token::Signed(body) if body.contains(':') => sum.put_micros(clock(body, typmod)?)?,
            Token::Signed(body) if body[1..].contains('-') => sum.months += year_month(body)?,
            Token::Date(body) => sum.months += year_month(body)?,
            Token::Number(body) | Token::Signed(body) => {
                let value = quantity(body)?;
                let unit = match tokens.get(i + 1) {
                    Some(Token::Word(word)) => {
                        i += 1;
                        unit_of(word).ok_or(Trouble::Syntax)?
                    }
                    // `3 4:05:06`: days before a time of day.
                    Some(Token::Time(_)) => Unit::Days(1),
                    Some(Token::Signed(next)) if next.contains(':') => Unit::Days(1),
                    None => default_unit(typmod),
                    Some(_) => return Err(Trouble::Syntax),
                };
                sum.add(value, unit)?;
            }
            Token::Word(_) | Token::SignedWord(..) | Token::ZoneName(_) => {
                return Err(Trouble::Syntax);
            }
        }
        i += 1;
    }
    sum.finish(ago)
}

/// ISO 8601 after the `P`: designators, or `0001-02-03T04:05:06`.
fn parse_iso(text: &str) -> Outcome<Interval> {
    let (date, time) = match text.find(['T', 't']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut sum = Sum::default();
    if date.trim_start_matches('-').contains('-') && !date.bytes().any(|b| b.is_ascii_alphabetic())
    {
        let parts: Vec<&str> = date.splitn(3, '-').collect();
        for (part, unit) in parts
            .iter()
            .zip([Unit::Months(12), Unit::Months(1), Unit::Days(1)])
        {
            sum.add(quantity(part)?, unit)?;
        }
    } else {
        designators(date, &mut sum, |d| {
            Some(match d {
                'y' => Unit::Months(12),
                'm' => Unit::Months(1),
                'w' => Unit::Days(7),
                'd' => Unit::Days(1),
                _ => return None,
            })
        })?;
    }
    match time {
        None if date.is_empty() => return Err(Trouble::Syntax),
        None => {}
        Some("") => return Err(Trouble::Syntax),
        Some(time) if time.contains(':') => sum.put_micros(clock(time, -1)?)?,
        Some(time) => designators(time, &mut sum, |d| {
            Some(match d {
                'h' => Unit::Micros(HOUR),
                'm' => Unit::Micros(MINUTE),
                's' => Unit::Micros(SECOND),
                _ => return None,
            })
        })?,
    }
    sum.finish(false)
}

fn designators(text: &str, sum: &mut Sum, unit: impl Fn(char) -> Option<Unit>) -> Outcome<()> {
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest
            .find(|c: char| c.is_ascii_alphabetic())
            .ok_or(Trouble::Syntax)?;
        let designator = char::from(rest.as_bytes()[at].to_ascii_lowercase());
        sum.add(
            quantity(&rest[..at])?,
            unit(designator).ok_or(Trouble::Syntax)?,
        )?;
        rest = &rest[at + 1..];
    }
    Ok(())
}
