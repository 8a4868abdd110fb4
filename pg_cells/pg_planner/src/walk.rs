//! Expressions as trees: their types, their children, equality, rewriting.

use alloc::vec::Vec;
use pg_plan::{CaseArm, Expr, SubLink, SubLinkKind};
use pg_types::{Oid, oid};

/// The type of an expression's value.
pub fn type_of(expr: &Expr) -> Oid {
    match expr {
        Expr::Const { type_oid, .. }
        | Expr::Column { type_oid, .. }
        | Expr::Param { type_oid, .. }
        | Expr::Outer { type_oid, .. }
        | Expr::Call { type_oid, .. }
        | Expr::CastViaText { type_oid, .. }
        | Expr::ApplyTypmod { type_oid, .. }
        | Expr::Relabel { type_oid, .. }
        | Expr::Case { type_oid, .. }
        | Expr::CaseOperand { type_oid }
        | Expr::Coalesce { type_oid, .. }
        | Expr::NullIf { type_oid, .. }
        | Expr::MinMax { type_oid, .. }
        | Expr::Array { type_oid, .. }
        | Expr::Subscript { type_oid, .. }
        | Expr::Field { type_oid, .. }
        | Expr::NextValue { type_oid, .. }
        | Expr::Session { type_oid, .. } => *type_oid,
        Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull { .. }
        | Expr::IsBool { .. }
        | Expr::IsDistinct { .. }
        | Expr::Quantified { .. } => oid::BOOL,
        Expr::Row(_) => oid::RECORD,
        Expr::SubLink(link) => link.type_oid,
    }
}

/// The direct children. Of a subquery: what it is handed and compared with.
pub fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Const { .. }
        | Expr::Column { .. }
        | Expr::Param { .. }
        | Expr::Outer { .. }
        | Expr::CaseOperand { .. }
        | Expr::NextValue { .. }
        | Expr::Session { .. } => Vec::new(),
        Expr::Call { args, .. } | Expr::Coalesce { args, .. } | Expr::MinMax { args, .. } => {
            args.iter().collect()
        }
        Expr::And(args) | Expr::Or(args) | Expr::Row(args) => args.iter().collect(),
        Expr::Array { elements, .. } => elements.iter().collect(),
        Expr::CastViaText { input, .. }
        | Expr::ApplyTypmod { input, .. }
        | Expr::Relabel { input, .. }
        | Expr::IsNull { input, .. }
        | Expr::IsBool { input, .. } => alloc::vec![&**input],
        Expr::Not(input) => alloc::vec![&**input],
        Expr::Field { record, .. } => alloc::vec![&**record],
        Expr::IsDistinct { left, right, .. } | Expr::NullIf { left, right, .. } => {
            alloc::vec![&**left, &**right]
        }
        Expr::Quantified { left, array, .. } => alloc::vec![&**left, &**array],
        Expr::Subscript {
            array, subscripts, ..
        } => core::iter::once(&**array)
            .chain(subscripts.iter())
            .collect(),
        Expr::Case {
            operand,
            arms,
            otherwise,
            ..
        } => operand
            .iter()
            .map(|e| &**e)
            .chain(arms.iter().flat_map(|arm| [&arm.when, &arm.then]))
            .chain(otherwise.iter().map(|e| &**e))
            .collect(),
        Expr::SubLink(link) => {
            let left: &[Expr] = match &link.kind {
                SubLinkKind::Quantified { left, .. } => left,
                _ => &[],
            };
            left.iter().chain(&link.outer).collect()
        }
    }
}

/// Whether `test` holds anywhere in the expression.
pub fn any(expr: &Expr, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
    test(expr) || children(expr).into_iter().any(|child| any(child, test))
}

/// Rewrites from the top: where `f` gives an expression it stands, elsewhere
/// the children are rewritten.
///
/// A dispatch table, so longer than a function should be.
pub fn map(expr: Expr, f: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Expr {
    if let Some(new) = f(&expr) {
        return new;
    }
    let list = |list: Vec<Expr>, f: &mut dyn FnMut(&Expr) -> Option<Expr>| -> Vec<Expr> {
        list.into_iter().map(|e| map(e, f)).collect()
    };
    match expr {
        Expr::Call {
            function,
            args,
            type_oid,
        } => Expr::Call {
            function,
            args: list(args, f),
            type_oid,
        },
        Expr::Coalesce { args, type_oid } => Expr::Coalesce {
            args: list(args, f),
            type_oid,
        },
        Expr::MinMax {
            args,
            greatest,
            type_oid,
        } => Expr::MinMax {
            args: list(args, f),
            greatest,
            type_oid,
        },
        Expr::And(args) => Expr::And(list(args, f)),
        Expr::Or(args) => Expr::Or(list(args, f)),
        Expr::Row(args) => Expr::Row(list(args, f)),
        Expr::Array {
            elements,
            element,
            type_oid,
        } => Expr::Array {
            elements: list(elements, f),
            element,
            type_oid,
        },
        Expr::Not(input) => Expr::Not(map(*input, f).into()),
        Expr::CastViaText {
            input,
            from,
            type_oid,
            typmod,
        } => Expr::CastViaText {
            input: map(*input, f).into(),
            from,
            type_oid,
            typmod,
        },
        Expr::ApplyTypmod {
            input,
            type_oid,
            typmod,
            explicit,
        } => Expr::ApplyTypmod {
            input: map(*input, f).into(),
            type_oid,
            typmod,
            explicit,
        },
        Expr::Relabel { input, type_oid } => Expr::Relabel {
            input: map(*input, f).into(),
            type_oid,
        },
        Expr::IsNull { input, negated } => Expr::IsNull {
            input: map(*input, f).into(),
            negated,
        },
        Expr::IsBool {
            input,
            value,
            negated,
        } => Expr::IsBool {
            input: map(*input, f).into(),
            value,
            negated,
        },
        Expr::Field {
            record,
            index,
            type_oid,
        } => Expr::Field {
            record: map(*record, f).into(),
            index,
            type_oid,
        },
        Expr::IsDistinct {
            left,
            right,
            equal,
            negated,
        } => Expr::IsDistinct {
            left: map(*left, f).into(),
            right: map(*right, f).into(),
            equal,
            negated,
        },
        Expr::NullIf {
            left,
            right,
            equal,
            type_oid,
        } => Expr::NullIf {
            left: map(*left, f).into(),
            right: map(*right, f).into(),
            equal,
            type_oid,
        },
        Expr::Quantified {
            left,
            array,
            function,
            quantifier,
        } => Expr::Quantified {
            left: map(*left, f).into(),
            array: map(*array, f).into(),
            function,
            quantifier,
        },
        Expr::Subscript {
            array,
            subscripts,
            type_oid,
        } => Expr::Subscript {
            array: map(*array, f).into(),
            subscripts: list(subscripts, f),
            type_oid,
        },
        Expr::Case {
            operand,
            arms,
            otherwise,
            type_oid,
        } => Expr::Case {
            operand: operand.map(|e| map(*e, f).into()),
            arms: arms
                .into_iter()
                .map(|arm| CaseArm {
                    when: map(arm.when, f),
                    then: map(arm.then, f),
                })
                .collect(),
            otherwise: otherwise.map(|e| map(*e, f).into()),
            type_oid,
        },
        Expr::SubLink(link) => {
            let SubLink {
                kind,
                plan,
                outer,
                type_oid,
            } = *link;
            let kind = match kind {
                SubLinkKind::Quantified {
                    left,
                    functions,
                    quantifier,
                } => SubLinkKind::Quantified {
                    left: list(left, f),
                    functions,
                    quantifier,
                },
                kind => kind,
            };
            Expr::SubLink(
                SubLink {
                    kind,
                    plan,
                    outer: list(outer, f),
                    type_oid,
                }
                .into(),
            )
        }
        leaf => leaf,
    }
}

/// Structural equality. Subqueries are never the same.
///
/// A dispatch table, so longer than a function should be.
pub fn same(a: &Expr, b: &Expr) -> bool {
    let heads = match (a, b) {
        (
            Expr::Const {
                value: x,
                type_oid: t,
            },
            Expr::Const {
                value: y,
                type_oid: u,
            },
        ) => x == y && t == u,
        (Expr::Column { index: x, .. }, Expr::Column { index: y, .. })
        | (Expr::Param { number: x, .. }, Expr::Param { number: y, .. })
        | (Expr::Outer { index: x, .. }, Expr::Outer { index: y, .. }) => x == y,
        (Expr::Call { function: x, .. }, Expr::Call { function: y, .. }) => x == y,
        (
            Expr::CastViaText {
                type_oid: x,
                typmod: m,
                ..
            },
            Expr::CastViaText {
                type_oid: y,
                typmod: n,
                ..
            },
        )
        | (
            Expr::ApplyTypmod {
                type_oid: x,
                typmod: m,
                ..
            },
            Expr::ApplyTypmod {
                type_oid: y,
                typmod: n,
                ..
            },
        ) => x == y && m == n,
        (Expr::Relabel { type_oid: x, .. }, Expr::Relabel { type_oid: y, .. })
        | (Expr::Array { type_oid: x, .. }, Expr::Array { type_oid: y, .. }) => x == y,
        (Expr::And(_), Expr::And(_))
        | (Expr::Or(_), Expr::Or(_))
        | (Expr::Not(_), Expr::Not(_))
        | (Expr::Row(_), Expr::Row(_))
        | (Expr::Coalesce { .. }, Expr::Coalesce { .. })
        | (Expr::CaseOperand { .. }, Expr::CaseOperand { .. })
        | (Expr::Subscript { .. }, Expr::Subscript { .. }) => true,
        (Expr::IsNull { negated: x, .. }, Expr::IsNull { negated: y, .. }) => x == y,
        (
            Expr::IsBool {
                value: v,
                negated: x,
                ..
            },
            Expr::IsBool {
                value: w,
                negated: y,
                ..
            },
        ) => v == w && x == y,
        (
            Expr::IsDistinct {
                equal: v,
                negated: x,
                ..
            },
            Expr::IsDistinct {
                equal: w,
                negated: y,
                ..
            },
        ) => v == w && x == y,
        (Expr::NullIf { equal: x, .. }, Expr::NullIf { equal: y, .. }) => x == y,
        (Expr::MinMax { greatest: x, .. }, Expr::MinMax { greatest: y, .. }) => x == y,
        (
            Expr::Quantified {
                function: x,
                quantifier: p,
                ..
            },
            Expr::Quantified {
                function: y,
                quantifier: q,
                ..
            },
        ) => x == y && p == q,
        (Expr::Field { index: x, .. }, Expr::Field { index: y, .. }) => x == y,
        (
            Expr::Case {
                arms: x,
                operand: o,
                ..
            },
            Expr::Case {
                arms: y,
                operand: p,
                ..
            },
        ) => x.len() == y.len() && o.is_some() == p.is_some(),
        (Expr::Session { name: x, .. }, Expr::Session { name: y, .. }) => x == y,
        _ => false,
    };
    if !heads {
        return false;
    }
    let (left, right) = (children(a), children(b));
    left.len() == right.len() && left.into_iter().zip(right).all(|(x, y)| same(x, y))
}

/// Takes the conjuncts of a condition apart.
pub fn conjuncts(expr: Expr, out: &mut Vec<Expr>) {
    match expr {
        Expr::And(args) => args.into_iter().for_each(|arg| conjuncts(arg, out)),
        other => out.push(other),
    }
}

/// Puts conjuncts together again.
pub fn conjunction(mut list: Vec<Expr>) -> Option<Expr> {
    match list.len() {
        0 => None,
        1 => list.pop(),
        _ => Some(Expr::And(list)),
    }
}

/// Whether the expression contains a function that may differ at each call.
pub fn is_volatile(expr: &Expr) -> bool {
    any(expr, &mut |e| match e {
        Expr::NextValue { .. } => true,
        Expr::Call { function, .. } => pg_builtins::function_by_oid(*function)
            .is_none_or(|f| f.volatility == pg_builtins::Volatility::Volatile),
        _ => false,
    })
}
