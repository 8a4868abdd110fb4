//! generate_series over integers, numerics and timestamps.

use super::args::{int, interval, micros, numeric};
use crate::context::Call;
use crate::function::{Function, SetIter, set};
use alloc::boxed::Box;
use pg_types::datetime::{add_interval, timestamptz_add_interval};
use pg_types::oid::*;
use pg_types::{Datum, Interval, Numeric, SqlError, SqlResult, SqlState};

fn zero_step() -> SqlError {
    SqlError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        "step size cannot equal zero",
    )
}

fn integers(args: &[Datum], make: fn(i64) -> Datum, max: i64, min: i64) -> SqlResult<SetIter> {
    let (start, stop) = (int(args, 0)?, int(args, 1)?);
    let step = if args.len() > 2 { int(args, 2)? } else { 1 };
    if step == 0 {
        return Err(zero_step());
    }
    let mut next = Some(start);
    Ok(Box::new(core::iter::from_fn(move || {
        let now = next.filter(|n| if step > 0 { *n <= stop } else { *n >= stop })?;
        // A step beyond the type's range ends the series.
        next = now.checked_add(step).filter(|n| (min..=max).contains(n));
        Some(Ok(make(now)))
    })))
}

fn series4(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    integers(
        args,
        |v| Datum::Int4(v as i32),
        i64::from(i32::MAX),
        i64::from(i32::MIN),
    )
}

fn series8(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    integers(args, Datum::Int8, i64::MAX, i64::MIN)
}

fn series_numeric(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    let (start, stop) = (numeric(args, 0)?.clone(), numeric(args, 1)?.clone());
    let step = if args.len() > 2 {
        numeric(args, 2)?.clone()
    } else {
        Numeric::ONE
    };
    for (name, value) in [
        ("start value", &start),
        ("stop value", &stop),
        ("step size", &step),
    ] {
        if !value.is_finite() {
            let what = if value.is_nan() { "NaN" } else { "infinity" };
            return Err(SqlError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                alloc::format!("{name} cannot be {what}"),
            ));
        }
    }
    if step.is_zero() {
        return Err(zero_step());
    }
    // All values show as many decimals as the start and the step.
    let scale = i32::from(start.scale().max(step.scale()));
    let mut next = Some(start.round(scale));
    Ok(Box::new(core::iter::from_fn(move || {
        let now = next.take().filter(|n| {
            if step.signum() > 0 {
                *n <= stop
            } else {
                *n >= stop
            }
        })?;
        next = now.add(&step).ok();
        Some(Ok(Datum::Numeric(now)))
    })))
}

fn timestamps(
    args: &[Datum],
    make: fn(i64) -> Datum,
    add: impl Fn(i64, &Interval) -> SqlResult<i64> + Send + 'static,
) -> SqlResult<SetIter> {
    let (start, stop, step) = (micros(args, 0)?, micros(args, 1)?, *interval(args, 2)?);
    let sign = pg_types::compare::interval_span(&step).signum();
    if sign == 0 {
        return Err(zero_step());
    }
    let mut next = Some(Ok(start));
    Ok(Box::new(core::iter::from_fn(move || {
        match next.take()? {
            Err(e) => Some(Err(e)),
            Ok(now) if (sign > 0 && now > stop) || (sign < 0 && now < stop) => None,
            Ok(now) => {
                next = Some(add(now, &step));
                Some(Ok(make(now)))
            }
        }
    })))
}

fn series_timestamp(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    timestamps(args, Datum::Timestamp, add_interval)
}

fn series_timestamptz(args: &[Datum], call: &Call<'_>) -> SqlResult<SetIter> {
    let zone = call.ctx.format().time_zone.clone();
    timestamps(args, Datum::TimestampTz, move |t, i| {
        timestamptz_add_interval(t, i, &zone)
    })
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    set(1067, "generate_series", &[INT4, INT4], INT4, series4),
    set(1066, "generate_series", &[INT4, INT4, INT4], INT4, series4),
    set(1069, "generate_series", &[INT8, INT8], INT8, series8),
    set(1068, "generate_series", &[INT8, INT8, INT8], INT8, series8),
    set(3260, "generate_series", &[NUMERIC, NUMERIC], NUMERIC, series_numeric),
    set(3259, "generate_series", &[NUMERIC, NUMERIC, NUMERIC], NUMERIC, series_numeric),
    set(938, "generate_series", &[TIMESTAMP, TIMESTAMP, INTERVAL], TIMESTAMP, series_timestamp),
    set(939, "generate_series", &[TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, series_timestamptz).stable(),
];
