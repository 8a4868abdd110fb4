//! Comparisons and arithmetic of integers, known by the names of their
//! functions (`int4eq`, `int84lt`, `int8pl` ...).

use core::cmp::Ordering;
use pg_types::{Datum, Oid, SqlError, SqlResult, oid};

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Compare {
    /// Whether it holds for an order.
    #[inline]
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Compare::Equal => order == Ordering::Equal,
            Compare::NotEqual => order != Ordering::Equal,
            Compare::Less => order == Ordering::Less,
            Compare::LessEqual => order != Ordering::Greater,
            Compare::Greater => order == Ordering::Greater,
            Compare::GreaterEqual => order != Ordering::Less,
        }
    }

    /// The comparison a function makes, if it compares integers.
    pub fn of(name: &str) -> Option<Self> {
        Some(match suffix(name)? {
            "eq" => Compare::Equal,
            "ne" => Compare::NotEqual,
            "lt" => Compare::Less,
            "le" => Compare::LessEqual,
            "gt" => Compare::Greater,
            "ge" => Compare::GreaterEqual,
            _ => return None,
        })
    }
}

/// Arithmetic with its result's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arith {
    op: Op,
    width: Width,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Op {
    Add,
    Subtract,
    Multiply,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Width {
    Two,
    Four,
    Eight,
}

impl Arith {
    /// The arithmetic a function does, if it is of integers.
    pub fn of(name: &str, ret: Oid) -> Option<Self> {
        let op = match suffix(name)? {
            "pl" => Op::Add,
            "mi" => Op::Subtract,
            "mul" => Op::Multiply,
            _ => return None,
        };
        let width = match ret {
            oid::INT2 => Width::Two,
            oid::INT4 => Width::Four,
            oid::INT8 => Width::Eight,
            _ => return None,
        };
        Some(Arith { op, width })
    }

    /// Its value.
    ///
    /// # Errors
    /// 22003 when it does not fit.
    #[inline]
    pub fn apply(self, a: i64, b: i64) -> SqlResult<Datum> {
        let value = match self.op {
            Op::Add => a.checked_add(b),
            Op::Subtract => a.checked_sub(b),
            Op::Multiply => a.checked_mul(b),
        };
        let value = match self.width {
            Width::Eight => value.map(Datum::Int8),
            Width::Four => value.and_then(|v| i32::try_from(v).ok()).map(Datum::Int4),
            Width::Two => value.and_then(|v| i16::try_from(v).ok()).map(Datum::Int2),
        };
        value.ok_or_else(|| self.overflow())
    }

    #[cold]
    fn overflow(self) -> SqlError {
        SqlError::out_of_range(match self.width {
            Width::Two => "smallint",
            Width::Four => "integer",
            Width::Eight => "bigint",
        })
    }
}

/// What follows `int` and the widths in a function's name.
fn suffix(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("int")?;
    let suffix = rest.trim_start_matches(['2', '4', '8']);
    (suffix.len() < rest.len()).then_some(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(Compare::of("int4eq"), Some(Compare::Equal));
        assert_eq!(Compare::of("int84ge"), Some(Compare::GreaterEqual));
        assert_eq!(Compare::of("int4pl"), None);
        assert_eq!(Compare::of("interval_eq"), None);
        assert_eq!(Compare::of("int4larger"), None);
        assert!(Arith::of("int48mi", oid::INT8).is_some());
        assert!(Arith::of("int4div", oid::INT4).is_none());
    }

    #[test]
    fn overflow_is_an_error_of_the_type() {
        let add = Arith::of("int4pl", oid::INT4).unwrap();
        assert_eq!(add.apply(1, 2).unwrap(), Datum::Int4(3));
        assert_eq!(
            add.apply(i64::from(i32::MAX), 1).unwrap_err().message(),
            "integer out of range"
        );
        let mul = Arith::of("int8mul", oid::INT8).unwrap();
        assert_eq!(
            mul.apply(i64::MAX, 2).unwrap_err().message(),
            "bigint out of range"
        );
    }
}
