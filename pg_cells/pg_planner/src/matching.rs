//! Conditions an index can serve: comparisons of a column with a value.

use crate::coerce::{constant, relabel};
use crate::walk::{self, type_of};
use pg_builtins::{CastContext, CastMethod, find_cast, operators};
use pg_plan::{Expr, Quantifier};
use pg_types::{Datum, Oid, oid};

/// What a comparison asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// `=`.
    Equal,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `= ANY (array)`.
    In,
}

impl Comparison {
    /// The same with the sides exchanged.
    pub fn turned(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessEqual => Comparison::GreaterEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterEqual => Comparison::LessEqual,
            same => same,
        }
    }
}

/// A comparison taken apart.
pub struct Found<'e> {
    /// What it asks.
    pub kind: Comparison,
    /// The left side.
    pub left: &'e Expr,
    /// The right side; an array for [`Comparison::In`].
    pub right: &'e Expr,
}

/// The comparison a function makes.
pub fn comparison_of(function: Oid) -> Option<Comparison> {
    let name = operators()
        .iter()
        .find(|o| o.func == function && o.left != 0 && o.ret == oid::BOOL)?
        .name;
    Some(match name {
        "=" => Comparison::Equal,
        "<" => Comparison::Less,
        "<=" => Comparison::LessEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterEqual,
        _ => return None,
    })
}

/// Takes a comparison apart.
pub fn comparison(condition: &Expr) -> Option<Found<'_>> {
    match condition {
        Expr::Call { function, args, .. } => {
            let [left, right] = args.as_slice() else {
                return None;
            };
            Some(Found {
                kind: comparison_of(*function)?,
                left,
                right,
            })
        }
        Expr::Quantified {
            left,
            array,
            function,
            quantifier: Quantifier::Any,
        } => (comparison_of(*function)? == Comparison::Equal).then_some(Found {
            kind: Comparison::In,
            left,
            right: array,
        }),
        _ => None,
    }
}

/// The variable of a bare column, also under a relabelling.
pub fn bare_var(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Column { index, .. } => Some(*index),
        Expr::Relabel { input, .. } => bare_var(input),
        _ => None,
    }
}

fn textual(t: Oid) -> bool {
    matches!(t, oid::TEXT | oid::VARCHAR | oid::NAME)
}

/// A value as the key type of an index has it; `None` when the two order or
/// encode differently, or the value might not fit.
pub fn key_value(value: &Expr, key: Oid) -> Option<Expr> {
    let from = type_of(value);
    if from == key {
        return Some(value.clone());
    }
    if textual(from) && textual(key) {
        return Some(relabel(value.clone(), key));
    }
    let rank = |t: Oid| match t {
        oid::INT2 => Some(1),
        oid::INT4 => Some(2),
        oid::INT8 => Some(3),
        _ => None,
    };
    let (have, want) = (rank(from)?, rank(key)?);
    if let Expr::Const { value, .. } = value {
        let number = value.as_i64();
        let fitted = match (key, number) {
            (_, None) if value.is_null() => Datum::Null,
            (oid::INT2, Some(n)) => Datum::Int2(i16::try_from(n).ok()?),
            (oid::INT4, Some(n)) => Datum::Int4(i32::try_from(n).ok()?),
            (oid::INT8, Some(n)) => Datum::Int8(n),
            _ => return None,
        };
        return Some(constant(fitted, key));
    }
    if have > want {
        return None;
    }
    match find_cast(from, key, CastContext::Implicit)? {
        CastMethod::Function(function) => Some(Expr::Call {
            function,
            args: alloc::vec![value.clone()],
            type_oid: key,
        }),
        _ => None,
    }
}

/// The array of IN as one of the key's type.
pub fn key_array(array: &Expr, key: Oid) -> Option<Expr> {
    let element = pg_types::typeinfo::element_of(type_of(array))?;
    if element == key || textual(element) && textual(key) {
        return Some(array.clone());
    }
    let to = pg_types::typeinfo::array_of(key)?;
    match array {
        Expr::Const {
            value: Datum::Array(list),
            ..
        } => {
            let items = list
                .items
                .iter()
                .map(
                    |item| match key_value(&constant(item.clone(), element), key)? {
                        Expr::Const { value, .. } => Some(value),
                        _ => None,
                    },
                )
                .collect::<Option<_>>()?;
            Some(constant(Datum::array(key, items), to))
        }
        _ => None,
    }
}

/// Whether an expression can be a value for a scan of the leaf with these
/// variables: it uses none of them and gives the same at each row.
pub fn usable(expr: &Expr, own: &[usize], allowed: &dyn Fn(usize) -> bool) -> bool {
    !walk::is_volatile(expr)
        && !walk::any(expr, &mut |e| match e {
            Expr::Column { index, .. } => own.contains(index) || !allowed(*index),
            _ => false,
        })
}
