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
    let Some((coef, scale)) = n.to_big() else {
        out.push(match (n.is_nan(), n.signum()) {
            (true, _) => NAN,
            (false, -1) => NEG_INFINITY,
            _ => INFINITY,
        });
        return;
    };
    let sign = n.signum();
    if sign == 0 {
        return out.push(ZERO);
    }
    out.push(if sign < 0 { NEGATIVE } else { POSITIVE });
    let start = out.len();
    let mut digits = coef.magnitude().to_string().into_bytes();
    // Pairs must end at the decimal point: an odd scale gets one more zero, an
    // odd count of digits a zero in front.
    let mut scale = i64::from(scale);
    if scale % 2 == 1 {
        digits.push(b'0');
        scale += 1;
    }
    if digits.len() % 2 == 1 {
        digits.insert(0, b'0');
    }
    let exponent = (digits.len() as i64 - scale) / 2;
    out.extend_from_slice(&((exponent + BIAS) as u32).to_be_bytes());
    let mut pairs: Vec<u8> = digits
        .chunks_exact(2)
        .map(|p| (p[0] - b'0') * 10 + (p[1] - b'0'))
        .collect();
    while pairs.last() == Some(&0) {
        pairs.pop();
    }
    out.extend(pairs.iter().map(|p| 2 * p + 2));
    out.push(0);
    if sign < 0 {
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
