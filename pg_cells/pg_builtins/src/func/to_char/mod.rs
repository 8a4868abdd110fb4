//! to_char, to_date, to_timestamp and to_number: values by template.
//!
//! `number` lays numbers out, `date` dates, `template` splits date templates into
//! fields, `read` goes the other way.

mod date;
mod number;
mod read;
mod template;

use super::args::{arg, done, float, int, micros, text};
use super::dates::{local, utc};
use crate::context::Call;
use crate::function::{Function, f};
use date::Moment;
use pg_types::datetime::{DAY_MICROS, TS_INFINITY, TS_NEG_INFINITY};
use pg_types::oid::*;
use pg_types::{Datum, Numeric, SqlResult};

fn from_number(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let value = match arg(args, 0) {
        Datum::Numeric(n) => n.clone(),
        Datum::Float4(v) => Numeric::from_f32(*v),
        Datum::Float8(_) => Numeric::from_f64(float(args, 0)?),
        _ => Numeric::from(int(args, 0)?),
    };
    done(number::format(&value, text(args, 1)?)?)
}

fn from_timestamp(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let ts = micros(args, 0)?;
    let template = text(args, 1)?;
    if template.is_empty() || ts == TS_INFINITY || ts == TS_NEG_INFINITY {
        return Ok(Datum::Null);
    }
    let zone = &call.ctx.format().time_zone;
    let moment = match arg(args, 0) {
        Datum::TimestampTz(t) => Moment::of_timestamp(
            local(*t, zone),
            Some((zone.offset_at(*t), zone.abbreviation(*t))),
        ),
        _ => Moment::of_timestamp(ts, None),
    };
    done(date::format(&moment, template))
}

fn from_interval(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let template = text(args, 1)?;
    match arg(args, 0) {
        Datum::Interval(i) if !template.is_empty() => {
            done(date::format(&Moment::of_interval(i), template))
        }
        _ => Ok(Datum::Null),
    }
}

fn to_date(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let stamp = read::timestamp(text(args, 0)?, text(args, 1)?)?;
    Ok(Datum::Date(stamp.local.div_euclid(DAY_MICROS) as i32))
}

fn to_timestamp(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let stamp = read::timestamp(text(args, 0)?, text(args, 1)?)?;
    Ok(Datum::TimestampTz(match stamp.offset {
        Some(offset) => stamp.local - i64::from(offset) * 1_000_000,
        None => utc(stamp.local, &call.ctx.format().time_zone),
    }))
}

fn to_number(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    read::number(text(args, 0)?, text(args, 1)?)
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(1772, "to_char", &[NUMERIC, TEXT], TEXT, from_number).stable(),
    f(1773, "to_char", &[INT4, TEXT], TEXT, from_number).stable(),
    f(1774, "to_char", &[INT8, TEXT], TEXT, from_number).stable(),
    f(1775, "to_char", &[FLOAT4, TEXT], TEXT, from_number).stable(),
    f(1776, "to_char", &[FLOAT8, TEXT], TEXT, from_number).stable(),
    f(2049, "to_char", &[TIMESTAMP, TEXT], TEXT, from_timestamp).stable(),
    f(1770, "to_char", &[TIMESTAMPTZ, TEXT], TEXT, from_timestamp).stable(),
    f(1768, "to_char", &[INTERVAL, TEXT], TEXT, from_interval).stable(),
    f(1780, "to_date", &[TEXT, TEXT], DATE, to_date).stable(),
    f(1778, "to_timestamp", &[TEXT, TEXT], TIMESTAMPTZ, to_timestamp).stable(),
    f(1777, "to_number", &[TEXT, TEXT], NUMERIC, to_number).stable(),
];
