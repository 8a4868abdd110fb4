//! Arithmetic and casts of dates, times, timestamps and intervals; the clock.

use super::args::{arg, date, float, int, int4, interval, micros, text, yes};
use crate::context::Call;
use crate::function::{Function, f};
use pg_types::datetime::{
    self, DATE_INFINITY, DATE_NEG_INFINITY, DAY_MICROS, TS_INFINITY, TS_NEG_INFINITY, TimeZone,
    add_interval, interval_add, interval_neg, interval_sub, timestamptz_add_interval,
};
use pg_types::oid::*;
use pg_types::{Datum, Interval, SqlError, SqlResult, SqlState};

fn overflow(message: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// Days to a timestamp, with the infinities.
pub(super) fn date_to_ts(days: i32) -> SqlResult<i64> {
    match days {
        DATE_INFINITY => Ok(TS_INFINITY),
        DATE_NEG_INFINITY => Ok(TS_NEG_INFINITY),
        _ => datetime::timestamp_from_civil(days, 0)
            .map_err(|_| overflow("date out of range for timestamp")),
    }
}

fn ts_to_date(ts: i64) -> i32 {
    match ts {
        TS_INFINITY => DATE_INFINITY,
        TS_NEG_INFINITY => DATE_NEG_INFINITY,
        _ => ts.div_euclid(DAY_MICROS) as i32,
    }
}

fn zone<'a>(call: &'a Call<'_>) -> &'a TimeZone {
    &call.ctx.format().time_zone
}

pub(super) fn local(ts: i64, zone: &TimeZone) -> i64 {
    if ts == TS_INFINITY || ts == TS_NEG_INFINITY {
        ts
    } else {
        zone.to_local(ts)
    }
}

pub(super) fn utc(ts: i64, zone: &TimeZone) -> i64 {
    if ts == TS_INFINITY || ts == TS_NEG_INFINITY {
        ts
    } else {
        zone.to_utc(ts)
    }
}

fn shift_date(days: i32, by: i64) -> SqlResult<Datum> {
    if days == DATE_INFINITY || days == DATE_NEG_INFINITY {
        return Ok(Datum::Date(days));
    }
    let moved = i64::from(days) + by;
    // From 4714-11-24 BC to 5874897-12-31.
    if !(-2_451_545..=2_145_031_948).contains(&moved) {
        return Err(overflow("date out of range"));
    }
    Ok(Datum::Date(moved as i32))
}

fn date_plus(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    shift_date(date(args, 0)?, int(args, 1)?)
}

fn plus_date(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    shift_date(date(args, 1)?, int(args, 0)?)
}

fn date_minus(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    shift_date(date(args, 0)?, -int(args, 1)?)
}

fn date_diff(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (a, b) = (date(args, 0)?, date(args, 1)?);
    let infinite = |d: i32| d == DATE_INFINITY || d == DATE_NEG_INFINITY;
    if infinite(a) || infinite(b) {
        return Err(overflow("cannot subtract infinite dates"));
    }
    Ok(Datum::Int4(a.wrapping_sub(b)))
}

/// The timestamp at `i`, from a date if it is one.
fn ts(args: &[Datum], i: usize) -> SqlResult<i64> {
    match arg(args, i) {
        Datum::Date(d) => date_to_ts(*d),
        _ => micros(args, i),
    }
}

fn ts_plus(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(add_interval(
        ts(args, 0)?,
        interval(args, 1)?,
    )?))
}

fn plus_ts(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(add_interval(
        ts(args, 1)?,
        interval(args, 0)?,
    )?))
}

fn ts_minus(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(add_interval(
        ts(args, 0)?,
        &interval_neg(interval(args, 1)?)?,
    )?))
}

fn tstz_plus(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(timestamptz_add_interval(
        micros(args, 0)?,
        interval(args, 1)?,
        zone(call),
    )?))
}

fn plus_tstz(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(timestamptz_add_interval(
        micros(args, 1)?,
        interval(args, 0)?,
        zone(call),
    )?))
}

fn tstz_minus(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let back = interval_neg(interval(args, 1)?)?;
    Ok(Datum::TimestampTz(timestamptz_add_interval(
        micros(args, 0)?,
        &back,
        zone(call),
    )?))
}

fn ts_diff(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::timestamp_diff(
        micros(args, 0)?,
        micros(args, 1)?,
    )?))
}

fn add(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(interval_add(
        interval(args, 0)?,
        interval(args, 1)?,
    )?))
}

fn sub(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(interval_sub(
        interval(args, 0)?,
        interval(args, 1)?,
    )?))
}

fn neg(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(interval_neg(interval(args, 0)?)?))
}

fn mul(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::interval_mul(
        interval(args, 0)?,
        float(args, 1)?,
    )?))
}

fn mul_left(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::interval_mul(
        interval(args, 1)?,
        float(args, 0)?,
    )?))
}

fn div(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::interval_div(
        interval(args, 0)?,
        float(args, 1)?,
    )?))
}

pub(super) fn time_shift(t: i64, by: i64) -> SqlResult<Datum> {
    Ok(Datum::Time((t + by % DAY_MICROS).rem_euclid(DAY_MICROS)))
}

fn time_plus(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    time_shift(micros(args, 0)?, interval(args, 1)?.micros)
}

fn plus_time(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    time_shift(micros(args, 1)?, interval(args, 0)?.micros)
}

fn time_minus(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    time_shift(micros(args, 0)?, -(interval(args, 1)?.micros % DAY_MICROS))
}

fn span(micros: i64) -> SqlResult<Datum> {
    Ok(Datum::Interval(Interval {
        months: 0,
        days: 0,
        micros,
    }))
}

fn time_diff(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    span(micros(args, 0)? - micros(args, 1)?)
}

fn time_to_interval(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    span(micros(args, 0)?)
}

fn interval_to_time(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Time(
        interval(args, 0)?.micros.rem_euclid(DAY_MICROS),
    ))
}

fn date_and_time(days: i32, time: i64) -> SqlResult<i64> {
    let start = date_to_ts(days)?;
    if start == TS_INFINITY || start == TS_NEG_INFINITY {
        return Ok(start);
    }
    datetime::timestamp_from_civil(days, time)
}

fn combine(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(date_and_time(
        date(args, 0)?,
        micros(args, 1)?,
    )?))
}

fn combine_swapped(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(date_and_time(
        date(args, 1)?,
        micros(args, 0)?,
    )?))
}

fn combine_zoned(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(utc(
        date_and_time(date(args, 0)?, micros(args, 1)?)?,
        zone(call),
    )))
}

fn date_to_timestamp(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(date_to_ts(date(args, 0)?)?))
}

fn date_to_timestamptz(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(utc(
        date_to_ts(date(args, 0)?)?,
        zone(call),
    )))
}

fn timestamp_to_date(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Date(ts_to_date(micros(args, 0)?)))
}

fn timestamptz_to_date(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Date(ts_to_date(local(micros(args, 0)?, zone(call)))))
}

fn clock_of(ts: i64) -> Datum {
    if ts == TS_INFINITY || ts == TS_NEG_INFINITY {
        Datum::Null
    } else {
        Datum::Time(ts.rem_euclid(DAY_MICROS))
    }
}

fn timestamp_to_time(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(clock_of(micros(args, 0)?))
}

fn timestamptz_to_time(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(clock_of(local(micros(args, 0)?, zone(call))))
}

fn timestamp_to_timestamptz(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(utc(micros(args, 0)?, zone(call))))
}

fn timestamptz_to_timestamp(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(local(micros(args, 0)?, zone(call))))
}

/// A zone by name. 22023 when it is not known.
pub(super) fn named_zone(name: &str) -> SqlResult<TimeZone> {
    TimeZone::from_name(name).ok_or_else(|| {
        SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            alloc::format!("time zone \"{name}\" not recognized"),
        )
    })
}

/// The zone of AT TIME ZONE: a name or an interval of hours.
fn zone_arg(args: &[Datum]) -> SqlResult<TimeZone> {
    match arg(args, 0) {
        Datum::Interval(i) if i.months == 0 && i.days == 0 => {
            Ok(TimeZone::fixed((i.micros / 1_000_000) as i32))
        }
        Datum::Interval(_) => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "interval time zone must not include months or days",
        )),
        _ => named_zone(text(args, 0)?),
    }
}

fn at_zone_local(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Timestamp(local(micros(args, 1)?, &zone_arg(args)?)))
}

fn at_zone_utc(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(utc(micros(args, 1)?, &zone_arg(args)?)))
}

fn age(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::age(
        micros(args, 0)?,
        micros(args, 1)?,
    )?))
}

fn age_zoned(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let zone = zone(call);
    Ok(Datum::Interval(datetime::age(
        local(micros(args, 0)?, zone),
        local(micros(args, 1)?, zone),
    )?))
}

/// Midnight of the current day, local.
fn midnight(call: &Call<'_>) -> i64 {
    let now = zone(call).to_local(call.ctx.transaction_timestamp());
    now - now.rem_euclid(DAY_MICROS)
}

fn age_today(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::age(
        midnight(call),
        micros(args, 0)?,
    )?))
}

fn age_today_zoned(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::age(
        midnight(call),
        local(micros(args, 0)?, zone(call)),
    )?))
}

fn now(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(call.ctx.transaction_timestamp()))
}

fn statement_timestamp(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(call.ctx.statement_timestamp()))
}

fn clock_timestamp(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::TimestampTz(call.ctx.clock_timestamp()))
}

fn justify_hours(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::justify_hours(interval(
        args, 0,
    )?)?))
}

fn justify_days(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::justify_days(interval(args, 0)?)?))
}

fn justify_interval(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Interval(datetime::justify_interval(interval(
        args, 0,
    )?)?))
}

fn is_finite(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(match arg(args, 0) {
        Datum::Date(d) => *d != DATE_INFINITY && *d != DATE_NEG_INFINITY,
        Datum::Timestamp(t) | Datum::TimestampTz(t) => *t != TS_INFINITY && *t != TS_NEG_INFINITY,
        _ => true,
    })
}

/// `timestamp(x, precision)` and its kin: the typmod coercions.
fn fit(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let value = arg(args, 0);
    pg_types::coerce_typmod(value.clone(), call.arg_type(0, value), int4(args, 1)?, true)
}

fn larger(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let pick = usize::from(pg_types::compare(arg(args, 0), arg(args, 1)).is_lt());
    Ok(arg(args, pick).clone())
}

fn smaller(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let pick = usize::from(pg_types::compare(arg(args, 0), arg(args, 1)).is_gt());
    Ok(arg(args, pick).clone())
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(1141, "date_pli", &[DATE, INT4], DATE, date_plus),
    f(2550, "integer_pl_date", &[INT4, DATE], DATE, plus_date),
    f(1142, "date_mii", &[DATE, INT4], DATE, date_minus),
    f(1140, "date_mi", &[DATE, DATE], INT4, date_diff),
    f(2071, "date_pl_interval", &[DATE, INTERVAL], TIMESTAMP, ts_plus),
    f(2072, "date_mi_interval", &[DATE, INTERVAL], TIMESTAMP, ts_minus),
    f(2032, "timestamp_pl_interval", &[TIMESTAMP, INTERVAL], TIMESTAMP, ts_plus),
    f(2033, "timestamp_mi_interval", &[TIMESTAMP, INTERVAL], TIMESTAMP, ts_minus),
    f(2546, "interval_pl_date", &[INTERVAL, DATE], TIMESTAMP, plus_ts),
    f(2548, "interval_pl_timestamp", &[INTERVAL, TIMESTAMP], TIMESTAMP, plus_ts),
    f(2549, "interval_pl_timestamptz", &[INTERVAL, TIMESTAMPTZ], TIMESTAMPTZ, plus_tstz).stable(),
    f(1189, "timestamptz_pl_interval", &[TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, tstz_plus).stable(),
    f(1190, "timestamptz_mi_interval", &[TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, tstz_minus).stable(),
    f(1188, "timestamptz_mi", &[TIMESTAMPTZ, TIMESTAMPTZ], INTERVAL, ts_diff),
    f(2031, "timestamp_mi", &[TIMESTAMP, TIMESTAMP], INTERVAL, ts_diff),
    f(1169, "interval_pl", &[INTERVAL, INTERVAL], INTERVAL, add),
    f(1170, "interval_mi", &[INTERVAL, INTERVAL], INTERVAL, sub),
    f(1168, "interval_um", &[INTERVAL], INTERVAL, neg),
    f(1618, "interval_mul", &[INTERVAL, FLOAT8], INTERVAL, mul),
    f(1624, "mul_d_interval", &[FLOAT8, INTERVAL], INTERVAL, mul_left),
    f(1326, "interval_div", &[INTERVAL, FLOAT8], INTERVAL, div),
    f(1747, "time_pl_interval", &[TIME, INTERVAL], TIME, time_plus),
    f(1748, "time_mi_interval", &[TIME, INTERVAL], TIME, time_minus),
    f(1848, "interval_pl_time", &[INTERVAL, TIME], TIME, plus_time),
    f(1690, "time_mi_time", &[TIME, TIME], INTERVAL, time_diff),
    f(1370, "interval", &[TIME], INTERVAL, time_to_interval),
    f(1419, "time", &[INTERVAL], TIME, interval_to_time),
    f(1272, "datetime_pl", &[DATE, TIME], TIMESTAMP, combine),
    f(2025, "timestamp", &[DATE, TIME], TIMESTAMP, combine),
    f(1296, "timedate_pl", &[TIME, DATE], TIMESTAMP, combine_swapped),
    f(1176, "timestamptz", &[DATE, TIME], TIMESTAMPTZ, combine_zoned).stable(),
    f(2024, "timestamp", &[DATE], TIMESTAMP, date_to_timestamp),
    f(1174, "timestamptz", &[DATE], TIMESTAMPTZ, date_to_timestamptz).stable(),
    f(2029, "date", &[TIMESTAMP], DATE, timestamp_to_date),
    f(1178, "date", &[TIMESTAMPTZ], DATE, timestamptz_to_date).stable(),
    f(1316, "time", &[TIMESTAMP], TIME, timestamp_to_time),
    f(2019, "time", &[TIMESTAMPTZ], TIME, timestamptz_to_time).stable(),
    f(2028, "timestamptz", &[TIMESTAMP], TIMESTAMPTZ, timestamp_to_timestamptz).stable(),
    f(2027, "timestamp", &[TIMESTAMPTZ], TIMESTAMP, timestamptz_to_timestamp).stable(),
    f(1159, "timezone", &[TEXT, TIMESTAMPTZ], TIMESTAMP, at_zone_local),
    f(1026, "timezone", &[INTERVAL, TIMESTAMPTZ], TIMESTAMP, at_zone_local),
    f(2069, "timezone", &[TEXT, TIMESTAMP], TIMESTAMPTZ, at_zone_utc),
    f(2070, "timezone", &[INTERVAL, TIMESTAMP], TIMESTAMPTZ, at_zone_utc),
    f(2058, "age", &[TIMESTAMP, TIMESTAMP], INTERVAL, age),
    f(1199, "age", &[TIMESTAMPTZ, TIMESTAMPTZ], INTERVAL, age_zoned),
    f(2059, "age", &[TIMESTAMP], INTERVAL, age_today).stable(),
    f(1386, "age", &[TIMESTAMPTZ], INTERVAL, age_today_zoned).stable(),
    f(1299, "now", &[], TIMESTAMPTZ, now).stable(),
    f(2647, "transaction_timestamp", &[], TIMESTAMPTZ, now).stable(),
    f(2648, "statement_timestamp", &[], TIMESTAMPTZ, statement_timestamp).stable(),
    f(2649, "clock_timestamp", &[], TIMESTAMPTZ, clock_timestamp).volatile(),
    f(1175, "justify_hours", &[INTERVAL], INTERVAL, justify_hours),
    f(1295, "justify_days", &[INTERVAL], INTERVAL, justify_days),
    f(2711, "justify_interval", &[INTERVAL], INTERVAL, justify_interval),
    f(1373, "isfinite", &[DATE], BOOL, is_finite),
    f(1389, "isfinite", &[TIMESTAMPTZ], BOOL, is_finite),
    f(2048, "isfinite", &[TIMESTAMP], BOOL, is_finite),
    f(1390, "isfinite", &[INTERVAL], BOOL, is_finite),
    f(1961, "timestamp", &[TIMESTAMP, INT4], TIMESTAMP, fit),
    f(1967, "timestamptz", &[TIMESTAMPTZ, INT4], TIMESTAMPTZ, fit),
    f(1968, "time", &[TIME, INT4], TIME, fit),
    f(1200, "interval", &[INTERVAL, INT4], INTERVAL, fit),
    f(1138, "date_larger", &[DATE, DATE], DATE, larger),
    f(1139, "date_smaller", &[DATE, DATE], DATE, smaller),
    f(1196, "timestamptz_larger", &[TIMESTAMPTZ, TIMESTAMPTZ], TIMESTAMPTZ, larger),
    f(2036, "timestamp_larger", &[TIMESTAMP, TIMESTAMP], TIMESTAMP, larger),
    f(1195, "timestamptz_smaller", &[TIMESTAMPTZ, TIMESTAMPTZ], TIMESTAMPTZ, smaller),
    f(2035, "timestamp_smaller", &[TIMESTAMP, TIMESTAMP], TIMESTAMP, smaller),
    f(1198, "interval_larger", &[INTERVAL, INTERVAL], INTERVAL, larger),
    f(1197, "interval_smaller", &[INTERVAL, INTERVAL], INTERVAL, smaller),
];
