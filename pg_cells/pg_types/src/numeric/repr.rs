//! The representation of [`Numeric`], its ordering and hashing.

use alloc::sync::Arc;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};
use num_bigint::{BigInt, Sign};

/// An exact decimal, NaN or an infinity. 16 bytes.
#[derive(Clone, Debug)]
pub struct Numeric(pub(super) Repr);

#[derive(Clone, Debug)]
pub(super) enum Repr {
    /// `coef * 10^-scale`.
    Small {
        coef: i64,
        scale: u16,
    },
    /// The same; the coefficient does not fit 64 bits.
    Big(Arc<(BigInt, u16)>),
    NegInfinity,
    Infinity,
    NaN,
}

/// Powers of ten that fit `i128`.
pub(crate) const POW10: [i128; 39] = {
    let mut table = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// `10^n` as a big integer.
pub(super) fn pow10(n: u32) -> BigInt {
    match POW10.get(n as usize) {
        Some(p) => BigInt::from(*p),
        None => BigInt::from(10u8).pow(n),
    }
}

impl Numeric {
    /// Zero with scale 0.
    pub const ZERO: Numeric = Numeric(Repr::Small { coef: 0, scale: 0 });
    /// One with scale 0.
    pub const ONE: Numeric = Numeric(Repr::Small { coef: 1, scale: 0 });
    /// Not a number.
    pub const NAN: Numeric = Numeric(Repr::NaN);
    /// Positive infinity.
    pub const INFINITY: Numeric = Numeric(Repr::Infinity);
    /// Negative infinity.
    pub const NEG_INFINITY: Numeric = Numeric(Repr::NegInfinity);

    /// `coef * 10^-scale`.
    pub fn from_i128(coef: i128, scale: u16) -> Numeric {
        match i64::try_from(coef) {
            Ok(coef) => Numeric(Repr::Small { coef, scale }),
            Err(_) => Numeric(Repr::Big(Arc::new((BigInt::from(coef), scale)))),
        }
    }

    /// `coef * 10^-scale`.
    pub fn from_big(coef: BigInt, scale: u16) -> Numeric {
        match i64::try_from(&coef) {
            Ok(coef) => Numeric(Repr::Small { coef, scale }),
            Err(_) => Numeric(Repr::Big(Arc::new((coef, scale)))),
        }
    }

    /// Coefficient and scale; none for NaN and the infinities.
    pub fn to_big(&self) -> Option<(BigInt, u16)> {
        match &self.0 {
            Repr::Small { coef, scale } => Some((BigInt::from(*coef), *scale)),
            Repr::Big(b) => Some((b.0.clone(), b.1)),
            _ => None,
        }
    }

    /// Coefficient and scale of a value that is kept inline.
    pub(crate) fn to_small(&self) -> Option<(i64, u16)> {
        match self.0 {
            Repr::Small { coef, scale } => Some((coef, scale)),
            _ => None,
        }
    }

    /// True for NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NaN)
    }

    /// True for either infinity.
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinity | Repr::NegInfinity)
    }

    /// True for everything but NaN and the infinities.
    pub fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Small { .. } | Repr::Big(_))
    }

    /// The display scale; 0 for special values.
    pub fn scale(&self) -> u16 {
        match &self.0 {
            Repr::Small { scale, .. } => *scale,
            Repr::Big(b) => b.1,
            _ => 0,
        }
    }

    /// -1, 0 or 1; NaN counts as 1.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small { coef, .. } => coef.signum() as i32,
            Repr::Big(b) => match b.0.sign() {
                Sign::Minus => -1,
                Sign::NoSign => 0,
                Sign::Plus => 1,
            },
            Repr::NegInfinity => -1,
            Repr::Infinity | Repr::NaN => 1,
        }
    }

    /// True for zero of any scale.
    pub fn is_zero(&self) -> bool {
        self.signum() == 0
    }

    fn rank(&self) -> u8 {
        match self.0 {
            Repr::NegInfinity => 0,
            Repr::Small { .. } | Repr::Big(_) => 1,
            Repr::Infinity => 2,
            Repr::NaN => 3,
        }
    }

    /// Without trailing zeros after the decimal point; the canonical form of a value.
    pub fn trim_scale(&self) -> Numeric {
        match &self.0 {
            Repr::Small { coef, scale } => {
                let (mut c, mut s) = (*coef, *scale);
                if c == 0 {
                    return Numeric::ZERO;
                }
                while s > 0 && c % 10 == 0 {
                    c /= 10;
                    s -= 1;
                }
                Numeric(Repr::Small { coef: c, scale: s })
            }
            Repr::Big(b) => {
                let digits = alloc::string::ToString::to_string(&b.0);
                let zeros = digits.len() - digits.trim_end_matches('0').len();
                let drop = (zeros as u32).min(u32::from(b.1));
                if drop == 0 {
                    return self.clone();
                }
                Numeric::from_big(&b.0 / pow10(drop), b.1 - drop as u16)
            }
            _ => self.clone(),
        }
    }
}

impl Ord for Numeric {
    /// PostgreSQL's order: -infinity, numbers, infinity, NaN; scales do not matter.
    fn cmp(&self, other: &Numeric) -> Ordering {
        if let (Repr::Small { coef: a, scale: sa }, Repr::Small { coef: b, scale: sb }) =
            (&self.0, &other.0)
        {
            if sa == sb {
                return a.cmp(b);
            }
            let diff = usize::from(sa.abs_diff(*sb));
            if diff < 19 {
                let (a, b) = (i128::from(*a), i128::from(*b));
                return if sa < sb {
                    (a * POW10[diff]).cmp(&b)
                } else {
                    a.cmp(&(b * POW10[diff]))
                };
            }
        }
        let (ra, rb) = (self.rank(), other.rank());
        if ra != rb || ra != 1 {
            return ra.cmp(&rb);
        }
        let (sa, sb) = (self.signum(), other.signum());
        if sa != sb {
            return sa.cmp(&sb);
        }
        match (self.to_big(), other.to_big()) {
            (Some((a, da)), Some((b, db))) => {
                let scale = da.max(db);
                (a * pow10(u32::from(scale - da))).cmp(&(b * pow10(u32::from(scale - db))))
            }
            _ => Ordering::Equal, // Unreachable: both are finite.
        }
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let canonical = self.trim_scale();
        canonical.rank().hash(state);
        match &canonical.0 {
            Repr::Small { coef, scale } => (coef, scale).hash(state),
            Repr::Big(b) => (&b.0, b.1).hash(state),
            _ => {}
        }
    }
}
