//! Fields of dates: extract, date_part, date_trunc, and making dates from fields.

use super::args::{arg, date, float, int4, interval, micros, text};
use super::dates::{date_to_ts, local, named_zone, utc};
use crate::context::Call;
use crate::function::{Function, f};
use alloc::string::String;
use pg_types::datetime::{
    Civil, DAY_MICROS, TS_INFINITY, TS_NEG_INFINITY, UNIX_EPOCH_DAYS, civil_from_timestamp,
    day_of_week, days_from_civil, days_in_month, interval_from_f64_seconds, iso_week, julian_day,
    timestamp_from_civil,
};
use pg_types::oid::*;
use pg_types::{Datum, Interval, Numeric, SqlError, SqlResult, SqlState, format_type};

/// A field's value with its scale: the seconds fields are exact to microseconds.
type Field = (i128, u16);

fn whole(v: i64) -> Option<Field> {
    Some((i128::from(v), 0))
}

fn unknown_unit(unit: &str, ty: Oid) -> SqlError {
    SqlError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        alloc::format!(
            "unit \"{unit}\" not recognized for type {}",
            format_type(ty, -1)
        ),
    )
}

fn unsupported_unit(unit: &str, ty: Oid) -> SqlError {
    SqlError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        alloc::format!(
            "unit \"{unit}\" not supported for type {}",
            format_type(ty, -1)
        ),
    )
}

/// Names of units and their abbreviations, as one word each.
fn unit_name(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    Some(match lower.as_str() {
        "c" | "cent" | "century" | "centuries" => "century",
        "d" | "day" | "days" => "day",
        "dec" | "decs" | "decade" | "decades" => "decade",
        "dow" => "dow",
        "doy" => "doy",
        "epoch" => "epoch",
        "h" | "hr" | "hrs" | "hour" | "hours" => "hour",
        "isodow" => "isodow",
        "isoyear" => "isoyear",
        "j" | "jd" | "julian" => "julian",
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds"
        | "microsecon" => "microseconds",
        "mil" | "mils" | "millennia" | "millennium" => "millennium",
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds"
        | "millisecon" => "milliseconds",
        "m" | "min" | "mins" | "minute" | "minutes" => "minute",
        "mon" | "mons" | "month" | "months" => "month",
        "qtr" | "quarter" => "quarter",
        "s" | "sec" | "secs" | "second" | "seconds" => "second",
        "timezone" | "tz" => "timezone",
        "timezone_h" | "timezone_hour" => "timezone_hour",
        "timezone_m" | "timezone_minute" => "timezone_minute",
        "w" | "week" | "weeks" => "week",
        "y" | "yr" | "yrs" | "year" | "years" => "year",
        _ => return None,
    })
}

/// A year as people count: 0 becomes 1 BC.
fn shown(year: i32) -> i64 {
    i64::from(if year > 0 { year } else { year - 1 })
}

fn century(year: i32) -> i64 {
    let y = i64::from(year);
    if y > 0 {
        (y + 99) / 100
    } else {
        -((99 - (y - 1)) / 100)
    }
}

fn millennium(year: i32) -> i64 {
    let y = i64::from(year);
    if y > 0 {
        (y + 999) / 1000
    } else {
        -((999 - (y - 1)) / 1000)
    }
}

/// A field of a local timestamp; none when the unit does not apply.
fn timestamp_field(unit: &str, ts: i64) -> Option<Field> {
    let days = ts.div_euclid(DAY_MICROS) as i32;
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        micros,
    } = civil_from_timestamp(ts);
    match unit {
        "julian" => {
            // As numeric division shows it: 20 decimals for a fraction of a day.
            let part = Numeric::from(ts.rem_euclid(DAY_MICROS))
                .div(&Numeric::from(DAY_MICROS))
                .ok()?;
            let (coef, scale) = part.add(&Numeric::from(julian_day(days))).ok()?.to_big()?;
            Some((i128::try_from(coef).ok()?, scale))
        }
        "year" => whole(shown(year)),
        "isoyear" => whole(shown(iso_week(days).0)),
        "month" => whole(month.into()),
        "day" => whole(day.into()),
        "quarter" => whole((i64::from(month) - 1) / 3 + 1),
        "week" => whole(iso_week(days).1.into()),
        "dow" => whole(day_of_week(days).into()),
        "isodow" => whole(match day_of_week(days) {
            0 => 7,
            d => d.into(),
        }),
        "doy" => whole((days - days_from_civil(year, 1, 1) + 1).into()),
        "decade" => whole(i64::from(year).div_euclid(10)),
        "century" => whole(century(year)),
        "millennium" => whole(millennium(year)),
        "epoch" => Some((
            i128::from(ts) - i128::from(UNIX_EPOCH_DAYS) * i128::from(DAY_MICROS),
            6,
        )),
        _ => clock_field(
            unit,
            hour.into(),
            minute.into(),
            i64::from(second) * 1_000_000 + i64::from(micros),
        ),
    }
}

/// A field of a time of day; `second` in microseconds.
fn clock_field(unit: &str, hour: i64, minute: i64, second: i64) -> Option<Field> {
    match unit {
        "hour" => whole(hour),
        "minute" => whole(minute),
        "second" => Some((second.into(), 6)),
        "milliseconds" => Some((second.into(), 3)),
        "microseconds" => whole(second),
        _ => None,
    }
}

fn interval_field(unit: &str, i: &Interval) -> Option<Field> {
    let (years, months) = (i64::from(i.months / 12), i64::from(i.months % 12));
    match unit {
        "year" => whole(years),
        "month" => whole(months),
        "quarter" => whole(months / 3 + 1),
        "day" => whole(i.days.into()),
        "decade" => whole(years / 10),
        "century" => whole(years / 100),
        "millennium" => whole(years / 1000),
        "epoch" => {
            // A year is 365.25 days here, a month of the rest 30.
            let days = i128::from(years) * 1461 + i128::from(months * 30 + i64::from(i.days)) * 4;
            Some((
                days * (i128::from(DAY_MICROS) / 4) + i128::from(i.micros),
                6,
            ))
        }
        _ => {
            let (hour, rest) = (i.micros / 3_600_000_000, i.micros % 3_600_000_000);
            clock_field(unit, hour, rest / 60_000_000, rest % 60_000_000)
        }
    }
}

/// Fields of an infinite timestamp: those that grow are infinite, those that turn are NULL.
fn infinite_field(unit: &str, ts: i64) -> Option<Numeric> {
    matches!(
        unit,
        "year" | "decade" | "century" | "millennium" | "julian" | "isoyear" | "epoch"
    )
    .then(|| {
        if ts == TS_INFINITY {
            Numeric::INFINITY
        } else {
            Numeric::NEG_INFINITY
        }
    })
}

/// The field named by the first argument of the value in the second; none for NULL.
fn field(args: &[Datum], call: &Call<'_>) -> SqlResult<Option<Numeric>> {
    let name = text(args, 0)?;
    let value = arg(args, 1);
    let ty = value.natural_type();
    let unit = unit_name(name).ok_or_else(|| unknown_unit(name, ty))?;
    let ts = match value {
        Datum::Date(_) => Some(date_to_ts(date(args, 1)?)?),
        Datum::Timestamp(t) => Some(*t),
        Datum::TimestampTz(t) => Some(local(*t, &call.ctx.format().time_zone)),
        _ => None,
    };
    if let Some(ts) = ts.filter(|t| *t == TS_INFINITY || *t == TS_NEG_INFINITY) {
        return Ok(infinite_field(unit, ts));
    }
    let found = match (value, unit) {
        (Datum::TimestampTz(t), "epoch") => timestamp_field("epoch", *t),
        (Datum::TimestampTz(t), "timezone" | "timezone_hour" | "timezone_minute") => {
            let offset = i64::from(call.ctx.format().time_zone.offset_at(*t));
            whole(match unit {
                "timezone" => offset,
                "timezone_hour" => offset / 3600,
                _ => offset / 60 % 60,
            })
        }
        (Datum::Date(_), "hour" | "minute" | "second" | "milliseconds" | "microseconds") => None,
        (Datum::Date(d), "julian") => whole(julian_day(*d).into()),
        // A date's epoch is whole seconds.
        (Datum::Date(d), "epoch") => whole((i64::from(*d) - i64::from(UNIX_EPOCH_DAYS)) * 86_400),
        (Datum::Time(t), "epoch") => Some((i128::from(*t), 6)),
        (Datum::Time(t), _) => {
            clock_field(unit, t / 3_600_000_000, t / 60_000_000 % 60, t % 60_000_000)
        }
        (Datum::Interval(i), _) => interval_field(unit, i),
        _ => ts.and_then(|ts| timestamp_field(unit, ts)),
    };
    let (coef, scale) = found.ok_or_else(|| unsupported_unit(name, ty))?;
    Ok(Some(Numeric::from_i128(coef, scale)))
}

fn extract(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(field(args, call)?.into())
}

fn date_part(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(field(args, call)?.map(|n| n.to_f64()).into())
}

/// Cuts a local timestamp to a unit; none when the unit does not apply.
fn truncate(unit: &str, ts: i64) -> Option<i64> {
    let c = civil_from_timestamp(ts);
    let days = ts.div_euclid(DAY_MICROS) as i32;
    let time = ts.rem_euclid(DAY_MICROS);
    let start = |year: i32, month: u32| i64::from(days_from_civil(year, month, 1)) * DAY_MICROS;
    let step = |size: i64| ts - time.rem_euclid(size);
    Some(match unit {
        "microseconds" => ts,
        "milliseconds" => step(1000),
        "second" => step(1_000_000),
        "minute" => step(60_000_000),
        "hour" => step(3_600_000_000),
        "day" => ts - time,
        "week" => {
            let monday = (day_of_week(days) + 6) % 7;
            i64::from(days - monday as i32) * DAY_MICROS
        }
        "month" => start(c.year, c.month),
        "quarter" => start(c.year, (c.month - 1) / 3 * 3 + 1),
        "year" => start(c.year, 1),
        "decade" => start(c.year.div_euclid(10) * 10, 1),
        // Centuries start with the year 1.
        "century" => start((c.year - 1).div_euclid(100) * 100 + 1, 1),
        "millennium" => start((c.year - 1).div_euclid(1000) * 1000 + 1, 1),
        _ => return None,
    })
}

fn trunc_timestamp(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let name = text(args, 0)?;
    let value = arg(args, 1);
    let ty = value.natural_type();
    let unit = unit_name(name).ok_or_else(|| unknown_unit(name, ty))?;
    let zone = match args.get(2) {
        Some(Datum::Text(z)) => named_zone(z)?,
        _ => call.ctx.format().time_zone.clone(),
    };
    let ts = micros(args, 1)?;
    if ts == TS_INFINITY || ts == TS_NEG_INFINITY {
        return Ok(value.clone());
    }
    let cut = |ts: i64| truncate(unit, ts).ok_or_else(|| unsupported_unit(name, ty));
    Ok(match value {
        Datum::TimestampTz(t) => Datum::TimestampTz(utc(cut(local(*t, &zone))?, &zone)),
        _ => Datum::Timestamp(cut(ts)?),
    })
}

fn trunc_interval(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let name = text(args, 0)?;
    let unit = unit_name(name).ok_or_else(|| unknown_unit(name, INTERVAL))?;
    let i = interval(args, 1)?;
    let months = |size: i32| Interval {
        months: i.months / size * size,
        days: 0,
        micros: 0,
    };
    let time = |size: i64| Interval {
        micros: i.micros / size * size,
        ..*i
    };
    Ok(Datum::Interval(match unit {
        "microseconds" => *i,
        "milliseconds" => time(1000),
        "second" => time(1_000_000),
        "minute" => time(60_000_000),
        "hour" => time(3_600_000_000),
        "day" => Interval { micros: 0, ..*i },
        "month" => months(1),
        "quarter" => months(3),
        "year" => months(12),
        "decade" => months(120),
        "century" => months(1200),
        "millennium" => months(12_000),
        "week" => {
            return Err(unsupported_unit(name, INTERVAL)
                .with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(unsupported_unit(name, INTERVAL)),
    }))
}

fn make_days(args: &[Datum]) -> SqlResult<i32> {
    let (year, month, day) = (int4(args, 0)?, int4(args, 1)?, int4(args, 2)?);
    let bad = || {
        SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            alloc::format!("date field value out of range: {year}-{month:02}-{day:02}"),
        )
    };
    // Negative years are BC.
    let astronomical = if year < 0 { year + 1 } else { year };
    let m = u32::try_from(month)
        .ok()
        .filter(|m| (1..=12).contains(m))
        .ok_or_else(bad)?;
    let d = u32::try_from(day)
        .ok()
        .filter(|d| *d >= 1 && *d <= days_in_month(astronomical, m))
        .ok_or_else(bad)?;
    if year == 0 || !(-4713..=5_874_897).contains(&astronomical) {
        return Err(bad());
    }
    Ok(days_from_civil(astronomical, m, d))
}

fn make_clock(args: &[Datum], at: usize) -> SqlResult<i64> {
    let (hour, minute, second) = (int4(args, at)?, int4(args, at + 1)?, float(args, at + 2)?);
    let micros = libm::rint(second * 1e6);
    let end_of_day = hour == 24 && minute == 0 && micros == 0.0;
    if !((0..24).contains(&hour) || end_of_day)
        || !(0..60).contains(&minute)
        || !(0.0..=60e6).contains(&micros)
    {
        let text = alloc::format!(
            "time field value out of range: {hour}:{minute:02}:{}",
            padded(second)
        );
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, text));
    }
    Ok((i64::from(hour) * 60 + i64::from(minute)) * 60_000_000 + micros as i64)
}

fn padded(second: f64) -> String {
    let text = alloc::format!("{second}");
    if text.split('.').next().is_some_and(|w| w.len() < 2) {
        alloc::format!("0{text}")
    } else {
        text
    }
}

fn make_date(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Date(make_days(args)?))
}

fn make_time(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Time(make_clock(args, 0)?))
}

fn make_timestamp(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(timestamp_from_civil(
        make_days(args)?,
        make_clock(args, 3)?,
    )?))
}

fn make_timestamptz(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let stamp = timestamp_from_civil(make_days(args)?, make_clock(args, 3)?)?;
    Ok(Datum::TimestampTz(match args.get(6) {
        Some(Datum::Text(z)) => utc(stamp, &named_zone(z)?),
        _ => utc(stamp, &call.ctx.format().time_zone),
    }))
}

/// `make_interval(years, months, weeks, days, hours, mins, secs)`; what is not given is 0.
fn make_interval(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let part = |i: usize| {
        args.get(i).map_or(Ok(0), |d| {
            d.as_i64()
                .ok_or_else(|| SqlError::internal("not an integer"))
        })
    };
    let out = || SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range");
    let seconds = if args.len() > 6 { float(args, 6)? } else { 0.0 };
    let base = interval_from_f64_seconds(seconds)?;
    let clock = part(4)? * 3_600_000_000 + part(5)? * 60_000_000;
    Ok(Datum::Interval(Interval {
        months: i32::try_from(part(0)? * 12 + part(1)?).map_err(|_| out())?,
        days: i32::try_from(part(2)? * 7 + part(3)?).map_err(|_| out())?,
        micros: base.micros.checked_add(clock).ok_or_else(out)?,
    }))
}

/// `to_timestamp(seconds since 1970)`.
fn from_epoch(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let seconds = float(args, 0)?;
    let out = || {
        SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            alloc::format!("timestamp out of range: \"{seconds}\""),
        )
    };
    if seconds.is_nan() {
        return Err(SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "timestamp cannot be NaN",
        ));
    }
    if seconds.is_infinite() {
        return Ok(Datum::TimestampTz(if seconds > 0.0 {
            TS_INFINITY
        } else {
            TS_NEG_INFINITY
        }));
    }
    let micros = libm::rint((seconds + f64::from(UNIX_EPOCH_DAYS) * 86_400.0) * 1e6);
    let range = pg_types::datetime::MIN_TIMESTAMP as f64..pg_types::datetime::MAX_TIMESTAMP as f64;
    if !range.contains(&micros) {
        return Err(out());
    }
    Ok(Datum::TimestampTz(micros as i64))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(3464, "make_interval", &[INT4, INT4, INT4, INT4, INT4, INT4, FLOAT8], INTERVAL, make_interval),
    // The forms with fewer arguments, which PostgreSQL has as defaults.
    f(8010, "make_interval", &[], INTERVAL, make_interval),
    f(8011, "make_interval", &[INT4], INTERVAL, make_interval),
    f(8012, "make_interval", &[INT4, INT4], INTERVAL, make_interval),
    f(8013, "make_interval", &[INT4, INT4, INT4], INTERVAL, make_interval),
    f(8014, "make_interval", &[INT4, INT4, INT4, INT4], INTERVAL, make_interval),
    f(8015, "make_interval", &[INT4, INT4, INT4, INT4, INT4], INTERVAL, make_interval),
    f(8016, "make_interval", &[INT4, INT4, INT4, INT4, INT4, INT4], INTERVAL, make_interval),
    f(6199, "extract", &[TEXT, DATE], NUMERIC, extract),
    f(6200, "extract", &[TEXT, TIME], NUMERIC, extract),
    f(6202, "extract", &[TEXT, TIMESTAMP], NUMERIC, extract),
    f(6203, "extract", &[TEXT, TIMESTAMPTZ], NUMERIC, extract).stable(),
    f(6204, "extract", &[TEXT, INTERVAL], NUMERIC, extract),
    f(1171, "date_part", &[TEXT, TIMESTAMPTZ], FLOAT8, date_part).stable(),
    f(1172, "date_part", &[TEXT, INTERVAL], FLOAT8, date_part),
    f(2021, "date_part", &[TEXT, TIMESTAMP], FLOAT8, date_part),
    f(1385, "date_part", &[TEXT, TIME], FLOAT8, date_part),
    f(1384, "date_part", &[TEXT, DATE], FLOAT8, date_part),
    f(1217, "date_trunc", &[TEXT, TIMESTAMPTZ], TIMESTAMPTZ, trunc_timestamp).stable(),
    f(1284, "date_trunc", &[TEXT, TIMESTAMPTZ, TEXT], TIMESTAMPTZ, trunc_timestamp).stable(),
    f(2020, "date_trunc", &[TEXT, TIMESTAMP], TIMESTAMP, trunc_timestamp),
    f(1218, "date_trunc", &[TEXT, INTERVAL], INTERVAL, trunc_interval),
    f(3846, "make_date", &[INT4, INT4, INT4], DATE, make_date),
    f(3847, "make_time", &[INT4, INT4, FLOAT8], TIME, make_time),
    f(3461, "make_timestamp", &[INT4, INT4, INT4, INT4, INT4, FLOAT8], TIMESTAMP, make_timestamp),
    f(3462, "make_timestamptz", &[INT4, INT4, INT4, INT4, INT4, FLOAT8], TIMESTAMPTZ, make_timestamptz).stable(),
    f(3463, "make_timestamptz", &[INT4, INT4, INT4, INT4, INT4, FLOAT8, TEXT], TIMESTAMPTZ, make_timestamptz).stable(),
    f(1158, "to_timestamp", &[FLOAT8], TIMESTAMPTZ, from_epoch),
];
