//! Variance, standard deviation, correlation and regression.
//!
//! Integers and numerics are summed exactly; floats by the method of Youngs and
//! Cramer, as PostgreSQL does, so that results agree in the last digits.

use super::AggregateKind;
use pg_types::oid::{self, Oid};
use pg_types::{Datum, Numeric, SqlResult};

/// State over one variable.
#[derive(Clone, Debug)]
pub(super) enum Moments {
    /// Of 16- and 32-bit integers; sums of squares fit 128 bits.
    Int {
        n: i64,
        sum: i128,
        squares: i128,
    },
    Numeric {
        n: i64,
        sum: Numeric,
        squares: Numeric,
    },
    Float {
        n: f64,
        sum: f64,
        sxx: f64,
    },
}

impl Moments {
    pub(super) fn new(arg: Oid) -> Moments {
        match arg {
            oid::INT2 | oid::INT4 => Moments::Int {
                n: 0,
                sum: 0,
                squares: 0,
            },
            oid::FLOAT4 | oid::FLOAT8 => Moments::Float {
                n: 0.0,
                sum: 0.0,
                sxx: 0.0,
            },
            _ => Moments::Numeric {
                n: 0,
                sum: Numeric::ZERO,
                squares: Numeric::ZERO,
            },
        }
    }

    pub(super) fn step(&mut self, value: &Datum) -> SqlResult<()> {
        match self {
            Moments::Int { n, sum, squares } => {
                let v = i128::from(value.as_i64().unwrap_or(0));
                *n += 1;
                *sum += v;
                *squares += v * v;
            }
            Moments::Numeric { n, sum, squares } => {
                let v = match value {
                    Datum::Numeric(v) => v.clone(),
                    other => Numeric::from(other.as_i64().unwrap_or(0)),
                };
                *n += 1;
                *squares = squares.add(&v.mul(&v)?)?;
                *sum = sum.add(&v)?;
            }
            Moments::Float { n, sum, sxx } => {
                let v = as_float(value);
                *n += 1.0;
                *sum += v;
                if *n > 1.0 {
                    let t = v * *n - *sum;
                    *sxx += t * t / (*n * (*n - 1.0));
                } else if !v.is_finite() {
                    *sxx = f64::NAN;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(&self, kind: AggregateKind) -> SqlResult<Datum> {
        use AggregateKind::*;
        let sample = matches!(kind, VarSamp | StddevSamp);
        let root = matches!(kind, StddevPop | StddevSamp);
        match self {
            Moments::Int { n, sum, squares } => exact(
                *n,
                &Numeric::from(*sum),
                &Numeric::from(*squares),
                sample,
                root,
            ),
            Moments::Numeric { n, sum, squares } => exact(*n, sum, squares, sample, root),
            Moments::Float { n, sxx, .. } => {
                let divisor = if sample { n - 1.0 } else { *n };
                if divisor <= 0.0 {
                    return Ok(Datum::Null);
                }
                let variance = sxx / divisor;
                Ok(Datum::Float8(if root {
                    libm::sqrt(variance)
                } else {
                    variance
                }))
            }
        }
    }
}

fn as_float(d: &Datum) -> f64 {
    match d {
        Datum::Float8(v) => *v,
        Datum::Float4(v) => f64::from(*v),
        _ => f64::NAN,
    }
}

fn exact(n: i64, sum: &Numeric, squares: &Numeric, sample: bool, root: bool) -> SqlResult<Datum> {
    if n == 0 || (sample && n == 1) {
        return Ok(Datum::Null);
    }
    if !sum.is_finite() {
        return Ok(Datum::Numeric(Numeric::NAN));
    }
    let count = Numeric::from(n);
    let spread = squares.mul(&count)?.sub(&sum.mul(sum)?)?;
    if spread.signum() <= 0 {
        return Ok(Datum::Numeric(Numeric::ZERO));
    }
    let divisor = count.mul(&Numeric::from(if sample { n - 1 } else { n }))?;
    let variance = spread.div(&divisor)?;
    Ok(Datum::Numeric(if root {
        variance.sqrt_at(variance.scale())
    } else {
        variance
    }))
}

/// State over two variables; the arguments are (y, x).
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    n: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
}

impl Pairs {
    pub(super) fn step(&mut self, args: &[Datum]) -> SqlResult<()> {
        let [y, x, ..] = args else {
            return Ok(());
        };
        if x.is_null() || y.is_null() {
            return Ok(());
        }
        let (y, x) = (as_float(y), as_float(x));
        self.n += 1.0;
        self.sx += x;
        self.sy += y;
        let n = self.n;
        if n > 1.0 {
            let (tx, ty) = (x * n - self.sx, y * n - self.sy);
            let scale = 1.0 / (n * (n - 1.0));
            self.sxx += tx * tx * scale;
            self.syy += ty * ty * scale;
            self.sxy += tx * ty * scale;
        } else {
            if !x.is_finite() {
                (self.sxx, self.sxy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.syy, self.sxy) = (f64::NAN, f64::NAN);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&self, kind: AggregateKind) -> SqlResult<Datum> {
        use AggregateKind::*;
        if self.n < 1.0 || (kind == CovarSamp && self.n < 2.0) {
            return Ok(Datum::Null);
        }
        let value = match kind {
            RegrAvgx => self.sx / self.n,
            RegrAvgy => self.sy / self.n,
            RegrSxx => self.sxx,
            RegrSyy => self.syy,
            RegrSxy => self.sxy,
            CovarPop => self.sxy / self.n,
            CovarSamp => self.sxy / (self.n - 1.0),
            Corr if self.sxx == 0.0 || self.syy == 0.0 => return Ok(Datum::Null),
            Corr => self.sxy / libm::sqrt(self.sxx * self.syy),
            _ if self.sxx == 0.0 => return Ok(Datum::Null),
            RegrSlope => self.sxy / self.sxx,
            RegrIntercept => (self.sy - self.sx * self.sxy / self.sxx) / self.n,
            RegrR2 if self.syy == 0.0 => 1.0,
            _ => self.sxy * self.sxy / (self.sxx * self.syy),
        };
        Ok(Datum::Float8(value))
    }
}
