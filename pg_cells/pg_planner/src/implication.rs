//! Whether conditions imply another one, so that a partial index has all rows
//! that are asked for. Sound, not complete: as PostgreSQL's predtest for equal
//! clauses, AND and OR, IS NOT NULL, and comparisons of one value with constants.

use crate::matching::{Comparison, comparison};
use crate::walk::{self, same, type_of};
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_builtins::function_by_oid;
use pg_plan::{Expr, Quantifier};
use pg_types::{Datum, compare};

/// Whether `wanted` is true wherever all of `known` are.
pub fn implied(known: &[Expr], wanted: &Expr) -> bool {
    match wanted {
        Expr::And(parts) => parts.iter().all(|part| implied(known, part)),
        Expr::Or(parts) if parts.iter().any(|part| implied(known, part)) => true,
        _ => known.iter().any(|one| implies(one, wanted)),
    }
}

fn implies(known: &Expr, wanted: &Expr) -> bool {
    if same(known, wanted) {
        return true;
    }
    match known {
        Expr::And(parts) => implied(parts, wanted),
        // Whichever of them holds.
        Expr::Or(parts) => parts
            .iter()
            .all(|part| implied(core::slice::from_ref(part), wanted)),
        _ => {
            not_null(known, wanted)
                || listed(known).is_some_and(|each| each.iter().all(|one| bounds(one, wanted)))
                || compared(known).is_some_and(|one| bounds(&one, wanted))
        }
    }
}

/// `x IS NOT NULL` follows from whatever is true only of values.
fn not_null(known: &Expr, wanted: &Expr) -> bool {
    let Expr::IsNull {
        input,
        negated: true,
    } = wanted
    else {
        return false;
    };
    strict_in(known, input)
}

/// Whether `expr` is not true when `value` is NULL.
fn strict_in(expr: &Expr, value: &Expr) -> bool {
    if same(expr, value) {
        return true;
    }
    match expr {
        Expr::Call { function, args, .. } => {
            function_by_oid(*function).is_some_and(|f| f.strict)
                && args.iter().any(|arg| strict_in(arg, value))
        }
        Expr::Relabel { input, .. } | Expr::Not(input) => strict_in(input, value),
        Expr::Quantified {
            left,
            quantifier: Quantifier::Any,
            ..
        } => strict_in(left, value),
        _ => false,
    }
}

/// A comparison of something with a constant.
struct Bound<'e> {
    value: &'e Expr,
    kind: Comparison,
    constant: &'e Datum,
}

fn constant(expr: &Expr) -> Option<&Datum> {
    match expr {
        Expr::Const { value, .. } if !value.is_null() => Some(value),
        Expr::Relabel { input, .. } => constant(input),
        _ => None,
    }
}

fn compared(expr: &Expr) -> Option<Bound<'_>> {
    let found = comparison(expr).filter(|f| f.kind != Comparison::In)?;
    if let Some(right) = constant(found.right) {
        return Some(Bound {
            value: found.left,
            kind: found.kind,
            constant: right,
        });
    }
    Some(Bound {
        value: found.right,
        kind: found.kind.turned(),
        constant: constant(found.left)?,
    })
}

/// `x IN (1, 2)` as `x = 1`, `x = 2`.
fn listed(expr: &Expr) -> Option<Vec<Bound<'_>>> {
    let found = comparison(expr).filter(|f| f.kind == Comparison::In)?;
    let Datum::Array(array) = constant(found.right)? else {
        return None;
    };
    let bound = |constant| Bound {
        value: found.left,
        kind: Comparison::Equal,
        constant,
    };
    let items = array.items.iter().filter(|item| !item.is_null());
    Some(items.map(bound).collect())
}

/// Whether a bound puts a value within what `wanted` asks of the same value.
fn bounds(known: &Bound<'_>, wanted: &Expr) -> bool {
    if let Some(list) = listed(wanted) {
        return list.iter().any(|one| within(known, one));
    }
    compared(wanted).is_some_and(|one| within(known, &one))
}

fn within(known: &Bound<'_>, wanted: &Bound<'_>) -> bool {
    let (have, want) = (known.constant, wanted.constant);
    let comparable = core::mem::discriminant(have) == core::mem::discriminant(want)
        || have.as_i64().is_some() && want.as_i64().is_some();
    if !comparable || !same_value(known.value, wanted.value) {
        return false;
    }
    let order = match (have.as_i64(), want.as_i64()) {
        (Some(have), Some(want)) => have.cmp(&want),
        _ => compare(have, want),
    };
    use Comparison::{Equal, Greater, GreaterEqual, Less, LessEqual};
    match (known.kind, wanted.kind) {
        (Equal, Equal) | (LessEqual, LessEqual) | (GreaterEqual, GreaterEqual)
            if order == Ordering::Equal =>
        {
            true
        }
        (Equal | LessEqual, Less) => order == Ordering::Less,
        (Less, Less) | (Equal | Less | LessEqual, LessEqual) => order != Ordering::Greater,
        (Equal | GreaterEqual, Greater) => order == Ordering::Greater,
        (Greater, Greater) | (Equal | Greater | GreaterEqual, GreaterEqual) => {
            order != Ordering::Less
        }
        _ => false,
    }
}

/// The same value, whatever type it is relabelled to, or an integer in whatever
/// width.
fn same_value(a: &Expr, b: &Expr) -> bool {
    fn bare(expr: &Expr) -> &Expr {
        match expr {
            Expr::Relabel { input, .. } => bare(input),
            _ => expr,
        }
    }
    let (a, b) = (bare(a), bare(b));
    type_of(a) == type_of(b) && same(a, b)
}

/// Whether an expression has a parameter: another value of it might imply more.
pub fn has_param(expr: &Expr) -> bool {
    walk::any(expr, &mut |e| matches!(e, Expr::Param { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use pg_types::oid;

    fn column() -> Expr {
        Expr::Column {
            index: 0,
            type_oid: oid::INT4,
        }
    }

    fn is(name: &str, n: i32) -> Expr {
        let operator = pg_builtins::operators()
            .iter()
            .find(|o| o.name == name && o.left == oid::INT4 && o.right == oid::INT4)
            .unwrap();
        let value = Expr::Const {
            value: Datum::Int4(n),
            type_oid: oid::INT4,
        };
        Expr::Call {
            function: operator.func,
            args: vec![column(), value],
            type_oid: oid::BOOL,
        }
    }

    /// Every pair of comparisons, against what the numbers say.
    #[test]
    fn comparisons_imply_what_holds_for_all_numbers() {
        let names = ["=", "<", "<=", ">", ">="];
        let holds = |name: &str, x: i32, n: i32| match name {
            "=" => x == n,
            "<" => x < n,
            "<=" => x <= n,
            ">" => x > n,
            _ => x >= n,
        };
        let (mut proved, mut missed) = (0, 0);
        for (known, wanted) in names.iter().flat_map(|a| names.iter().map(move |b| (a, b))) {
            for (n, m) in (0..5).flat_map(|n| (0..5).map(move |m| (n, m))) {
                let truth = (-20..20).all(|x| !holds(known, x, n) || holds(wanted, x, m));
                let found = implied(&[is(known, n)], &is(wanted, m));
                assert!(
                    truth || !found,
                    "x {known} {n} does not imply x {wanted} {m}"
                );
                proved += u32::from(found);
                // `x > 1` implies `x >= 2` of integers alone.
                missed += u32::from(truth && !found);
            }
        }
        assert_eq!((proved, missed), (165, 8));
    }

    #[test]
    fn and_or_and_null() {
        let either = Expr::Or(vec![is("=", 1), is("=", 2)]);
        assert!(implied(&[is("=", 2)], &either));
        assert!(implied(core::slice::from_ref(&either), &is("<", 3)));
        assert!(!implied(core::slice::from_ref(&either), &is("<", 2)));
        let both = Expr::And(vec![is(">", 0), is("<", 9)]);
        assert!(implied(&[is("=", 4)], &both));
        assert!(!implied(&[is(">", 4)], &both));
        let not_null = Expr::IsNull {
            input: column().into(),
            negated: true,
        };
        assert!(implied(&[is(">", 4)], &not_null));
        assert!(!implied(&[], &not_null));
    }
}
