//! Roots, trigonometry, exponentials and logarithms of floats.

use super::args::float;
use super::float::{infinite, overflow, ranged};
use crate::context::Call;
use crate::function::{Function, f};
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

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

/// A value as the sum of two doubles, for a hundred bits of precision.
type Double = (f64, f64);

fn quick_sum(a: f64, b: f64) -> Double {
    let s = a + b;
    (s, b - (s - a))
}

fn product(a: f64, b: f64) -> Double {
    let p = a * b;
    (p, libm::fma(a, b, -p))
}

/// e to the power of `x`, right to the last bit in all but the rarest cases, which the
/// function of `libm` is not: by a Taylor series in double-double after reduction by ln 2.
fn exp_rounded(x: f64) -> f64 {
    // ln 2 in two parts, the first short enough that k times it is exact (after fdlibm).
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    if !(-745.0..=709.0).contains(&x) {
        return libm::exp(x);
    }
    let k = libm::rint(x * core::f64::consts::LOG2_E);
    let (low, low_error) = product(k, LN2_LOW);
    let high = x - k * LN2_HIGH;
    let (r, error) = quick_sum(high, -low);
    let (r, error) = quick_sum(r, error - low_error);
    let mut sum: Double = (1.0, 0.0);
    for n in (1..=22).rev().map(f64::from) {
        // sum = 1 + r * sum / n
        let (p, e) = product(r, sum.0);
        let e = e + r * sum.1 + error * sum.0;
        let q = p / n;
        let (back, back_error) = product(q, n);
        let rest = (p - back - back_error + e) / n;
        let (s, t) = quick_sum(1.0, q);
        sum = quick_sum(s, t + rest);
    }
    libm::scalbn(sum.0 + sum.1, k as i32)
}

fn exp(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let v = float(args, 0)?;
    Ok(Datum::Float8(ranged(
        exp_rounded(v),
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

/// `base` to the power of `exponent`: small whole exponents by multiplication in
/// double-double, so that powers of ten are what their decimal text says.
fn pow_rounded(base: f64, exponent: f64) -> f64 {
    let rough = libm::pow(base, exponent);
    let whole = libm::trunc(exponent) == exponent && exponent.abs() <= 512.0;
    if !whole
        || !(1e-290..1e290).contains(&rough.abs())
        || !(1e-290..1e290).contains(&(1.0 / rough).abs())
    {
        return rough;
    }
    let mut count = exponent.abs() as u32;
    let (mut result, mut square): (Double, Double) = ((1.0, 0.0), (base, 0.0));
    let multiply = |a: Double, b: Double| {
        let (p, e) = product(a.0, b.0);
        quick_sum(p, e + a.0 * b.1 + a.1 * b.0)
    };
    while count > 0 {
        if count % 2 == 1 {
            result = multiply(result, square);
        }
        count /= 2;
        if count > 0 {
            square = multiply(square, square);
        }
    }
    if exponent >= 0.0 {
        return result.0 + result.1;
    }
    let q = 1.0 / result.0;
    let (p, e) = product(q, result.0);
    q + ((1.0 - p) - e - q * result.1) / result.0
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
    let v = pow_rounded(a, b);
    Ok(Datum::Float8(ranged(
        v,
        infinite(a, b),
        a == 0.0 || infinite(a, b),
    )?))
}

fn pi(_: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Float8(core::f64::consts::PI))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
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
];
