//! Arithmetic of dates, timestamps and intervals behind the SQL operators.

use super::calendar::{
    DAY_MICROS, civil_from_days, civil_from_timestamp, days_from_civil, days_in_month, in_range,
    is_infinite, out_of_range,
};
use super::zone::TimeZone;
use crate::datum::Interval;
use crate::error::{SqlError, SqlResult};
use crate::sqlstate::SqlState;

fn interval_out_of_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

fn checked(ts: Option<i64>) -> SqlResult<i64> {
    ts.filter(|t| in_range(*t)).ok_or_else(out_of_range)
}

/// Adds months and days to a local timestamp; the day is cut to the month's length.
fn add_months_days(local: i64, i: &Interval) -> SqlResult<i64> {
    let mut days = local.div_euclid(DAY_MICROS) as i32;
    let time = local.rem_euclid(DAY_MICROS);
    if i.months != 0 {
        let (year, month, day) = civil_from_days(days);
        let total = i64::from(year) * 12 + i64::from(month) - 1 + i64::from(i.months);
        let year = i32::try_from(total.div_euclid(12)).map_err(|_| out_of_range())?;
        if !(-4800..300_000).contains(&year) {
            return Err(out_of_range());
        }
        let month = total.rem_euclid(12) as u32 + 1;
        days = days_from_civil(year, month, day.min(days_in_month(year, month)));
    }
    let days = i64::from(days) + i64::from(i.days);
    checked(
        days.checked_mul(DAY_MICROS)
            .and_then(|d| d.checked_add(time)),
    )
}

/// `timestamp + interval`: months first, then days, then the rest.
pub fn add_interval(ts: i64, i: &Interval) -> SqlResult<i64> {
    if is_infinite(ts) {
        return Ok(ts);
    }
    checked(add_months_days(ts, i)?.checked_add(i.micros))
}

/// `timestamptz + interval`: months and days count in local time.
pub fn timestamptz_add_interval(ts: i64, i: &Interval, zone: &TimeZone) -> SqlResult<i64> {
    if is_infinite(ts) {
        return Ok(ts);
    }
    let moved = if i.months != 0 || i.days != 0 {
        zone.to_utc(add_months_days(zone.to_local(ts), i)?)
    } else {
        ts
    };
    checked(moved.checked_add(i.micros))
}

/// `timestamp - timestamp`: days and time, no months.
pub fn timestamp_diff(a: i64, b: i64) -> SqlResult<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let micros = a.checked_sub(b).ok_or_else(interval_out_of_range)?;
    justify_hours(&Interval {
        months: 0,
        days: 0,
        micros,
    })
}

/// `age(a, b)`: the difference in years, months, days and time as people count it.
pub fn age(a: i64, b: i64) -> SqlResult<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(out_of_range());
    }
    let (x, y, negative) = if a >= b { (a, b, false) } else { (b, a, true) };
    let (c, d) = (civil_from_timestamp(x), civil_from_timestamp(y));
    let mut micros = x.rem_euclid(DAY_MICROS) - y.rem_euclid(DAY_MICROS);
    let mut days = c.day as i32 - d.day as i32;
    let mut months = (c.year - d.year) * 12 + c.month as i32 - d.month as i32;
    if micros < 0 {
        micros += DAY_MICROS;
        days -= 1;
    }
    if days < 0 {
        // PostgreSQL borrows the length of the earlier date's month when counting
        // forwards, of the later one's when counting backwards.
        let from = if negative {
            (c.year, c.month)
        } else {
            (d.year, d.month)
        };
        days += days_in_month(from.0, from.1) as i32;
        months -= 1;
    }
    let span = Interval {
        months,
        days,
        micros,
    };
    if negative {
        interval_neg(&span)
    } else {
        Ok(span)
    }
}

/// `-i`.
pub fn interval_neg(i: &Interval) -> SqlResult<Interval> {
    let neg = || {
        Some(Interval {
            months: i.months.checked_neg()?,
            days: i.days.checked_neg()?,
            micros: i.micros.checked_neg()?,
        })
    };
    neg().ok_or_else(interval_out_of_range)
}

/// `a + b`, part by part.
pub fn interval_add(a: &Interval, b: &Interval) -> SqlResult<Interval> {
    let add = || {
        Some(Interval {
            months: a.months.checked_add(b.months)?,
            days: a.days.checked_add(b.days)?,
            micros: a.micros.checked_add(b.micros)?,
        })
    };
    add().ok_or_else(interval_out_of_range)
}

/// `a - b`, part by part.
pub fn interval_sub(a: &Interval, b: &Interval) -> SqlResult<Interval> {
    let sub = || {
        Some(Interval {
            months: a.months.checked_sub(b.months)?,
            days: a.days.checked_sub(b.days)?,
            micros: a.micros.checked_sub(b.micros)?,
        })
    };
    sub().ok_or_else(interval_out_of_range)
}

/// Rounds to whole microseconds as seen in seconds, against representation noise.
fn ts_round(v: f64) -> f64 {
    libm::rint(v * 1e6) / 1e6
}

/// `i * factor`: fractions of months spill into days, of days into time.
pub fn interval_mul(i: &Interval, factor: f64) -> SqlResult<Interval> {
    spill(i, |v| v * factor)
}

/// `i / divisor`; 22012 for zero.
pub fn interval_div(i: &Interval, divisor: f64) -> SqlResult<Interval> {
    if divisor == 0.0 {
        return Err(SqlError::division_by_zero());
    }
    spill(i, |v| v / divisor)
}

fn spill(i: &Interval, scale: impl Fn(f64) -> f64) -> SqlResult<Interval> {
    let fits = |v: f64| !v.is_nan() && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&v);
    let months = scale(f64::from(i.months));
    let days = scale(f64::from(i.days));
    if !fits(months) || !fits(days) {
        return Err(interval_out_of_range());
    }
    let (whole_months, mut whole_days) = (months as i32, days as i32);
    // The fraction of a month in days, rounded to microseconds of seconds before it is split again.
    let month_days = ts_round((months - f64::from(whole_months)) * 30.0);
    let mut seconds = ts_round(
        (days - f64::from(whole_days) + month_days - f64::from(month_days as i32)) * 86_400.0,
    );
    if seconds.abs() >= 86_400.0 {
        whole_days = whole_days
            .checked_add((seconds / 86_400.0) as i32)
            .ok_or_else(interval_out_of_range)?;
        seconds -= f64::from((seconds / 86_400.0) as i32) * 86_400.0;
    }
    whole_days = whole_days
        .checked_add(month_days as i32)
        .ok_or_else(interval_out_of_range)?;
    let micros = libm::rint(scale(i.micros as f64) + seconds * 1e6);
    if micros.is_nan() || micros.abs() >= 9.223_372_036_854_775e18 {
        return Err(interval_out_of_range());
    }
    Ok(Interval {
        months: whole_months,
        days: whole_days,
        micros: micros as i64,
    })
}

/// 24 hours become a day; signs are made to agree.
pub fn justify_hours(i: &Interval) -> SqlResult<Interval> {
    let whole = i.micros / DAY_MICROS;
    let mut micros = i.micros % DAY_MICROS;
    let mut days = i32::try_from(i64::from(i.days) + whole).map_err(|_| interval_out_of_range())?;
    if days > 0 && micros < 0 {
        micros += DAY_MICROS;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= DAY_MICROS;
        days += 1;
    }
    Ok(Interval {
        months: i.months,
        days,
        micros,
    })
}

/// 30 days become a month; signs are made to agree.
pub fn justify_days(i: &Interval) -> SqlResult<Interval> {
    let mut months = i
        .months
        .checked_add(i.days / 30)
        .ok_or_else(interval_out_of_range)?;
    let mut days = i.days % 30;
    if months > 0 && days < 0 {
        days += 30;
        months -= 1;
    } else if months < 0 && days > 0 {
        days -= 30;
        months += 1;
    }
    Ok(Interval {
        months,
        days,
        micros: i.micros,
    })
}

/// Both, and all three signs agree.
pub fn justify_interval(i: &Interval) -> SqlResult<Interval> {
    let whole = i.micros / DAY_MICROS;
    let mut micros = i.micros % DAY_MICROS;
    let total = i64::from(i.days) + whole;
    let mut months =
        i32::try_from(i64::from(i.months) + total / 30).map_err(|_| interval_out_of_range())?;
    let mut days = (total % 30) as i32;
    if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
        days += 30;
        months -= 1;
    } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
        days -= 30;
        months += 1;
    }
    if days > 0 && micros < 0 {
        micros += DAY_MICROS;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= DAY_MICROS;
        days += 1;
    }
    Ok(Interval {
        months,
        days,
        micros,
    })
}

/// The interval of a count of seconds.
pub fn interval_from_f64_seconds(seconds: f64) -> SqlResult<Interval> {
    let micros = libm::rint(seconds * 1e6);
    if micros.is_nan() || micros.abs() >= 9.223_372_036_854_775e18 {
        return Err(interval_out_of_range());
    }
    Ok(Interval {
        months: 0,
        days: 0,
        micros: micros as i64,
    })
}

/// Rounds microseconds to `precision` (0 to 6) digits of a second, half away from zero.
pub fn round_micros(micros: i64, precision: i32) -> i64 {
    if !(0..6).contains(&precision) || is_infinite(micros) {
        return micros;
    }
    let unit = 10i64.pow(6 - precision as u32);
    let half = unit / 2;
    if micros >= 0 {
        micros.saturating_add(half) / unit * unit
    } else {
        -((-micros).saturating_add(half) / unit * unit)
    }
}

/// The same for a time of day.
pub fn round_time(micros: i64, precision: i32) -> i64 {
    round_micros(micros, precision)
}
