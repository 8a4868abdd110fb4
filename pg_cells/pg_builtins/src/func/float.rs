//! Float arithmetic, conversions and the functions of analysis.

use super::args::{arg, float, int, numeric};
use crate::context::Call;
use crate::function::{Function, f};
use pg_types::oid::*;
use pg_types::{Datum, Numeric, SqlError, SqlResult, SqlState};

pub(super) fn overflow() -> SqlError {
    SqlError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value out of range: overflow",
    )
}

fn underflow() -> SqlError {
    SqlError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value out of range: underflow",
    )
}

/// A result is out of range when it is infinite (or zero) though no argument was.
pub(super) fn ranged(v: f64, infinite_in: bool, zero_ok: bool) -> SqlResult<f64> {
    if v.is_infinite() && !infinite_in {
        return Err(overflow());
    }
    if v == 0.0 && !zero_ok {
        return Err(underflow());
    }
    Ok(v)
}

fn single(v: f64, infinite_in: bool, zero_ok: bool) -> SqlResult<Datum> {
    let narrow = v as f32;
    ranged(f64::from(narrow), infinite_in, zero_ok)?;
    Ok(Datum::Float4(narrow))
}

pub(super) fn infinite(a: f64, b: f64) -> bool {
    a.is_infinite() || b.is_infinite()
}

fn divisor(a: f64, b: f64) -> SqlResult<()> {
    if b == 0.0 && !a.is_nan() {
        Err(SqlError::division_by_zero())
    } else {
        Ok(())
    }
}

macro_rules! arithmetic {
    ($($name8:ident $name4:ident |$a:ident, $b:ident| $op:expr, $zero_ok:expr;)*) => {
        $(
            fn $name8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                let ($a, $b) = (float(args, 0)?, float(args, 1)?);
                Ok(Datum::Float8(ranged($op, infinite($a, $b), $zero_ok)?))
            }
            fn $name4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
                let ($a, $b) = (float(args, 0)?, float(args, 1)?);
                single($op, infinite($a, $b), $zero_ok)
            }
        )*
    };
}

arithmetic! {
    add8 add4 |a, b| a + b, true;
    sub8 sub4 |a, b| a - b, true;
    mul8 mul4 |a, b| a * b, a == 0.0 || b == 0.0;
    div8 div4 |a, b| { divisor(a, b)?; a / b }, a == 0.0 || b.is_infinite();
}

fn neg8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(-float(args, 0)?))
}

fn neg4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float4(-float(args, 0)? as f32))
}

fn abs8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(float(args, 0)?.abs()))
}

fn abs4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float4(float(args, 0)?.abs() as f32))
}

fn same(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(arg(args, 0).clone())
}

fn widen(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(float(args, 0)?))
}

fn narrow(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let v = float(args, 0)?;
    single(v, v.is_infinite(), v == 0.0)
}

fn from_int8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(int(args, 0)? as f64))
}

fn from_int4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float4(int(args, 0)? as f32))
}

/// Rounds half to even, as casts to integers do, and checks the range.
fn to_int(args: &[Datum], low: f64, high: f64, name: &str) -> SqlResult<i64> {
    let v = libm::rint(float(args, 0)?);
    if v.is_nan() || v < low || v >= high {
        return Err(SqlError::out_of_range(name));
    }
    Ok(v as i64)
}

fn to_int2(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int2(
        to_int(args, -32768.0, 32768.0, "smallint")? as i16
    ))
}

fn to_int4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int4(
        to_int(args, -2_147_483_648.0, 2_147_483_648.0, "integer")? as i32,
    ))
}

fn to_int8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int8(to_int(
        args,
        -9_223_372_036_854_775_808.0,
        9_223_372_036_854_775_808.0,
        "bigint",
    )?))
}

fn to_numeric(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Numeric(match arg(args, 0) {
        Datum::Float4(v) => Numeric::from_f32(*v),
        _ => Numeric::from_f64(float(args, 0)?),
    }))
}

fn numeric_to_f8(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = numeric(args, 0)?;
    let v = n.to_f64();
    if v.is_infinite() && n.is_finite() {
        return Err(SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            alloc::format!("\"{n}\" is out of range for type double precision"),
        ));
    }
    Ok(Datum::Float8(v))
}

fn numeric_to_f4(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = numeric(args, 0)?;
    let v = alloc::format!("{n}").parse::<f32>().unwrap_or(f32::NAN);
    if v.is_infinite() && n.is_finite() {
        return Err(SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            alloc::format!("\"{n}\" is out of range for type real"),
        ));
    }
    Ok(Datum::Float4(v))
}

fn sign(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let v = float(args, 0)?;
    Ok(Datum::Float8(if v > 0.0 {
        1.0
    } else if v < 0.0 {
        -1.0
    } else {
        0.0
    }))
}

fn random(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(call.ctx.random()))
}

fn setseed(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let seed = float(args, 0)?;
    if !(-1.0..=1.0).contains(&seed) {
        return Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            alloc::format!("setseed parameter {seed} is out of allowed range [-1,1]"),
        ));
    }
    call.ctx.set_seed(seed);
    Ok(Datum::text(""))
}

fn width_bucket(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (v, low, high, count) = (
        float(args, 0)?,
        float(args, 1)?,
        float(args, 2)?,
        int(args, 3)?,
    );
    bucket_arguments(
        count,
        low.is_nan() || high.is_nan() || v.is_nan(),
        infinite(low, high),
        low == high,
    )?;
    let below = if low < high { v < low } else { v > low };
    let above = if low < high { v >= high } else { v <= high };
    Ok(Datum::Int4(match (below, above) {
        (true, _) => 0,
        (_, true) => i32::try_from(count + 1).map_err(|_| SqlError::out_of_range("integer"))?,
        _ => libm::floor((v - low) / (high - low) * count as f64) as i32 + 1,
    }))
}

/// The errors of `width_bucket` for both floats and numerics.
pub(super) fn bucket_arguments(
    count: i64,
    nan: bool,
    infinite: bool,
    equal: bool,
) -> SqlResult<()> {
    let fail = |m: &str| {
        Err(SqlError::new(
            SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
            m,
        ))
    };
    if count <= 0 {
        return fail("count must be greater than zero");
    }
    if nan {
        return fail("operand, lower bound, and upper bound cannot be NaN");
    }
    if infinite {
        return fail("lower and upper bounds must be finite");
    }
    if equal {
        return fail("lower bound cannot equal upper bound");
    }
    Ok(())
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(218, "float8pl", &[FLOAT8, FLOAT8], FLOAT8, add8),
    f(219, "float8mi", &[FLOAT8, FLOAT8], FLOAT8, sub8),
    f(216, "float8mul", &[FLOAT8, FLOAT8], FLOAT8, mul8),
    f(217, "float8div", &[FLOAT8, FLOAT8], FLOAT8, div8),
    f(220, "float8um", &[FLOAT8], FLOAT8, neg8),
    f(221, "float8abs", &[FLOAT8], FLOAT8, abs8),
    f(1395, "abs", &[FLOAT8], FLOAT8, abs8),
    f(1914, "float8up", &[FLOAT8], FLOAT8, same),
    f(204, "float4pl", &[FLOAT4, FLOAT4], FLOAT4, add4),
    f(205, "float4mi", &[FLOAT4, FLOAT4], FLOAT4, sub4),
    f(202, "float4mul", &[FLOAT4, FLOAT4], FLOAT4, mul4),
    f(203, "float4div", &[FLOAT4, FLOAT4], FLOAT4, div4),
    f(206, "float4um", &[FLOAT4], FLOAT4, neg4),
    f(207, "float4abs", &[FLOAT4], FLOAT4, abs4),
    f(1394, "abs", &[FLOAT4], FLOAT4, abs4),
    f(1913, "float4up", &[FLOAT4], FLOAT4, same),
    f(281, "float48pl", &[FLOAT4, FLOAT8], FLOAT8, add8),
    f(282, "float48mi", &[FLOAT4, FLOAT8], FLOAT8, sub8),
    f(279, "float48mul", &[FLOAT4, FLOAT8], FLOAT8, mul8),
    f(280, "float48div", &[FLOAT4, FLOAT8], FLOAT8, div8),
    f(285, "float84pl", &[FLOAT8, FLOAT4], FLOAT8, add8),
    f(286, "float84mi", &[FLOAT8, FLOAT4], FLOAT8, sub8),
    f(283, "float84mul", &[FLOAT8, FLOAT4], FLOAT8, mul8),
    f(284, "float84div", &[FLOAT8, FLOAT4], FLOAT8, div8),
    f(235, "float8", &[INT2], FLOAT8, from_int8),
    f(316, "float8", &[INT4], FLOAT8, from_int8),
    f(482, "float8", &[INT8], FLOAT8, from_int8),
    f(236, "float4", &[INT2], FLOAT4, from_int4),
    f(318, "float4", &[INT4], FLOAT4, from_int4),
    f(652, "float4", &[INT8], FLOAT4, from_int4),
    f(311, "float8", &[FLOAT4], FLOAT8, widen),
    f(312, "float4", &[FLOAT8], FLOAT4, narrow),
    f(237, "int2", &[FLOAT8], INT2, to_int2),
    f(317, "int4", &[FLOAT8], INT4, to_int4),
    f(483, "int8", &[FLOAT8], INT8, to_int8),
    f(238, "int2", &[FLOAT4], INT2, to_int2),
    f(319, "int4", &[FLOAT4], INT4, to_int4),
    f(653, "int8", &[FLOAT4], INT8, to_int8),
    f(1743, "numeric", &[FLOAT8], NUMERIC, to_numeric),
    f(1742, "numeric", &[FLOAT4], NUMERIC, to_numeric),
    f(1746, "float8", &[NUMERIC], FLOAT8, numeric_to_f8),
    f(1745, "float4", &[NUMERIC], FLOAT4, numeric_to_f4),
    f(2310, "sign", &[FLOAT8], FLOAT8, sign),
    f(1598, "random", &[], FLOAT8, random).volatile(),
    f(1599, "setseed", &[FLOAT8], VOID, setseed).volatile(),
    f(320, "width_bucket", &[FLOAT8, FLOAT8, FLOAT8, INT4], INT4, width_bucket),
];
