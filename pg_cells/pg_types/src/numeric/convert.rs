//! Numerics from and to text, integers, floats, and their stored and wire forms.

use super::repr::{Repr, pow10};
use super::{MAX_INTEGER_DIGITS, MAX_SCALE, Numeric};
use crate::error::{SqlError, SqlResult};
use crate::sqlstate::SqlState;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use num_bigint::{BigInt, Sign};

impl From<i32> for Numeric {
    fn from(v: i32) -> Numeric {
        Numeric(Repr::Small {
            coef: i64::from(v),
            scale: 0,
        })
    }
}

impl From<i64> for Numeric {
    fn from(v: i64) -> Numeric {
        Numeric(Repr::Small { coef: v, scale: 0 })
    }
}

impl From<i128> for Numeric {
    fn from(v: i128) -> Numeric {
        Numeric::from_i128(v, 0)
    }
}

impl Numeric {
    /// Reads a numeric: optional sign, digits, point, exponent; or NaN, Infinity, inf. 22P02 otherwise.
    pub fn parse(text: &str) -> SqlResult<Numeric> {
        let bad = || SqlError::invalid_text("numeric", text);
        let body = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        let (negative, unsigned) = match body.as_bytes().first() {
            Some(b'-') => (true, &body[1..]),
            Some(b'+') => (false, &body[1..]),
            _ => (false, body),
        };
        if let Some(special) = parse_special(body, unsigned, negative) {
            return Ok(special);
        }
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (
                &unsigned[..at],
                parse_exponent(&unsigned[at + 1..]).ok_or_else(bad)?,
            ),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(bad());
        }
        if !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
        {
            return Err(bad());
        }
        if exponent.abs() > i64::from(i32::MAX) / 2 {
            return Err(SqlError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "value overflows numeric format",
            ));
        }
        from_digits(negative, whole, fraction, exponent)
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Small { coef, scale } if *scale <= 22 && coef.unsigned_abs() < (1 << 53) => {
                // Both operands are exact, so the quotient is the nearest double.
                *coef as f64 / POW10_F64[usize::from(*scale)]
            }
            Repr::Infinity => f64::INFINITY,
            Repr::NegInfinity => f64::NEG_INFINITY,
            Repr::NaN => f64::NAN,
            _ => self.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// From a double as PostgreSQL casts it: 15 significant digits.
    pub fn from_f64(v: f64) -> Numeric {
        Numeric::from_float_digits(v, 15)
    }

    /// From a float as PostgreSQL casts it: 6 significant digits.
    pub fn from_f32(v: f32) -> Numeric {
        Numeric::from_float_digits(f64::from(v), 6)
    }

    fn from_float_digits(v: f64, digits: usize) -> Numeric {
        if v.is_nan() {
            return Numeric::NAN;
        }
        if v.is_infinite() {
            return if v > 0.0 {
                Numeric::INFINITY
            } else {
                Numeric::NEG_INFINITY
            };
        }
        let text = alloc::format!("{v:.*e}", digits - 1);
        // `%g` drops trailing zeros of the fraction.
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = if mantissa.contains('.') {
            mantissa.trim_end_matches('0').trim_end_matches('.')
        } else {
            mantissa
        };
        Numeric::parse(&alloc::format!("{mantissa}e{exponent}")).unwrap_or(Numeric::NAN)
    }

    /// Rounded to an integer that fits 64 bits; none when it does not, or is special.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small { coef, scale: 0 } => Some(*coef),
            _ => i64::try_from(&self.round(0).to_big()?.0).ok(),
        }
    }

    /// Rounded to an integer that fits 128 bits.
    pub fn to_i128(&self) -> Option<i128> {
        i128::try_from(&self.round(0).to_big()?.0).ok()
    }

    /// Appends the stored form: scale (251 leads a 16-bit one; 252..=254 are NaN,
    /// infinity, -infinity), then the coefficient in the fewest two's complement
    /// bytes, little end first.
    pub fn to_storage(&self, out: &mut Vec<u8>) {
        let scale = self.scale();
        match &self.0 {
            Repr::NaN => return out.push(252),
            Repr::Infinity => return out.push(253),
            Repr::NegInfinity => return out.push(254),
            _ if scale <= 250 => out.push(scale as u8),
            _ => {
                out.push(251);
                out.extend_from_slice(&scale.to_le_bytes());
            }
        }
        match &self.0 {
            Repr::Small { coef, .. } => {
                let bytes = coef.to_le_bytes();
                let sign = if *coef < 0 { 0xff } else { 0 };
                let mut len = 8;
                while len > 1 && bytes[len - 1] == sign && (bytes[len - 2] ^ sign) & 0x80 == 0 {
                    len -= 1;
                }
                out.extend_from_slice(&bytes[..len]);
            }
            Repr::Big(b) => out.extend_from_slice(&b.0.to_signed_bytes_le()),
            _ => {}
        }
    }

    /// Reads the stored form; none when it is damaged.
    pub fn from_storage(bytes: &[u8]) -> Option<Numeric> {
        let (&first, rest) = bytes.split_first()?;
        let (scale, coef) = match first {
            252 => return rest.is_empty().then_some(Numeric::NAN),
            253 => return rest.is_empty().then_some(Numeric::INFINITY),
            254 => return rest.is_empty().then_some(Numeric::NEG_INFINITY),
            251 => {
                let (scale, coef) = rest.split_first_chunk::<2>()?;
                (u16::from_le_bytes(*scale), coef)
            }
            255 => return None,
            s => (u16::from(s), rest),
        };
        if coef.is_empty() {
            return None;
        }
        if coef.len() <= 8 {
            let negative = coef.last().is_some_and(|b| b & 0x80 != 0);
            let mut word = [if negative { 0xff } else { 0 }; 8];
            word[..coef.len()].copy_from_slice(coef);
            return Some(Numeric(Repr::Small {
                coef: i64::from_le_bytes(word),
                scale,
            }));
        }
        Some(Numeric::from_big(BigInt::from_signed_bytes_le(coef), scale))
    }
}

const POW10_F64: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

fn parse_special(body: &str, unsigned: &str, negative: bool) -> Option<Numeric> {
    if body.eq_ignore_ascii_case("nan") {
        return Some(Numeric::NAN);
    }
    if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
        return Some(if negative {
            Numeric::NEG_INFINITY
        } else {
            Numeric::INFINITY
        });
    }
    None
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Anything that does not fit is far out of range either way.
    Some(text.parse::<i64>().unwrap_or(i64::MAX >> 8))
}

fn from_digits(negative: bool, whole: &str, fraction: &str, exponent: i64) -> SqlResult<Numeric> {
    let overflow = || {
        SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "value overflows numeric format",
        )
    };
    let mut digits = String::with_capacity(whole.len() + fraction.len());
    digits.push_str(whole.trim_start_matches('0'));
    digits.push_str(fraction);
    let significant = digits.trim_start_matches('0');
    // Display scale: digits behind the point, moved by the exponent.
    let scale = (fraction.len() as i64 - exponent).max(0);
    if significant.is_empty() {
        return Ok(Numeric::from_i128(
            0,
            scale.min(i64::from(MAX_SCALE)) as u16,
        ));
    }
    let shift = exponent - fraction.len() as i64; // value = significant * 10^shift
    if significant.len() as i64 + shift > i64::from(MAX_INTEGER_DIGITS) {
        return Err(overflow());
    }
    let sign = |coef: BigInt| if negative { -coef } else { coef };
    if shift >= 0 {
        let coef = match significant.parse::<i128>() {
            Ok(small) => BigInt::from(small),
            Err(_) => BigInt::parse_bytes(significant.as_bytes(), 10).ok_or_else(overflow)?,
        };
        return Ok(Numeric::from_big(sign(coef * pow10(shift as u32)), 0));
    }
    if scale > i64::from(MAX_SCALE) {
        // Rounded to what can be shown: numbers below 10^-16383 become zero.
        let drop = scale - i64::from(MAX_SCALE);
        if drop > significant.len() as i64 {
            return Ok(Numeric::from_i128(0, MAX_SCALE as u16));
        }
        let coef = BigInt::parse_bytes(significant.as_bytes(), 10).ok_or_else(overflow)?;
        let coef = super::arith::div_round(&coef, &pow10(drop as u32));
        return Ok(Numeric::from_big(sign(coef), MAX_SCALE as u16));
    }
    if let Ok(small) = significant.parse::<i64>() {
        let coef = if negative { -small } else { small };
        return Ok(Numeric(Repr::Small {
            coef,
            scale: scale as u16,
        }));
    }
    let coef = BigInt::parse_bytes(significant.as_bytes(), 10).ok_or_else(overflow)?;
    Ok(Numeric::from_big(sign(coef), scale as u16))
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, scale, negative) = match &self.0 {
            Repr::Small { coef, scale: 0 } => return write!(f, "{coef}"),
            Repr::Small { coef, scale } => (
                coef.unsigned_abs().to_string(),
                usize::from(*scale),
                *coef < 0,
            ),
            Repr::Big(b) => (
                b.0.magnitude().to_string(),
                usize::from(b.1),
                b.0.sign() == Sign::Minus,
            ),
            Repr::NaN => return f.write_str("NaN"),
            Repr::Infinity => return f.write_str("Infinity"),
            Repr::NegInfinity => return f.write_str("-Infinity"),
        };
        if negative {
            f.write_str("-")?;
        }
        if scale == 0 {
            return f.write_str(&digits);
        }
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            write!(f, "{whole}.{fraction}")
        } else {
            write!(f, "0.{digits:0>scale$}")
        }
    }
}
