//! Addition, subtraction, multiplication, division, remainder and rounding of numerics.
//!
//! Scales follow PostgreSQL: sums take the larger scale, products the sum of
//! both, quotients enough for 16 significant digits (its `select_div_scale`).

use super::repr::{POW10, Repr, pow10};
use super::{MAX_INTEGER_DIGITS, MAX_SCALE, Numeric};
use crate::error::{SqlError, SqlResult};
use crate::sqlstate::SqlState;
use num_bigint::{BigInt, Sign};

/// Least significant digits that a quotient shows.
const MIN_SIG_DIGITS: i64 = 16;
/// Largest scale that division and functions choose by themselves.
pub(super) const MAX_DISPLAY_SCALE: i64 = 1000;

/// `n / d` rounded half away from zero; `d` is positive.
pub(super) fn div_round(n: &BigInt, d: &BigInt) -> BigInt {
    let q = n / d;
    let r = n - &q * d;
    if (r.magnitude() * 2u8) >= *d.magnitude() {
        if n.sign() == Sign::Minus {
            q - 1
        } else {
            q + 1
        }
    } else {
        q
    }
}

fn div_round_i128(n: i128, d: i128) -> i128 {
    let (q, r) = (n / d, n % d);
    if r.unsigned_abs() >= d.unsigned_abs() - r.unsigned_abs() {
        q + n.signum() * d.signum()
    } else {
        q
    }
}

fn overflow() -> SqlError {
    SqlError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value overflows numeric format",
    )
}

impl Numeric {
    /// Fails when there are more digits before the decimal point than the format allows.
    pub(super) fn checked(self) -> SqlResult<Numeric> {
        if let Repr::Big(b) = &self.0 {
            // A decimal digit is 3.32 bits.
            let digits = b.0.bits() * 1000 / 3322;
            if digits > u64::from(MAX_INTEGER_DIGITS) + u64::from(b.1) {
                return Err(overflow());
            }
        }
        Ok(self)
    }

    /// Coefficient at a larger or equal scale.
    fn coef_at(&self, scale: u16) -> BigInt {
        match self.to_big() {
            Some((c, s)) if s < scale => c * pow10(u32::from(scale - s)),
            Some((c, _)) => c,
            None => BigInt::ZERO,
        }
    }

    fn small_pair(&self, other: &Numeric) -> Option<(i128, i128, u16)> {
        let (Repr::Small { coef: a, scale: sa }, Repr::Small { coef: b, scale: sb }) =
            (&self.0, &other.0)
        else {
            return None;
        };
        let (a, b) = (i128::from(*a), i128::from(*b));
        let diff = usize::from(sa.abs_diff(*sb));
        if diff >= 19 {
            return None;
        }
        Some(if sa < sb {
            (a * POW10[diff], b, *sb)
        } else {
            (a, b * POW10[diff], *sa)
        })
    }

    /// `self + other`.
    pub fn add(&self, other: &Numeric) -> SqlResult<Numeric> {
        if let Some((a, b, scale)) = self.small_pair(other) {
            return Ok(Numeric::from_i128(a + b, scale));
        }
        if !self.is_finite() || !other.is_finite() {
            return Ok(self.add_special(other));
        }
        let scale = self.scale().max(other.scale());
        Numeric::from_big(self.coef_at(scale) + other.coef_at(scale), scale).checked()
    }

    fn add_special(&self, other: &Numeric) -> Numeric {
        match (self.is_finite(), other.is_finite()) {
            _ if self.is_nan() || other.is_nan() => Numeric::NAN,
            (false, true) => self.clone(),
            (true, _) => other.clone(),
            _ if self == other => self.clone(),
            _ => Numeric::NAN,
        }
    }

    /// `self - other`.
    pub fn sub(&self, other: &Numeric) -> SqlResult<Numeric> {
        self.add(&other.neg())
    }

    /// `-self`.
    pub fn neg(&self) -> Numeric {
        match &self.0 {
            Repr::Small { coef, scale } => Numeric::from_i128(-i128::from(*coef), *scale),
            Repr::Big(b) => Numeric::from_big(-&b.0, b.1),
            Repr::Infinity => Numeric::NEG_INFINITY,
            Repr::NegInfinity => Numeric::INFINITY,
            Repr::NaN => Numeric::NAN,
        }
    }

    /// Absolute value.
    pub fn abs(&self) -> Numeric {
        if self.signum() < 0 {
            self.neg()
        } else {
            self.clone()
        }
    }

    /// `self * other`.
    pub fn mul(&self, other: &Numeric) -> SqlResult<Numeric> {
        if let (Repr::Small { coef: a, scale: sa }, Repr::Small { coef: b, scale: sb }) =
            (&self.0, &other.0)
            && u32::from(*sa) + u32::from(*sb) <= MAX_SCALE
        {
            return Ok(Numeric::from_i128(i128::from(*a) * i128::from(*b), sa + sb));
        }
        let (Some((a, sa)), Some((b, sb))) = (self.to_big(), other.to_big()) else {
            return Ok(self.mul_special(other));
        };
        let scale = u32::from(sa) + u32::from(sb);
        if scale <= MAX_SCALE {
            Numeric::from_big(a * b, scale as u16).checked()
        } else {
            let coef = div_round(&(a * b), &pow10(scale - MAX_SCALE));
            Numeric::from_big(coef, MAX_SCALE as u16).checked()
        }
    }

    fn mul_special(&self, other: &Numeric) -> Numeric {
        if self.is_nan() || other.is_nan() {
            return Numeric::NAN;
        }
        match self.signum() * other.signum() {
            0 => Numeric::NAN,
            1 => Numeric::INFINITY,
            _ => Numeric::NEG_INFINITY,
        }
    }

    /// Weight and value of the first base-10000 digit, as `numeric.c` sees a number.
    fn first_digit(&self) -> (i64, i64) {
        let Some((coef, scale)) = self.to_big() else {
            return (0, 0);
        };
        if coef.sign() == Sign::NoSign {
            return (0, 0);
        }
        let (digits, lead) = match i128::try_from(&coef) {
            Ok(c) => {
                let c = c.unsigned_abs();
                let digits = i64::from(c.ilog10()) + 1;
                (digits, c)
            }
            Err(_) => {
                let text = alloc::string::ToString::to_string(coef.magnitude());
                (text.len() as i64, text[..8].parse::<u128>().unwrap_or(0))
            }
        };
        // Place of the first decimal digit: 0 for units, -1 for tenths.
        let place = digits - 1 - i64::from(scale);
        let weight = place.div_euclid(4);
        let want = (place - weight * 4 + 1) as u32; // Decimal digits in the first group.
        let have = lead.ilog10() + 1;
        let group = if have >= want {
            lead / 10u128.pow(have - want)
        } else {
            lead * 10u128.pow(want - have)
        };
        (weight, group as i64)
    }

    /// The scale of a quotient, so that it shows at least 16 significant digits.
    pub fn div_scale(&self, other: &Numeric) -> u16 {
        let ((w1, f1), (w2, f2)) = (self.first_digit(), other.first_digit());
        let mut weight = w1 - w2;
        if f1 <= f2 {
            weight -= 1;
        }
        let scale = MIN_SIG_DIGITS - weight * 4;
        scale
            .max(i64::from(self.scale()))
            .max(i64::from(other.scale()))
            .clamp(0, MAX_DISPLAY_SCALE) as u16
    }

    /// `self / other`; 22012 for a zero divisor.
    pub fn div(&self, other: &Numeric) -> SqlResult<Numeric> {
        if !self.is_finite() || !other.is_finite() {
            return self.div_special(other);
        }
        if other.is_zero() {
            return Err(SqlError::division_by_zero());
        }
        self.div_to(other, self.div_scale(other))
    }

    fn div_special(&self, other: &Numeric) -> SqlResult<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if self.is_infinite() {
            return match other.is_infinite() {
                true => Ok(Numeric::NAN),
                false if other.is_zero() => Err(SqlError::division_by_zero()),
                false if self.signum() * other.signum() > 0 => Ok(Numeric::INFINITY),
                false => Ok(Numeric::NEG_INFINITY),
            };
        }
        Ok(Numeric::ZERO) // Something finite through infinity.
    }

    /// `self / other` rounded to `scale`; both finite, `other` not zero.
    pub(super) fn div_to(&self, other: &Numeric, scale: u16) -> SqlResult<Numeric> {
        // a/10^sa / (b/10^sb) * 10^scale = a * 10^(scale + sb - sa) / b
        let shift = i64::from(scale) + i64::from(other.scale()) - i64::from(self.scale());
        if let (Repr::Small { coef: a, .. }, Repr::Small { coef: b, .. }) = (&self.0, &other.0)
            && (0..=19).contains(&shift)
            && let Some(n) = i128::from(*a).checked_mul(POW10[shift as usize])
        {
            return Ok(Numeric::from_i128(div_round_i128(n, i128::from(*b)), scale));
        }
        let (Some((a, _)), Some((b, _))) = (self.to_big(), other.to_big()) else {
            return Ok(Numeric::NAN);
        };
        let (mut n, mut d) = (a, b);
        if shift >= 0 {
            n *= pow10(shift as u32);
        } else {
            d *= pow10((-shift) as u32);
        }
        if d.sign() == Sign::Minus {
            n = -n;
            d = -d;
        }
        Numeric::from_big(div_round(&n, &d), scale).checked()
    }

    /// Remainder with the sign of `self`; 22012 for a zero divisor.
    pub fn rem(&self, other: &Numeric) -> SqlResult<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(SqlError::division_by_zero());
        }
        if self.is_infinite() {
            return Ok(Numeric::NAN);
        }
        if other.is_infinite() {
            return Ok(self.clone());
        }
        if let Some((a, b, scale)) = self.small_pair(other) {
            return Ok(Numeric::from_i128(a % b, scale));
        }
        let scale = self.scale().max(other.scale());
        Ok(Numeric::from_big(
            self.coef_at(scale) % other.coef_at(scale),
            scale,
        ))
    }

    /// Integer quotient, truncated (`div(a, b)`).
    pub fn div_trunc(&self, other: &Numeric) -> SqlResult<Numeric> {
        if !self.is_finite() || !other.is_finite() {
            return self.div_special(other);
        }
        if other.is_zero() {
            return Err(SqlError::division_by_zero());
        }
        let scale = self.scale().max(other.scale());
        Ok(Numeric::from_big(
            self.coef_at(scale) / other.coef_at(scale),
            0,
        ))
    }

    /// Rounded half away from zero to `scale` digits after the point; negative scales round
    /// before the point. The result's display scale is `max(scale, 0)`.
    pub fn round(&self, scale: i32) -> Numeric {
        self.rescale(scale, div_round)
    }

    /// Truncated toward zero, otherwise as [`Numeric::round`].
    pub fn trunc(&self, scale: i32) -> Numeric {
        self.rescale(scale, |n, d| n / d)
    }

    fn rescale(&self, scale: i32, divide: impl Fn(&BigInt, &BigInt) -> BigInt) -> Numeric {
        let scale = scale.clamp(-(MAX_INTEGER_DIGITS as i32), MAX_SCALE as i32);
        let Some((coef, have)) = self.to_big() else {
            return self.clone();
        };
        let drop = i32::from(have) - scale;
        if drop == 0 {
            return self.clone();
        }
        if drop < 0 {
            return Numeric::from_big(coef * pow10((-drop) as u32), scale as u16);
        }
        let kept = divide(&coef, &pow10(drop as u32));
        if scale >= 0 {
            Numeric::from_big(kept, scale as u16)
        } else {
            Numeric::from_big(kept * pow10((-scale) as u32), 0)
        }
    }

    /// Largest integer not above.
    pub fn floor(&self) -> Numeric {
        let t = self.trunc(0);
        if self.is_finite() && *self < t {
            t.sub(&Numeric::ONE).unwrap_or(Numeric::NAN)
        } else {
            t
        }
    }

    /// Least integer not below.
    pub fn ceil(&self) -> Numeric {
        let t = self.trunc(0);
        if self.is_finite() && *self > t {
            t.add(&Numeric::ONE).unwrap_or(Numeric::NAN)
        } else {
            t
        }
    }

    /// Fits a value into `numeric(precision, scale)`: rounds, then checks (22003).
    pub fn apply_typmod(&self, typmod: i32) -> SqlResult<Numeric> {
        let Some((precision, scale)) = crate::typename::numeric_precision_scale(typmod) else {
            return Ok(self.clone());
        };
        let too_big = |detail: alloc::string::String| {
            Err(SqlError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "numeric field overflow",
            )
            .with_detail(detail))
        };
        if self.is_nan() {
            return Ok(self.clone());
        }
        if self.is_infinite() {
            return too_big(alloc::format!(
                "A field with precision {precision}, scale {scale} cannot hold an infinite value."
            ));
        }
        let value = self.round(scale);
        let limit = precision - scale;
        let fits = value.is_zero() || value.integer_digits() <= i64::from(limit);
        if !fits {
            let bound = if limit == 0 {
                "1".into()
            } else {
                alloc::format!("10^{limit}")
            };
            return too_big(alloc::format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
            ));
        }
        Ok(value)
    }

    /// Digits before the decimal point; 0 or negative for values below 1 (zeros after the point).
    pub(super) fn integer_digits(&self) -> i64 {
        match self.to_big() {
            Some((coef, scale)) if coef.sign() != Sign::NoSign => {
                let digits = match u128::try_from(coef.magnitude()) {
                    Ok(c) => i64::from(c.ilog10()) + 1,
                    Err(_) => alloc::string::ToString::to_string(coef.magnitude()).len() as i64,
                };
                digits - i64::from(scale)
            }
            _ => 0,
        }
    }
}
