//! Float arithmetic, conversions and the functions of analysis.

use super::args::{arg, float, int, numeric};
use crate::context::Call;
use crate::function::{Function, f};
use pg_types::oid::*;
use pg_types::{Datum, Numeric, SqlError, SqlResult, SqlState};

fn overflow() -> SqlError {
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
fn ranged(v: f64, infinite_in: bool, zero_ok: bool) -> SqlResult<f64> {
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

fn infinite(a: f64, b: f64) -> bool {
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

macro_rules! functions {
    ($($name:ident $op:expr;)*) => {
        $(fn $name(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            let op: fn(f64) -> f64 = $op;
            let v = float(args, 0)?;
            let r = op(v);
            if r.is_infinite() && !v.is_infinite() {
                return Err(overflow());
            }
            Ok(Datum::Float8(r))
        })*
    };
}

/// Degrees within one turn, with the sign kept: trigonometry in degrees is exact at multiples of 30 and 90.
fn turn(degrees: f64) -> f64 {
    libm::fmod(degrees, 360.0)
}

fn sind(degrees: f64) -> f64 {
    let d = turn(degrees);
    let (sign, d) = if d < 0.0 { (-1.0, -d) } else { (1.0, d) };
    let (sign, d) = if d > 180.0 {
        (-sign, 360.0 - d)
    } else {
        (sign, d)
    };
    let d = if d > 90.0 { 180.0 - d } else { d };
    let value = if d == 30.0 {
        0.5
    } else if d == 90.0 {
        1.0
    } else {
        libm::sin(d.to_radians())
    };
    sign * value
}

fn cosd(degrees: f64) -> f64 {
    let d = turn(degrees).abs();
    let d = if d > 180.0 { 360.0 - d } else { d };
    let (sign, d) = if d > 90.0 {
        (-1.0, 180.0 - d)
    } else {
        (1.0, d)
    };
    let value = if d == 60.0 {
        0.5
    } else if d == 90.0 {
        0.0
    } else {
        libm::cos(d.to_radians())
    };
    sign * value
}

functions! {
    rint libm::rint;
    ceil libm::ceil;
    floor libm::floor;
    trunc libm::trunc;
    cbrt libm::cbrt;
    sin libm::sin;
    cos libm::cos;
    tan libm::tan;
    cot |v| 1.0 / libm::tan(v);
    atan libm::atan;
    sinh libm::sinh;
    cosh libm::cosh;
    tanh libm::tanh;
    asinh libm::asinh;
    degrees |v| v / (core::f64::consts::PI / 180.0);
    radians |v| v * (core::f64::consts::PI / 180.0);
    sine_degrees sind;
    cosine_degrees cosd;
    tangent_degrees |v| sind(v) / cosd(v) / (sind(45.0) / cosd(45.0));
}

fn input_range() -> SqlError {
    SqlError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "input is out of range",
    )
}

macro_rules! bounded {
    ($($name:ident $low:expr, $high:expr, $op:path;)*) => {
        $(fn $name(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            let v = float(args, 0)?;
            // NaN passes, as it does in PostgreSQL.
            if !v.is_nan() && !($low..=$high).contains(&v) {
                return Err(input_range());
            }
            Ok(Datum::Float8($op(v)))
        })*
    };
}

bounded! {
    asin -1.0, 1.0, libm::asin;
    acos -1.0, 1.0, libm::acos;
    acosh 1.0, f64::INFINITY, libm::acosh;
    atanh -1.0, 1.0, libm::atanh;
}

fn atan2(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(libm::atan2(float(args, 0)?, float(args, 1)?)))
}

fn sqrt(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let v = float(args, 0)?;
    if v < 0.0 {
        return Err(SqlError::new(
            SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "cannot take square root of a negative number",
        ));
    }
    Ok(Datum::Float8(libm::sqrt(v)))
}

fn exp(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let v = float(args, 0)?;
    Ok(Datum::Float8(ranged(
        libm::exp(v),
        v.is_infinite(),
        v.is_infinite(),
    )?))
}

fn log_argument(v: f64) -> SqlResult<f64> {
    if v == 0.0 {
        Err(SqlError::new(
            SqlState::INVALID_ARGUMENT_FOR_LOG,
            "cannot take logarithm of zero",
        ))
    } else if v < 0.0 {
        Err(SqlError::new(
            SqlState::INVALID_ARGUMENT_FOR_LOG,
            "cannot take logarithm of a negative number",
        ))
    } else {
        Ok(v)
    }
}

fn ln(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(libm::log(log_argument(float(args, 0)?)?)))
}

fn log10(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(libm::log10(log_argument(float(args, 0)?)?)))
}

/// The errors of `power` for both floats and numerics.
pub(super) fn power_domain(
    base_zero: bool,
    base_negative: bool,
    exp_negative: bool,
    exp_whole: bool,
) -> SqlResult<()> {
    let fail = |m: &str| {
        Err(SqlError::new(
            SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            m,
        ))
    };
    if base_zero && exp_negative {
        return fail("zero raised to a negative power is undefined");
    }
    if base_negative && !exp_whole {
        return fail("a negative number raised to a non-integer power yields a complex result");
    }
    Ok(())
}

fn power(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (a, b) = (float(args, 0)?, float(args, 1)?);
    if (a.is_nan() && b != 0.0) || (b.is_nan() && a != 1.0) {
        return Ok(Datum::Float8(f64::NAN));
    }
    power_domain(
        a == 0.0,
        a < 0.0,
        b < 0.0,
        b.is_infinite() || libm::floor(b) == b,
    )?;
    let v = libm::pow(a, b);
    Ok(Datum::Float8(ranged(
        v,
        infinite(a, b),
        a == 0.0 || infinite(a, b),
    )?))
}

fn pi(_: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(core::f64::consts::PI))
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
    f(228, "dround", &[FLOAT8], FLOAT8, rint),
    f(1342, "round", &[FLOAT8], FLOAT8, rint),
    f(2308, "ceil", &[FLOAT8], FLOAT8, ceil),
    f(2320, "ceiling", &[FLOAT8], FLOAT8, ceil),
    f(2309, "floor", &[FLOAT8], FLOAT8, floor),
    f(229, "dtrunc", &[FLOAT8], FLOAT8, trunc),
    f(1343, "trunc", &[FLOAT8], FLOAT8, trunc),
    f(231, "dcbrt", &[FLOAT8], FLOAT8, cbrt),
    f(1345, "cbrt", &[FLOAT8], FLOAT8, cbrt),
    f(1604, "sin", &[FLOAT8], FLOAT8, sin),
    f(1605, "cos", &[FLOAT8], FLOAT8, cos),
    f(1606, "tan", &[FLOAT8], FLOAT8, tan),
    f(1607, "cot", &[FLOAT8], FLOAT8, cot),
    f(1602, "atan", &[FLOAT8], FLOAT8, atan),
    f(2462, "sinh", &[FLOAT8], FLOAT8, sinh),
    f(2463, "cosh", &[FLOAT8], FLOAT8, cosh),
    f(2464, "tanh", &[FLOAT8], FLOAT8, tanh),
    f(2465, "asinh", &[FLOAT8], FLOAT8, asinh),
    f(1608, "degrees", &[FLOAT8], FLOAT8, degrees),
    f(1609, "radians", &[FLOAT8], FLOAT8, radians),
    f(2735, "sind", &[FLOAT8], FLOAT8, sine_degrees),
    f(2736, "cosd", &[FLOAT8], FLOAT8, cosine_degrees),
    f(2737, "tand", &[FLOAT8], FLOAT8, tangent_degrees),
    f(1600, "asin", &[FLOAT8], FLOAT8, asin),
    f(1601, "acos", &[FLOAT8], FLOAT8, acos),
    f(2466, "acosh", &[FLOAT8], FLOAT8, acosh),
    f(2467, "atanh", &[FLOAT8], FLOAT8, atanh),
    f(1603, "atan2", &[FLOAT8, FLOAT8], FLOAT8, atan2),
    f(230, "dsqrt", &[FLOAT8], FLOAT8, sqrt),
    f(1344, "sqrt", &[FLOAT8], FLOAT8, sqrt),
    f(233, "dexp", &[FLOAT8], FLOAT8, exp),
    f(1347, "exp", &[FLOAT8], FLOAT8, exp),
    f(234, "dlog1", &[FLOAT8], FLOAT8, ln),
    f(1341, "ln", &[FLOAT8], FLOAT8, ln),
    f(1194, "log10", &[FLOAT8], FLOAT8, log10),
    f(1339, "dlog10", &[FLOAT8], FLOAT8, log10),
    f(1340, "log", &[FLOAT8], FLOAT8, log10),
    f(232, "dpow", &[FLOAT8, FLOAT8], FLOAT8, power),
    f(1346, "pow", &[FLOAT8, FLOAT8], FLOAT8, power),
    f(1368, "power", &[FLOAT8, FLOAT8], FLOAT8, power),
    f(1610, "pi", &[], FLOAT8, pi),
    f(1598, "random", &[], FLOAT8, random).volatile(),
    f(1599, "setseed", &[FLOAT8], VOID, setseed).volatile(),
    f(320, "width_bucket", &[FLOAT8, FLOAT8, FLOAT8, INT4], INT4, width_bucket),
];
