//! Resolving an operator by symbol and operand types.

use super::candidates::{Candidate, Choice, choose};
use super::describe::describe_type;
use super::polymorphic::solve;
use super::{Coercion, coerce};
use crate::cast::CastContext;
use crate::operator::Operator;
use crate::table::operators_named;
use alloc::format;
use alloc::vec::Vec;
use pg_types::oid::{self, Oid};
use pg_types::{SqlError, SqlResult, SqlState};

/// An operator settled.
#[derive(Clone, Debug)]
pub struct ResolvedOperator {
    /// The operator; its `func` is what runs.
    pub op: &'static Operator,
    /// Type of each operand after coercion.
    pub arg_types: Vec<Oid>,
    /// How each operand is brought to it.
    pub coercions: Vec<Coercion>,
    /// Result type.
    pub ret: Oid,
}

/// Resolves `left name right`. Errors: 42883 `operator does not exist: integer = text`, 42725.
pub fn resolve_operator(name: &str, left: Oid, right: Oid) -> SqlResult<ResolvedOperator> {
    let ops: Vec<&'static Operator> = operators_named(name)
        .filter(|o| o.left != oid::INVALID)
        .collect();
    let candidates: Vec<Candidate> = ops
        .iter()
        .map(|o| Candidate {
            oid: o.oid,
            args: alloc::vec![o.left, o.right],
        })
        .collect();
    let actual = [left, right];
    // An unknown operand is first assumed to be of the other one's type.
    let assumed = match (left, right) {
        (oid::UNKNOWN, r) if r != oid::UNKNOWN => Some([r, r]),
        (l, oid::UNKNOWN) if l != oid::UNKNOWN => Some([l, l]),
        _ => None,
    };
    let choice = match assumed.and_then(|a| candidates.iter().position(|c| c.args == a)) {
        Some(i) => Choice::One(i),
        None => choose(&candidates, &actual),
    };
    match choice {
        Choice::One(i) => {
            settle(ops[i], &candidates[i].args, &actual).ok_or_else(|| undefined(name, &actual))
        }
        Choice::None => Err(undefined(name, &actual)),
        Choice::Ambiguous => Err(ambiguous(name, &actual)),
    }
}

/// Resolves the prefix operator `name operand`.
pub fn resolve_prefix_operator(name: &str, operand: Oid) -> SqlResult<ResolvedOperator> {
    let ops: Vec<&'static Operator> = operators_named(name)
        .filter(|o| o.left == oid::INVALID)
        .collect();
    let candidates: Vec<Candidate> = ops
        .iter()
        .map(|o| Candidate {
            oid: o.oid,
            args: alloc::vec![o.right],
        })
        .collect();
    let actual = [operand];
    match choose(&candidates, &actual) {
        Choice::One(i) => {
            settle(ops[i], &candidates[i].args, &actual).ok_or_else(|| undefined(name, &actual))
        }
        Choice::None => Err(undefined(name, &actual)),
        Choice::Ambiguous => Err(ambiguous(name, &actual)),
    }
}

fn settle(op: &'static Operator, declared: &[Oid], actual: &[Oid]) -> Option<ResolvedOperator> {
    let solved = solve(declared, op.ret, actual).ok()?;
    let coercions = actual
        .iter()
        .zip(&solved.args)
        .map(|(a, t)| coerce(*a, *t, CastContext::Implicit))
        .collect::<Option<_>>()?;
    Some(ResolvedOperator {
        op,
        arg_types: solved.args,
        coercions,
        ret: solved.ret,
    })
}

fn shown(name: &str, actual: &[Oid]) -> alloc::string::String {
    match actual {
        [operand] => format!("{name} {}", describe_type(*operand)),
        [l, r] => format!("{} {name} {}", describe_type(*l), describe_type(*r)),
        _ => name.into(),
    }
}

fn undefined(name: &str, actual: &[Oid]) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {}", shown(name, actual)))
        .with_hint(
            if actual.len() == 1 {
                "No operator matches the given name and argument type. You might need to add an explicit type cast."
            } else {
                "No operator matches the given name and argument types. You might need to add explicit type casts."
            },
        )
}

fn ambiguous(name: &str, actual: &[Oid]) -> SqlError {
    SqlError::new(
        SqlState::AMBIGUOUS_FUNCTION,
        format!("operator is not unique: {}", shown(name, actual)),
    )
    .with_hint(
        "Could not choose a best candidate operator. You might need to add explicit type casts.",
    )
}
