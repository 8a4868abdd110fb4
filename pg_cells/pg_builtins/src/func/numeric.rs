//! Functions and operators of numeric.

use super::args::{arg, int, int4, numeric};
use super::float::bucket_arguments;
use crate::context::Call;
use crate::function::{Function, f};
use pg_types::oid::*;
use pg_types::{Datum, Numeric, SqlError, SqlResult, SqlState};

fn num(n: Numeric) -> SqlResult<Datum> {
    Ok(Datum::Numeric(n))
}

macro_rules! binary {
    ($($name:ident $method:ident;)*) => {
        $(fn $name(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            num(numeric(args, 0)?.$method(numeric(args, 1)?)?)
        })*
    };
}

binary! {
    add add;
    sub sub;
    mul mul;
    div div;
    rem rem;
    div_trunc div_trunc;
    power power;
}

macro_rules! unary {
    ($($name:ident |$n:ident| $value:expr;)*) => {
        $(fn $name(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            let $n = numeric(args, 0)?;
            num($value)
        })*
    };
}

unary! {
    neg |n| n.neg();
    abs |n| n.abs();
    ceil |n| n.ceil();
    floor |n| n.floor();
    sqrt |n| n.sqrt()?;
    exp |n| n.exp()?;
    ln |n| n.ln()?;
    trim_scale |n| n.trim_scale();
}

fn same(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(arg(args, 0).clone())
}

/// `log(base, x)`.
fn log(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    num(numeric(args, 1)?.log(numeric(args, 0)?)?)
}

fn log10(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    num(numeric(args, 0)?.log(&Numeric::from(10))?)
}

fn sign(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = numeric(args, 0)?;
    num(if n.is_nan() {
        Numeric::NAN
    } else {
        Numeric::from(n.signum())
    })
}

fn round(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let scale = if args.len() > 1 { int4(args, 1)? } else { 0 };
    num(numeric(args, 0)?.round(scale.clamp(-2000, 2000)))
}

fn trunc(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let scale = if args.len() > 1 { int4(args, 1)? } else { 0 };
    num(numeric(args, 0)?.trunc(scale.clamp(-2000, 2000)))
}

fn increment(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    num(numeric(args, 0)?.add(&Numeric::ONE)?)
}

fn scale(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = numeric(args, 0)?;
    Ok(if n.is_finite() {
        Datum::Int4(i32::from(n.scale()))
    } else {
        Datum::Null
    })
}

fn min_scale(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = numeric(args, 0)?;
    Ok(if n.is_finite() {
        Datum::Int4(i32::from(n.trim_scale().scale()))
    } else {
        Datum::Null
    })
}

fn gcd_of(a: &Numeric, b: &Numeric) -> SqlResult<Numeric> {
    if !a.is_finite() || !b.is_finite() {
        return Ok(Numeric::NAN);
    }
    let scale = i32::from(a.scale().max(b.scale()));
    let (mut a, mut b) = (a.abs(), b.abs());
    while !b.is_zero() {
        let r = a.rem(&b)?;
        a = b;
        b = r;
    }
    Ok(a.round(scale))
}

fn gcd(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    num(gcd_of(numeric(args, 0)?, numeric(args, 1)?)?)
}

fn lcm(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (a, b) = (numeric(args, 0)?, numeric(args, 1)?);
    if !a.is_finite() || !b.is_finite() {
        return num(Numeric::NAN);
    }
    let scale = i32::from(a.scale().max(b.scale()));
    if a.is_zero() || b.is_zero() {
        return num(Numeric::ZERO.round(scale));
    }
    num(a.div_trunc(&gcd_of(a, b)?)?.mul(b)?.abs().round(scale))
}

fn factorial(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let n = int(args, 0)?;
    if n < 0 {
        return Err(SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "factorial of a negative number is undefined",
        ));
    }
    if n > 32_177 {
        return Err(SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "value overflows numeric format",
        ));
    }
    let mut product = num_bigint::BigInt::from(1);
    for i in 2..=n {
        if i % 1024 == 0 {
            call.ctx.check_interrupts()?;
        }
        product *= i;
    }
    num(Numeric::from_big(product, 0))
}

fn from_int(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    num(Numeric::from(int(args, 0)?))
}

fn to_int(args: &[Datum], name: &str) -> SqlResult<i64> {
    let n = numeric(args, 0)?;
    let special = if n.is_nan() {
        "NaN"
    } else if n.is_infinite() {
        "infinity"
    } else {
        return n.to_i64().ok_or_else(|| SqlError::out_of_range(name));
    };
    Err(SqlError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        alloc::format!("cannot convert {special} to {name}"),
    ))
}

fn to_int2(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let v = to_int(args, "smallint")?;
    i16::try_from(v)
        .map(Datum::Int2)
        .map_err(|_| SqlError::out_of_range("smallint"))
}

fn to_int4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let v = to_int(args, "integer")?;
    i32::try_from(v)
        .map(Datum::Int4)
        .map_err(|_| SqlError::out_of_range("integer"))
}

fn to_int8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int8(to_int(args, "bigint")?))
}

fn width_bucket(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (v, low, high, count) = (
        numeric(args, 0)?,
        numeric(args, 1)?,
        numeric(args, 2)?,
        int(args, 3)?,
    );
    bucket_arguments(
        count,
        v.is_nan() || low.is_nan() || high.is_nan(),
        low.is_infinite() || high.is_infinite(),
        low == high,
    )?;
    let (below, above) = if low < high {
        (v < low, v >= high)
    } else {
        (v > low, v <= high)
    };
    let bucket = match (below, above) {
        (true, _) => Some(0),
        (_, true) => count.checked_add(1),
        _ => {
            let part = v.sub(low)?.mul(&Numeric::from(count))?;
            part.div(&high.sub(low)?)?.floor().to_i64().map(|b| b + 1)
        }
    };
    bucket
        .and_then(|b| i32::try_from(b).ok())
        .map(Datum::Int4)
        .ok_or_else(|| SqlError::out_of_range("integer"))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(1724, "numeric_add", &[NUMERIC, NUMERIC], NUMERIC, add),
    f(1725, "numeric_sub", &[NUMERIC, NUMERIC], NUMERIC, sub),
    f(1726, "numeric_mul", &[NUMERIC, NUMERIC], NUMERIC, mul),
    f(1727, "numeric_div", &[NUMERIC, NUMERIC], NUMERIC, div),
    f(1728, "mod", &[NUMERIC, NUMERIC], NUMERIC, rem),
    f(1729, "numeric_mod", &[NUMERIC, NUMERIC], NUMERIC, rem),
    f(1973, "div", &[NUMERIC, NUMERIC], NUMERIC, div_trunc),
    f(1980, "numeric_div_trunc", &[NUMERIC, NUMERIC], NUMERIC, div_trunc),
    f(1738, "pow", &[NUMERIC, NUMERIC], NUMERIC, power),
    f(1739, "numeric_power", &[NUMERIC, NUMERIC], NUMERIC, power),
    f(2169, "power", &[NUMERIC, NUMERIC], NUMERIC, power),
    f(1771, "numeric_uminus", &[NUMERIC], NUMERIC, neg),
    f(1915, "numeric_uplus", &[NUMERIC], NUMERIC, same),
    f(1704, "numeric_abs", &[NUMERIC], NUMERIC, abs),
    f(1705, "abs", &[NUMERIC], NUMERIC, abs),
    f(1711, "ceil", &[NUMERIC], NUMERIC, ceil),
    f(2167, "ceiling", &[NUMERIC], NUMERIC, ceil),
    f(1712, "floor", &[NUMERIC], NUMERIC, floor),
    f(1730, "sqrt", &[NUMERIC], NUMERIC, sqrt),
    f(1731, "numeric_sqrt", &[NUMERIC], NUMERIC, sqrt),
    f(1732, "exp", &[NUMERIC], NUMERIC, exp),
    f(1733, "numeric_exp", &[NUMERIC], NUMERIC, exp),
    f(1734, "ln", &[NUMERIC], NUMERIC, ln),
    f(1735, "numeric_ln", &[NUMERIC], NUMERIC, ln),
    f(5043, "trim_scale", &[NUMERIC], NUMERIC, trim_scale),
    f(1736, "log", &[NUMERIC, NUMERIC], NUMERIC, log),
    f(1737, "numeric_log", &[NUMERIC, NUMERIC], NUMERIC, log),
    f(1706, "sign", &[NUMERIC], NUMERIC, sign),
    f(1707, "round", &[NUMERIC, INT4], NUMERIC, round),
    f(1709, "trunc", &[NUMERIC, INT4], NUMERIC, trunc),
    f(1764, "numeric_inc", &[NUMERIC], NUMERIC, increment),
    f(3281, "scale", &[NUMERIC], INT4, scale),
    f(5042, "min_scale", &[NUMERIC], INT4, min_scale),
    f(5048, "gcd", &[NUMERIC, NUMERIC], NUMERIC, gcd),
    f(5049, "lcm", &[NUMERIC, NUMERIC], NUMERIC, lcm),
    f(1376, "factorial", &[INT8], NUMERIC, factorial),
    f(1782, "numeric", &[INT2], NUMERIC, from_int),
    f(1740, "numeric", &[INT4], NUMERIC, from_int),
    f(1781, "numeric", &[INT8], NUMERIC, from_int),
    f(1783, "int2", &[NUMERIC], INT2, to_int2),
    f(1744, "int4", &[NUMERIC], INT4, to_int4),
    f(1779, "int8", &[NUMERIC], INT8, to_int8),
    f(2170, "width_bucket", &[NUMERIC, NUMERIC, NUMERIC, INT4], INT4, width_bucket),
    // SQL functions in PostgreSQL: the second argument's default.
    f(1708, "round", &[NUMERIC], NUMERIC, round),
    f(1710, "trunc", &[NUMERIC], NUMERIC, trunc),
    f(1741, "log", &[NUMERIC], NUMERIC, log10),
    f(1481, "log10", &[NUMERIC], NUMERIC, log10),
];
