//! Roots, powers, exponentials and logarithms of numerics.
//!
//! Computed in fixed point with guard digits and rounded once, so the digits
//! shown are right; how many are shown follows `numeric.c`: at least 16
//! significant ones, and never fewer decimals than the arguments have.

use super::Numeric;
use super::arith::{MAX_DISPLAY_SCALE, div_round};
use super::repr::pow10;
use crate::error::{SqlError, SqlResult};
use crate::sqlstate::SqlState;
use num_bigint::{BigInt, Sign};

const LOG10_E: f64 = core::f64::consts::LOG10_E;

fn display_scale(digits_before: i64, least: i64) -> u32 {
    (16 - digits_before).max(least).clamp(0, MAX_DISPLAY_SCALE) as u32
}

fn argument_error(state: SqlState, message: &str) -> SqlError {
    SqlError::new(state, message)
}

fn overflow() -> SqlError {
    SqlError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value overflows numeric format",
    )
}

/// A fixed-point value at `to` digits from one at `from`.
fn rescaled(v: &BigInt, from: u32, to: u32) -> BigInt {
    if to >= from {
        v * pow10(to - from)
    } else {
        div_round(v, &pow10(from - to))
    }
}

/// `2 * atanh(n / d)` at `s` digits, for |n/d| well below 1.
fn twice_atanh(n: &BigInt, d: &BigInt, s: u32) -> BigInt {
    let mut power = n * pow10(s) / d;
    let square = &power * &power / pow10(s);
    let mut sum = BigInt::ZERO;
    let mut k = 1u32;
    while power.sign() != Sign::NoSign {
        sum += &power / k;
        power = &power * &square / pow10(s);
        k += 2;
    }
    sum * 2
}

/// `ln(coef / 10^scale)` at `s` digits; the argument is positive.
fn ln_fixed(coef: &BigInt, scale: u32, s: u32) -> BigInt {
    let work = s + 12;
    // x = m * 2^k with m near 1.
    let one = pow10(scale);
    let mut k = coef.bits() as i64 - one.bits() as i64;
    let (mut n, mut d) = (coef.clone(), one);
    if k > 0 {
        d <<= k as u64;
    } else {
        n <<= (-k) as u64;
    }
    // Now 1/2 < n/d < 2: pull it to below 4/3.
    if &n * 3 > &d * 4 {
        d <<= 1u8;
        k += 1;
    }
    let ln_m = twice_atanh(&(&n - &d), &(&n + &d), work);
    let ln_2 = twice_atanh(&BigInt::from(1), &BigInt::from(3), work);
    rescaled(&(ln_m + ln_2 * k), work, s)
}

/// `e^(x / 10^s)` at `out` digits, where `x` is fixed point at `s` digits.
fn exp_fixed(x: &BigInt, s: u32, approx: f64, out: u32) -> BigInt {
    let before = (approx * LOG10_E).max(0.0) as u32 + 1;
    let halvings = (libm::log2(approx.abs().max(1e-3)) + 8.0).max(0.0) as u32;
    let work = out + before + halvings / 3 + 12;
    let one = pow10(work);
    let r: BigInt = (x * pow10(work) / pow10(s)) >> halvings;
    let mut sum = one.clone();
    let mut term = one.clone();
    let mut k = 1u32;
    while term.sign() != Sign::NoSign {
        term = &term * &r / &one / k;
        // Shifting negative terms never reaches zero: rounding is toward zero by `/`.
        sum += &term;
        k += 1;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    rescaled(&sum, work, out)
}

impl Numeric {
    /// Decimal weight of `ln(self)`: the power of ten of its first digit, roughly.
    fn ln_weight(&self) -> i64 {
        let near_one = *self >= Numeric::from_i128(9, 1) && *self <= Numeric::from_i128(11, 1);
        if near_one {
            return match self.sub(&Numeric::ONE) {
                Ok(x) if !x.is_zero() => x.integer_digits() - 1,
                _ => 0,
            };
        }
        let ln = self.ln_approx().abs();
        libm::log10(ln) as i64
    }

    /// The natural logarithm as a double, for numbers of any size.
    fn ln_approx(&self) -> f64 {
        let digits = self.integer_digits();
        let Some((coef, scale)) = self.to_big() else {
            return f64::NAN;
        };
        // mantissa in [0.1, 1) times 10^digits
        let total = digits + i64::from(scale);
        let keep = total.min(18);
        let lead = &coef / pow10((total - keep).max(0) as u32);
        let lead = i64::try_from(lead).map_or(1.0, |v| v as f64);
        libm::log(lead) + (digits - keep) as f64 * core::f64::consts::LN_10
    }

    /// Square root. 2201F for negative values.
    pub fn sqrt(&self) -> SqlResult<Numeric> {
        if self.is_nan() || (self.is_infinite() && self.signum() > 0) {
            return Ok(self.clone());
        }
        if self.signum() < 0 {
            return Err(argument_error(
                SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                "cannot take square root of a negative number",
            ));
        }
        let (Some((coef, scale)), false) = (self.to_big(), self.is_zero()) else {
            return Ok(Numeric::from_i128(
                0,
                display_scale(1, i64::from(self.scale())) as u16,
            ));
        };
        let weight = (self.integer_digits() - 1).div_euclid(4);
        let before = if weight >= 0 {
            (weight + 1) * 2 - 1
        } else {
            1 - (1 - weight * 4) / 2
        };
        let out = display_scale(before, i64::from(scale));
        Ok(Numeric::root(coef, scale, out))
    }

    /// Square root of a value that is not negative, at a scale of the caller's.
    pub fn sqrt_at(&self, out: u16) -> Numeric {
        match self.to_big() {
            Some((coef, scale)) => Numeric::root(coef, scale, u32::from(out)),
            None => self.clone(),
        }
    }

    fn root(coef: BigInt, scale: u16, out: u32) -> Numeric {
        // sqrt(c / 10^s) = sqrt(c * 10^(2w - s)) / 10^w, with one digit to round by.
        let w = out + 1 + u32::from(scale);
        let root = (coef * pow10(2 * w - u32::from(scale))).sqrt();
        Numeric::from_big(rescaled(&root, w, out), out as u16)
    }

    /// e to the power of the value. 22003 when it overflows.
    pub fn exp(&self) -> SqlResult<Numeric> {
        if self.is_nan() {
            return Ok(Numeric::NAN);
        }
        if self.is_infinite() {
            return Ok(if self.signum() > 0 {
                Numeric::INFINITY
            } else {
                Numeric::ZERO
            });
        }
        let approx = self.to_f64();
        if approx.abs() > 6000.0 {
            return if approx > 0.0 {
                Err(overflow())
            } else {
                Ok(Numeric::from_i128(0, MAX_DISPLAY_SCALE as u16))
            };
        }
        let out = display_scale((approx * LOG10_E) as i64, i64::from(self.scale()));
        let (coef, scale) = self.to_big().unwrap_or_default();
        let value = exp_fixed(&coef, u32::from(scale), approx, out);
        Ok(Numeric::from_big(value, out as u16))
    }

    fn check_log(&self) -> SqlResult<()> {
        let fail = |m| Err(argument_error(SqlState::INVALID_ARGUMENT_FOR_LOG, m));
        match self.signum() {
            _ if self.is_nan() => Ok(()),
            0 => fail("cannot take logarithm of zero"),
            -1 => fail("cannot take logarithm of a negative number"),
            _ => Ok(()),
        }
    }

    /// Natural logarithm. 2201E for zero and negative values.
    pub fn ln(&self) -> SqlResult<Numeric> {
        self.check_log()?;
        let Some((coef, scale)) = self.to_big() else {
            return Ok(self.clone());
        };
        let out = display_scale(self.ln_weight(), i64::from(scale));
        Ok(Numeric::from_big(
            ln_fixed(&coef, u32::from(scale), out),
            out as u16,
        ))
    }

    /// Logarithm of `self` to a base.
    pub fn log(&self, base: &Numeric) -> SqlResult<Numeric> {
        base.check_log()?;
        self.check_log()?;
        let (Some((b, sb)), Some((x, sx))) = (base.to_big(), self.to_big()) else {
            return Ok(match (base.is_finite(), self.is_finite()) {
                _ if base.is_nan() || self.is_nan() => Numeric::NAN,
                (true, false) => Numeric::INFINITY,
                (false, true) => Numeric::ZERO,
                _ => Numeric::NAN,
            });
        };
        let (wb, wx) = (base.ln_weight(), self.ln_weight());
        let out = display_scale(wx - wb, i64::from(sb).max(i64::from(sx)));
        let work = out + 20 + wb.unsigned_abs() as u32 + wx.unsigned_abs() as u32;
        let ln_b = ln_fixed(&b, u32::from(sb), work);
        if ln_b.sign() == Sign::NoSign {
            return Err(SqlError::division_by_zero());
        }
        let ln_x = ln_fixed(&x, u32::from(sx), work);
        let (n, d) = if ln_b.sign() == Sign::Minus {
            (-ln_x, -ln_b)
        } else {
            (ln_x, ln_b)
        };
        Ok(Numeric::from_big(
            div_round(&(n * pow10(out)), &d),
            out as u16,
        ))
    }

    /// The value if it is a whole number that fits 32 bits.
    fn as_i32_exact(&self) -> Option<i32> {
        let whole = self.trunc(0);
        if whole != *self {
            return None;
        }
        whole.to_i64().and_then(|v| i32::try_from(v).ok())
    }

    /// True for whole numbers and infinities.
    pub fn is_whole(&self) -> bool {
        !self.is_nan() && self.trunc(0) == *self
    }

    /// `self` to the power of `exponent`. 2201F where that is not a real number, 22003 on overflow.
    pub fn power(&self, exponent: &Numeric) -> SqlResult<Numeric> {
        if let Some(special) = self.power_special(exponent) {
            return special;
        }
        let fail = |m| {
            Err(argument_error(
                SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                m,
            ))
        };
        if self.is_zero() && exponent.signum() < 0 {
            return fail("zero raised to a negative power is undefined");
        }
        if self.signum() < 0 && !exponent.is_whole() {
            return fail("a negative number raised to a non-integer power yields a complex result");
        }
        if let Some(n) = exponent.as_i32_exact() {
            return self.power_int(n);
        }
        if self.is_zero() {
            return Ok(Numeric::from_i128(0, 16));
        }
        let least = i64::from(self.scale()).max(i64::from(exponent.scale()));
        let ln = self.abs().ln_approx() * exponent.to_f64();
        if ln.abs() > 6020.0 {
            return if ln > 0.0 {
                Err(overflow())
            } else {
                Ok(Numeric::from_i128(0, MAX_DISPLAY_SCALE as u16))
            };
        }
        let out = display_scale((ln * LOG10_E) as i64, least);
        let (Some((base, sb)), Some((e, se))) = (self.abs().to_big(), exponent.to_big()) else {
            return Ok(Numeric::NAN);
        };
        // The logarithm must be good to as many digits as the result shows in all.
        let work = out + (ln.abs() * LOG10_E) as u32 + 20 + exponent.integer_digits().max(0) as u32;
        let product = ln_fixed(&base, u32::from(sb), work) * e;
        let value = exp_fixed(&product, work + u32::from(se), ln, out);
        // A whole exponent beyond 32 bits may still be odd.
        let odd = exponent.rem(&Numeric::from(2))?.is_zero();
        let value = if self.signum() < 0 && !odd {
            -value
        } else {
            value
        };
        Numeric::from_big(value, out as u16).checked()
    }

    fn power_special(&self, exponent: &Numeric) -> Option<SqlResult<Numeric>> {
        if self.is_finite() && exponent.is_finite() {
            return None;
        }
        let one = Numeric::ONE;
        if exponent.is_zero() || *self == one {
            return Some(Ok(one));
        }
        if self.is_nan() || exponent.is_nan() {
            return Some(Ok(Numeric::NAN));
        }
        if exponent.is_infinite() {
            let grows = self.abs() > one;
            if self.abs() == one {
                return Some(Ok(one));
            }
            if self.is_zero() && exponent.signum() < 0 {
                return None;
            }
            return Some(Ok(if grows == (exponent.signum() > 0) {
                Numeric::INFINITY
            } else {
                Numeric::ZERO
            }));
        }
        if exponent.signum() < 0 {
            return Some(Ok(Numeric::ZERO));
        }
        if self.signum() > 0 {
            return Some(Ok(Numeric::INFINITY));
        }
        if !exponent.is_whole() {
            return Some(Err(argument_error(
                SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                "a negative number raised to a non-integer power yields a complex result",
            )));
        }
        let even = exponent.rem(&Numeric::from(2)).is_ok_and(|r| r.is_zero());
        Some(Ok(if even {
            Numeric::INFINITY
        } else {
            Numeric::NEG_INFINITY
        }))
    }

    /// Whole exponents: 16 decimals, or as many as the base has.
    fn power_int(&self, n: i32) -> SqlResult<Numeric> {
        let out = display_scale(0, i64::from(self.scale()));
        if self.is_zero() {
            let one = Numeric::from_i128(i128::from(n == 0), 0);
            return Ok(one.round(out as i32));
        }
        let weight = f64::from(n) * self.abs().ln_approx() * LOG10_E;
        if weight > 131_072.0 {
            return Err(overflow());
        }
        if weight + 1.0 < -f64::from(out) - 1.0 {
            return Ok(Numeric::from_i128(0, out as u16));
        }
        let (coef, scale) = self.to_big().unwrap_or_default();
        let scale = u32::from(scale);
        let count = n.unsigned_abs();
        // The exact power may be too long to write out; then logarithms serve as well.
        let exact_digits = u64::from(count) * (coef.bits() / 3 + 1);
        if exact_digits < 50_000 {
            let power = coef.pow(count);
            let digits = scale * count;
            let value = if n >= 0 {
                rescaled(&power, digits, out)
            } else {
                let (top, bottom) = match power.sign() {
                    Sign::Minus => (-pow10(digits + out), -power),
                    _ => (pow10(digits + out), power),
                };
                div_round(&top, &bottom)
            };
            return Numeric::from_big(value, out as u16).checked();
        }
        let work = out + weight.abs() as u32 + 30;
        let ln = ln_fixed(&BigInt::from(coef.magnitude().clone()), scale, work) * n;
        let value = exp_fixed(&ln, work, weight / LOG10_E, out);
        let value = if self.signum() < 0 && n % 2 != 0 {
            -value
        } else {
            value
        };
        Numeric::from_big(value, out as u16).checked()
    }
}
