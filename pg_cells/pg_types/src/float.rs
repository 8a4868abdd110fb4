//! Text forms of floats: shortest digits that read back, in PostgreSQL's layout.

use crate::error::{SqlError, SqlResult};
use crate::sqlstate::SqlState;
use alloc::string::String;
use core::fmt::Write;

/// Appends a double; `extra_float_digits` of 0 or less rounds to 15 digits and fewer.
pub fn format_f64(out: &mut String, v: f64, extra_float_digits: i32) {
    if special(out, v) {
        return;
    }
    let text = if extra_float_digits > 0 {
        alloc::format!("{v:e}")
    } else {
        let digits = (15 + extra_float_digits).max(1) as usize;
        alloc::format!("{v:.*e}", digits - 1)
    };
    put(
        out,
        &text,
        if extra_float_digits > 0 {
            15
        } else {
            (15 + extra_float_digits).max(1)
        },
    );
}

/// Appends a single-precision float.
pub fn format_f32(out: &mut String, v: f32, extra_float_digits: i32) {
    if special(out, f64::from(v)) {
        return;
    }
    let text = if extra_float_digits > 0 {
        alloc::format!("{v:e}")
    } else {
        let digits = (6 + extra_float_digits).max(1) as usize;
        alloc::format!("{v:.*e}", digits - 1)
    };
    put(
        out,
        &text,
        if extra_float_digits > 0 {
            6
        } else {
            (6 + extra_float_digits).max(1)
        },
    );
}

fn special(out: &mut String, v: f64) -> bool {
    if v.is_nan() {
        out.push_str("NaN");
    } else if v.is_infinite() {
        out.push_str(if v > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        return false;
    }
    true
}

/// Lays `d.ddde±x` out as `%g` does: an exponent below -4, or at `precision` and above, stays.
fn put(out: &mut String, text: &str, precision: i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(m) => ("-", m),
        None => ("", mantissa),
    };
    out.push_str(sign);
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let rest = rest.trim_end_matches('0');
    if exponent < -4 || exponent >= precision {
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs()); // Writing to a String cannot fail.
    } else if exponent < 0 {
        out.push_str("0.");
        (1..-exponent).for_each(|_| out.push('0'));
        out.push_str(first);
        out.push_str(rest);
    } else {
        let whole = exponent as usize;
        out.push_str(first);
        if rest.len() > whole {
            out.push_str(&rest[..whole]);
            out.push('.');
            out.push_str(&rest[whole..]);
        } else {
            out.push_str(rest);
            (rest.len()..whole).for_each(|_| out.push('0'));
        }
    }
}

fn parse_words(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    Some(match lower.as_str() {
        "nan" => f64::NAN,
        "infinity" | "+infinity" | "inf" | "+inf" => f64::INFINITY,
        "-infinity" | "-inf" => f64::NEG_INFINITY,
        _ => return None,
    })
}

fn is_number(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.bytes().any(|b| b.is_ascii_digit())
}

fn range_error(text: &str, type_name: &str) -> SqlError {
    SqlError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        alloc::format!("\"{text}\" is out of range for type {type_name}"),
    )
}

fn has_nonzero_digit(text: &str) -> bool {
    text.split(['e', 'E'])
        .next()
        .is_some_and(|m| m.bytes().any(|b| (b'1'..=b'9').contains(&b)))
}

/// Reads a double: 22P02 for bad syntax, 22003 when it over- or underflows.
pub fn parse_f64(text: &str) -> SqlResult<f64> {
    let body = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    if let Some(v) = parse_words(body) {
        return Ok(v);
    }
    if !is_number(body) {
        return Err(SqlError::invalid_text("double precision", text));
    }
    let v: f64 = body
        .parse()
        .map_err(|_| SqlError::invalid_text("double precision", text))?;
    if v.is_infinite() || (v == 0.0 && has_nonzero_digit(body)) {
        return Err(range_error(body, "double precision"));
    }
    Ok(v)
}

/// Reads a single-precision float.
pub fn parse_f32(text: &str) -> SqlResult<f32> {
    let body = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    if let Some(v) = parse_words(body) {
        return Ok(v as f32);
    }
    if !is_number(body) {
        return Err(SqlError::invalid_text("real", text));
    }
    let v: f32 = body
        .parse()
        .map_err(|_| SqlError::invalid_text("real", text))?;
    if v.is_infinite() || (v == 0.0 && has_nonzero_digit(body)) {
        return Err(range_error(body, "real"));
    }
    Ok(v)
}
