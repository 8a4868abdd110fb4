//! Reading arguments: a checked plan passes the declared types, so a mismatch
//! is an internal error (or the type's zero where that cannot happen).

use alloc::string::String;
use pg_types::{ArrayValue, Datum, Interval, Numeric, SqlError, SqlResult, Str};

static NULL: Datum = Datum::Null;

/// Argument `i`, NULL when it was not given.
pub(super) fn arg(args: &[Datum], i: usize) -> &Datum {
    args.get(i).unwrap_or(&NULL)
}

fn mismatch(i: usize, d: &Datum) -> SqlError {
    SqlError::internal(alloc::format!(
        "argument {} of a built-in function has an unexpected form: {d:?}",
        i + 1
    ))
}

/// The text at `i`.
pub(super) fn text(args: &[Datum], i: usize) -> SqlResult<&str> {
    match arg(args, i) {
        Datum::Text(s) => Ok(s.as_str()),
        d => Err(mismatch(i, d)),
    }
}

/// The text at `i`, as it is kept.
pub(super) fn str_arg(args: &[Datum], i: usize) -> SqlResult<&Str> {
    match arg(args, i) {
        Datum::Text(s) => Ok(s),
        d => Err(mismatch(i, d)),
    }
}

/// The bytes at `i`.
pub(super) fn bytes(args: &[Datum], i: usize) -> SqlResult<&[u8]> {
    match arg(args, i) {
        Datum::Bytea(b) => Ok(b),
        d => Err(mismatch(i, d)),
    }
}

/// The integer at `i`, widened.
pub(super) fn int(args: &[Datum], i: usize) -> SqlResult<i64> {
    arg(args, i)
        .as_i64()
        .ok_or_else(|| mismatch(i, arg(args, i)))
}

/// The 32-bit integer at `i`.
pub(super) fn int4(args: &[Datum], i: usize) -> SqlResult<i32> {
    Ok(int(args, i)? as i32)
}

/// The boolean at `i`.
pub(super) fn boolean(args: &[Datum], i: usize) -> SqlResult<bool> {
    arg(args, i)
        .as_bool()
        .ok_or_else(|| mismatch(i, arg(args, i)))
}

/// The float at `i`, of either width.
pub(super) fn float(args: &[Datum], i: usize) -> SqlResult<f64> {
    match arg(args, i) {
        Datum::Float8(v) => Ok(*v),
        Datum::Float4(v) => Ok(f64::from(*v)),
        d => Err(mismatch(i, d)),
    }
}

/// The numeric at `i`.
pub(super) fn numeric(args: &[Datum], i: usize) -> SqlResult<&Numeric> {
    match arg(args, i) {
        Datum::Numeric(n) => Ok(n),
        d => Err(mismatch(i, d)),
    }
}

/// The array at `i`.
pub(super) fn array(args: &[Datum], i: usize) -> SqlResult<&ArrayValue> {
    match arg(args, i) {
        Datum::Array(a) => Ok(a),
        d => Err(mismatch(i, d)),
    }
}

/// The interval at `i`.
pub(super) fn interval(args: &[Datum], i: usize) -> SqlResult<&Interval> {
    match arg(args, i) {
        Datum::Interval(v) => Ok(v),
        d => Err(mismatch(i, d)),
    }
}

/// The days at `i`.
pub(super) fn date(args: &[Datum], i: usize) -> SqlResult<i32> {
    match arg(args, i) {
        Datum::Date(v) => Ok(*v),
        d => Err(mismatch(i, d)),
    }
}

/// The microseconds at `i`, of a time or a timestamp of either kind.
pub(super) fn micros(args: &[Datum], i: usize) -> SqlResult<i64> {
    match arg(args, i) {
        Datum::Time(v) | Datum::Timestamp(v) | Datum::TimestampTz(v) => Ok(*v),
        d => Err(mismatch(i, d)),
    }
}

/// A text result.
pub(super) fn done(s: String) -> SqlResult<Datum> {
    Ok(Datum::Text(Str::from(s)))
}

/// A boolean result.
pub(super) fn yes(b: bool) -> SqlResult<Datum> {
    Ok(Datum::Bool(b))
}
