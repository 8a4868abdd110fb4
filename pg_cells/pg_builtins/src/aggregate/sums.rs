//! sum and avg.

use pg_types::datetime::{interval_add, interval_div};
use pg_types::oid::{self, Oid};
use pg_types::{Datum, Interval, Numeric, SqlError, SqlResult, SqlState};

/// Sum and count of the values so far.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    count: i64,
    total: Total,
}

#[derive(Clone, Debug)]
enum Total {
    /// `narrow`: the sum is a bigint, else (of bigints) a numeric.
    Int {
        sum: i128,
        narrow: bool,
    },
    Numeric(Numeric),
    /// Summed in single precision, averaged in double.
    Float4 {
        sum: f32,
        wide: f64,
        infinite: bool,
    },
    Float8 {
        sum: f64,
        infinite: bool,
    },
    Interval(Interval),
}

fn overflow() -> SqlError {
    SqlError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value out of range: overflow",
    )
}

impl Sum {
    pub(super) fn new(arg: Oid) -> Sum {
        let total = match arg {
            oid::INT2 | oid::INT4 => Total::Int {
                sum: 0,
                narrow: true,
            },
            oid::INT8 => Total::Int {
                sum: 0,
                narrow: false,
            },
            oid::FLOAT4 => Total::Float4 {
                sum: 0.0,
                wide: 0.0,
                infinite: false,
            },
            oid::FLOAT8 => Total::Float8 {
                sum: 0.0,
                infinite: false,
            },
            oid::INTERVAL => Total::Interval(Interval::default()),
            _ => Total::Numeric(Numeric::ZERO),
        };
        Sum { count: 0, total }
    }

    pub(super) fn step(&mut self, value: &Datum) -> SqlResult<()> {
        self.count += 1;
        match (&mut self.total, value) {
            (Total::Int { sum, .. }, v) => *sum += i128::from(v.as_i64().unwrap_or(0)),
            (Total::Numeric(sum), Datum::Numeric(v)) => *sum = sum.add(v)?,
            (
                Total::Float4 {
                    sum,
                    wide,
                    infinite,
                },
                Datum::Float4(v),
            ) => {
                *sum += v;
                *wide += f64::from(*v);
                *infinite |= v.is_infinite();
            }
            (Total::Float8 { sum, infinite }, Datum::Float8(v)) => {
                *sum += v;
                *infinite |= v.is_infinite();
            }
            (Total::Interval(sum), Datum::Interval(v)) => *sum = interval_add(sum, v)?,
            _ => return Err(SqlError::internal("sum of an unexpected type")),
        }
        Ok(())
    }

    pub(super) fn total(&self) -> SqlResult<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        Ok(match &self.total {
            Total::Int { sum, narrow: true } => {
                Datum::Int8(i64::try_from(*sum).map_err(|_| SqlError::out_of_range("bigint"))?)
            }
            Total::Int { sum, narrow: false } => Datum::Numeric(Numeric::from(*sum)),
            Total::Numeric(sum) => Datum::Numeric(sum.clone()),
            Total::Float4 {
                sum,
                infinite: false,
                ..
            } if sum.is_infinite() => return Err(overflow()),
            Total::Float8 {
                sum,
                infinite: false,
            } if sum.is_infinite() => return Err(overflow()),
            Total::Float4 { sum, .. } => Datum::Float4(*sum),
            Total::Float8 { sum, .. } => Datum::Float8(*sum),
            Total::Interval(sum) => Datum::Interval(*sum),
        })
    }

    pub(super) fn average(&self) -> SqlResult<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        let count = Numeric::from(self.count);
        Ok(match &self.total {
            Total::Int { sum, .. } => Datum::Numeric(Numeric::from(*sum).div(&count)?),
            Total::Numeric(sum) => Datum::Numeric(sum.div(&count)?),
            Total::Float4 { wide: sum, .. } | Total::Float8 { sum, .. } => {
                Datum::Float8(sum / self.count as f64)
            }
            Total::Interval(sum) => Datum::Interval(interval_div(sum, self.count as f64)?),
        })
    }
}
