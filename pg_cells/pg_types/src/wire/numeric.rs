//! The binary form of numeric: base-10000 digits.
//!
//! `u16 ndigits, i16 weight, u16 sign, u16 dscale, then ndigits u16 digits`.

use super::bad_format;
use crate::error::SqlResult;
use crate::numeric::Numeric;
use alloc::string::ToString;
use alloc::vec::Vec;
use num_bigint::BigInt;

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEG_INFINITY: u16 = 0xf000;

/// Appends the form of `n`.
pub(super) fn send(out: &mut Vec<u8>, n: &Numeric) {
    let put = |out: &mut Vec<u8>, v: u16| out.extend_from_slice(&v.to_be_bytes());
    let Some((coef, scale)) = n.to_big() else {
        let sign = match (n.is_nan(), n.signum()) {
            (true, _) => NAN,
            (_, -1) => NEG_INFINITY,
            _ => INFINITY,
        };
        return [0, 0, sign, 0].iter().for_each(|v| put(out, *v));
    };
    let mut text = coef.magnitude().to_string();
    // Groups of four must end at the decimal point.
    let pad = (4 - usize::from(scale) % 4) % 4;
    (0..pad).for_each(|_| text.push('0'));
    let fraction_groups = (usize::from(scale) + pad) / 4;
    let lead = (4 - text.len() % 4) % 4;
    let padded = "0".repeat(lead) + &text;
    let mut groups: Vec<u16> = padded.as_bytes().chunks_exact(4).map(group).collect();
    let mut weight = groups.len() as i64 - fraction_groups as i64 - 1;
    let zeros = groups.iter().take_while(|g| **g == 0).count();
    groups.drain(..zeros);
    weight -= zeros as i64;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    put(out, groups.len() as u16);
    put(out, weight as i16 as u16);
    put(out, if n.signum() < 0 { NEGATIVE } else { POSITIVE });
    put(out, scale);
    groups.iter().for_each(|g| put(out, *g));
}

fn group(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |v, d| v * 10 + u16::from(d - b'0'))
}

/// Reads the form.
pub(super) fn receive(bytes: &[u8]) -> SqlResult<Numeric> {
    let mut words = bytes
        .chunks_exact(2)
        .map(|c| u16::from_be_bytes([c[0], c[1]]));
    let mut next = || words.next().ok_or_else(bad_format);
    let (count, weight, sign, scale) = (next()?, next()? as i16, next()?, next()?);
    if bytes.len() != 8 + 2 * usize::from(count) {
        return Err(bad_format());
    }
    let negative = match sign {
        POSITIVE => false,
        NEGATIVE => true,
        NAN => return Ok(Numeric::NAN),
        INFINITY => return Ok(Numeric::INFINITY),
        NEG_INFINITY => return Ok(Numeric::NEG_INFINITY),
        _ => return Err(bad_format()),
    };
    let mut digits = alloc::string::String::new();
    for word in words {
        if word > 9999 {
            return Err(bad_format());
        }
        digits.push_str(&alloc::format!("{word:04}"));
    }
    if digits.is_empty() {
        digits.push('0');
    }
    let mut have = 4 * (i32::from(count) - i32::from(weight) - 1); // Digits behind the point.
    if have < 0 {
        digits.push_str(&"0".repeat((-have) as usize));
        have = 0;
    }
    let mut coef = BigInt::parse_bytes(digits.as_bytes(), 10).ok_or_else(bad_format)?;
    if negative {
        coef = -coef;
    }
    let exact = u16::try_from(have).map_err(|_| bad_format())?;
    // Digits beyond the display scale are cut, as numeric_recv does.
    Ok(Numeric::from_big(coef, exact).trunc(i32::from(scale)))
}
