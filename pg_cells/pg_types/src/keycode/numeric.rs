//! The key of a numeric.
//!
//! One class byte: -infinity 0x00, negative 0x10, zero 0x20, positive 0x30,
//! infinity 0x40, NaN 0x50. A non-zero number 0.d1d2d3... * 100^e (first base-100
//! digit d1 not 0) continues with e as a biased 32-bit number and the digits,
//! each as 2d+2 (so in 2..=200), ended by 0. A negative number inverts everything
//! after the class. Trailing zero digits are dropped: 1.0 and 1.00 share a key.

use super::{KeyError, Reader};
use crate::numeric::Numeric;
use alloc::string::ToString;
use alloc::vec::Vec;
use num_bigint::BigInt;

const NEG_INFINITY: u8 = 0x00;
const NEGATIVE: u8 = 0x10;
const ZERO: u8 = 0x20;
const POSITIVE: u8 = 0x30;
const INFINITY: u8 = 0x40;
const NAN: u8 = 0x50;
const BIAS: i64 = 1 << 31;

/// Appends the key of `n`.
pub fn put(out: &mut Vec<u8>, n: &Numeric) {
    if let Some((coef, scale)) = n.to_small() {
        // Up to 20 digits, written from the end.
        let mut digits = [b'0'; 20];
        let mut at = digits.len();
        let mut rest = coef.unsigned_abs();
        while rest > 0 {
            at -= 1;
            digits[at] += (rest % 10) as u8;
            rest /= 10;
        }
        return put_finite(out, &digits[at..], scale, coef < 0);
    }
    match n.to_big() {
        Some((coef, scale)) => {
            put_finite(
                out,
                coef.magnitude().to_string().as_bytes(),
                scale,
                n.signum() < 0,
            );
        }
        None => out.push(match (n.is_nan(), n.signum()) {
            (true, _) => NAN,
            (false, -1) => NEG_INFINITY,
            _ => INFINITY,
        }),
    }
}

/// The key of `digits * 10^-scale`; no digits are zero.
fn put_finite(out: &mut Vec<u8>, digits: &[u8], scale: u16, negative: bool) {
    let Some(last) = digits.iter().rposition(|d| *d != b'0') else {
        return out.push(ZERO);
    };
    out.push(if negative { NEGATIVE } else { POSITIVE });
    let start = out.len();
    // Pairs must end at the decimal point: an odd scale has one more zero behind, and an
    // odd count of digits one in front.
    let tail = usize::from(scale) % 2;
    let lead = (digits.len() + tail) % 2;
    let pairs = (lead + digits.len() + tail) / 2;
    let exponent = pairs as i64 - (usize::from(scale) + tail) as i64 / 2;
    out.extend_from_slice(&((exponent + BIAS) as u32).to_be_bytes());
    let digit = |place: usize| match place.checked_sub(lead) {
        Some(i) => digits.get(i).map_or(0, |d| d - b'0'),
        None => 0,
    };
    for pair in 0..=(lead + last) / 2 {
        out.push(2 * (digit(2 * pair) * 10 + digit(2 * pair + 1)) + 2);
    }
    out.push(0);
    if negative {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
}

/// Reads a numeric back, with the least scale that shows it.
pub(super) fn get(r: &mut Reader<'_>) -> Result<Numeric, KeyError> {
    let flip = match r.byte()? {
        NEG_INFINITY => return Ok(Numeric::NEG_INFINITY),
        ZERO => return Ok(Numeric::ZERO),
        INFINITY => return Ok(Numeric::INFINITY),
        NAN => return Ok(Numeric::NAN),
        NEGATIVE => 0xff,
        POSITIVE => 0,
        _ => return Err(KeyError),
    };
    let exponent = i64::from(u32::from_be_bytes(r.array::<4>()?.map(|b| b ^ flip))) - BIAS;
    let mut digits = Vec::new();
    loop {
        match r.byte()? ^ flip {
            0 => break,
            b @ 2..=200 if b % 2 == 0 => {
                let pair = (b - 2) / 2;
                digits.push(b'0' + pair / 10);
                digits.push(b'0' + pair % 10);
            }
            _ => return Err(KeyError),
        }
    }
    let mut scale = digits.len() as i64 - 2 * exponent;
    while scale < 0 {
        digits.push(b'0');
        scale += 1;
    }
    let mut coef = BigInt::parse_bytes(&digits, 10).ok_or(KeyError)?;
    if flip != 0 {
        coef = -coef;
    }
    let scale = u16::try_from(scale).map_err(|_| KeyError)?;
    Ok(Numeric::from_big(coef, scale).trim_scale())
}
