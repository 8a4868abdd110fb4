//! AND, OR and NOT over typed conditions.

use crate::analyzer::Analyzer;
use crate::coerce::constant;
use crate::walk::type_of;
use alloc::vec::Vec;
use pg_builtins::{operator_by_oid, operators};
use pg_parser_port::ast::{BinaryOperator, Expr as Ast};
use pg_plan::{Expr, Quantifier};
use pg_types::{Datum, Oid, SqlResult, oid};

/// NOT, pushed down to what has a negation of its own: comparisons by their
/// negators, AND and OR by De Morgan's laws, as PostgreSQL does.
///
/// A dispatch table, so longer than a function should be.
pub fn negate(inner: Expr) -> Expr {
    match inner {
        Expr::Const {
            value: Datum::Bool(b),
            type_oid,
        } => constant(Datum::Bool(!b), type_oid),
        Expr::Const {
            value: Datum::Null,
            type_oid,
        } => constant(Datum::Null, type_oid),
        Expr::Not(inner) => *inner,
        Expr::And(list) => connect(list.into_iter().map(negate).collect(), false),
        Expr::Or(list) => connect(list.into_iter().map(negate).collect(), true),
        Expr::IsNull { input, negated } if type_of(&input) != oid::RECORD => Expr::IsNull {
            input,
            negated: !negated,
        },
        Expr::IsBool {
            input,
            value,
            negated,
        } => Expr::IsBool {
            input,
            value,
            negated: !negated,
        },
        Expr::IsDistinct {
            left,
            right,
            equal,
            negated,
        } => Expr::IsDistinct {
            left,
            right,
            equal,
            negated: !negated,
        },
        Expr::Call {
            function,
            args,
            type_oid,
        } => match negator(function, args.len()) {
            Some(function) => Expr::Call {
                function,
                args,
                type_oid,
            },
            None => Expr::Not(
                Expr::Call {
                    function,
                    args,
                    type_oid,
                }
                .into(),
            ),
        },
        Expr::Quantified {
            left,
            array,
            function,
            quantifier,
        } => match negator(function, 2) {
            Some(function) => {
                let quantifier = match quantifier {
                    Quantifier::Any => Quantifier::All,
                    Quantifier::All => Quantifier::Any,
                };
                Expr::Quantified {
                    left,
                    array,
                    function,
                    quantifier,
                }
            }
            None => Expr::Not(
                Expr::Quantified {
                    left,
                    array,
                    function,
                    quantifier,
                }
                .into(),
            ),
        },
        other => Expr::Not(other.into()),
    }
}

/// The function of the operator that gives the opposite.
pub fn negator(function: Oid, args: usize) -> Option<Oid> {
    if args != 2 {
        return None;
    }
    let operator = operators()
        .iter()
        .find(|o| o.func == function && o.left != oid::INVALID)?;
    let opposite = operator_by_oid(operator.negator)?;
    (opposite.left == operator.left && opposite.right == operator.right).then_some(opposite.func)
}

/// AND or OR over all, with constants taken out.
pub fn connect(list: Vec<Expr>, and: bool) -> Expr {
    let mut out: Vec<Expr> = Vec::with_capacity(list.len());
    for part in list {
        match part {
            Expr::Const {
                value: Datum::Bool(b),
                ..
            } if b == and => {}
            Expr::Const {
                value: Datum::Bool(_),
                type_oid,
            } => return constant(Datum::Bool(!and), type_oid),
            Expr::And(inner) if and => out.extend(inner),
            Expr::Or(inner) if !and => out.extend(inner),
            other => out.push(other),
        }
    }
    match out.len() {
        0 => constant(Datum::Bool(and), oid::BOOL),
        1 => out.remove(0),
        _ if and => Expr::And(out),
        _ => Expr::Or(out),
    }
}

impl Analyzer<'_> {
    /// A chain of AND or OR: collected without recursion, for it may be long.
    pub fn chain(&mut self, left: &Ast, right: &Ast, and: bool) -> SqlResult<Expr> {
        let mut parts: Vec<&Ast> = alloc::vec![right];
        let mut at = left;
        loop {
            match at {
                Ast::BinaryOp {
                    left,
                    op: BinaryOperator::And,
                    right,
                } if and => {
                    parts.push(right);
                    at = left;
                }
                Ast::BinaryOp {
                    left,
                    op: BinaryOperator::Or,
                    right,
                } if !and => {
                    parts.push(right);
                    at = left;
                }
                _ => break,
            }
        }
        parts.push(at);
        parts.reverse();
        let word = if and { "AND" } else { "OR" };
        let mut list = Vec::with_capacity(parts.len());
        for part in parts {
            let part = self.expr(part)?;
            list.push(self.boolean(part, word)?);
        }
        Ok(connect(list, and))
    }
}
