//! [`Numeric`]: exact decimals of any size, with PostgreSQL's scales, rounding and special values.
//!
//! A value is an integer coefficient and a display scale: 1.50 is 150 with
//! scale 2. Coefficients that fit 64 bits are kept inside the value; the
//! arithmetic on them runs in 128 bits and falls back to big integers.
//! `arith` holds + - * / %, `math` roots, powers and logarithms, `convert` text,
//! other types and the wire form.

mod arith;
mod convert;
mod math;
mod repr;

pub use repr::Numeric;

/// Most digits after the decimal point that a numeric can display.
pub const MAX_SCALE: u32 = 16383;
/// Most digits before the decimal point.
pub const MAX_INTEGER_DIGITS: u32 = 131_072;
