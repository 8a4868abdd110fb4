//! Resolving a function call by name and argument types.

use super::candidates::{Candidate, Choice, choose};
use super::describe::describe_args;
use super::polymorphic::solve;
use super::{Coercion, coerce};
use crate::cast::CastContext;
use crate::function::Function;
use crate::table::functions_named;
use alloc::format;
use alloc::vec::Vec;
use pg_types::oid::{self, Oid};
use pg_types::{SqlError, SqlResult, SqlState};

/// A call settled: the function, the types it is called with and how each argument gets there.
#[derive(Clone, Debug)]
pub struct ResolvedFunction {
    /// The function.
    pub func: &'static Function,
    /// Type of each argument after coercion; polymorphic ones made concrete.
    pub arg_types: Vec<Oid>,
    /// How each argument is brought to it.
    pub coercions: Vec<Coercion>,
    /// Result type, concrete.
    pub ret: Oid,
}

/// Resolves a call of a built-in function. Errors: 42883 with PostgreSQL's hint, 42725 when
/// several fit.
pub fn resolve_function(name: &str, actual: &[Oid]) -> SqlResult<ResolvedFunction> {
    resolve_function_with(name, actual, false)
}

/// The same for a call with `VARIADIC array` as its last argument (`spread`).
pub fn resolve_function_with(
    name: &str,
    actual: &[Oid],
    spread: bool,
) -> SqlResult<ResolvedFunction> {
    let mut funcs: Vec<&'static Function> = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    // An exact match among plain functions hides a variadic one; so they come first.
    for variadic in [false, true] {
        for func in functions_named(name).filter(|f| f.variadic == variadic) {
            if let Some(args) = parameters(func, actual.len(), spread)
                && !candidates.iter().any(|c| c.args == args)
            {
                candidates.push(Candidate {
                    oid: func.oid,
                    args,
                });
                funcs.push(func);
            }
        }
    }
    match choose(&candidates, actual) {
        Choice::One(i) => settle(funcs[i], &candidates[i].args, actual),
        Choice::Ambiguous => Err(SqlError::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("function {name}({}) is not unique", describe_args(actual)),
        )
        .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.")),
        Choice::None => Err(undefined(name, actual)),
    }
}

/// 42883, as for a name or argument types that nothing fits.
pub(super) fn undefined(name: &str, actual: &[Oid]) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("function {name}({}) does not exist", describe_args(actual)),
    )
    .with_hint("No function matches the given name and argument types. You might need to add explicit type casts.")
}

/// Parameter types for `count` arguments; none when the function does not take so many.
fn parameters(func: &Function, count: usize, spread: bool) -> Option<Vec<Oid>> {
    if !func.variadic {
        return (func.args.len() == count && !spread).then(|| func.args.to_vec());
    }
    let fixed = func.args.len() - 1;
    let last = func.args[fixed];
    if spread {
        if count != func.args.len() {
            return None;
        }
        let mut args = func.args.to_vec();
        args[fixed] = match last {
            oid::ANY => oid::ANY,
            oid::ANYELEMENT => oid::ANYARRAY,
            oid::ANYCOMPATIBLE => oid::ANYCOMPATIBLEARRAY,
            elem => pg_types::typeinfo::array_of(elem)?,
        };
        return Some(args);
    }
    if count < func.args.len() {
        return None;
    }
    let mut args = func.args[..fixed].to_vec();
    args.resize(count, last);
    Some(args)
}

fn settle(
    func: &'static Function,
    declared: &[Oid],
    actual: &[Oid],
) -> SqlResult<ResolvedFunction> {
    let solved = solve(declared, func.ret, actual)?;
    let coercions = actual
        .iter()
        .zip(&solved.args)
        .map(|(a, t)| {
            coerce(*a, *t, CastContext::Implicit).ok_or_else(|| undefined(func.name, actual))
        })
        .collect::<SqlResult<_>>()?;
    Ok(ResolvedFunction {
        func,
        arg_types: solved.args,
        coercions,
        ret: solved.ret,
    })
}
