//! The names of `pg_builtins` that the executor uses, and look-ups that answer
//! with an SQL error.

pub use pg_builtins::context::{Call, EvalContext, SequenceCall};
pub use pg_builtins::function::{Body, Function, ScalarFn, SetFn, SetIter, WindowKind};

use alloc::format;
use pg_types::{Oid, SqlError, SqlResult, SqlState};

/// The function with this id.
///
/// # Errors
/// 42883 when there is none; the plan was made against another table of
/// functions.
pub fn function(oid: Oid) -> SqlResult<&'static Function> {
    pg_builtins::function_by_oid(oid).ok_or_else(|| {
        SqlError::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("function with OID {oid} does not exist"),
        )
    })
}

/// The scalar function with this id.
///
/// # Errors
/// 42883 when there is none, XX000 when it is of another kind.
pub fn scalar(oid: Oid) -> SqlResult<(ScalarFn, &'static Function)> {
    let function = function(oid)?;
    match function.body {
        Body::Scalar(body) => Ok((body, function)),
        _ => Err(SqlError::internal(format!(
            "function {} is used as a scalar function",
            function.name
        ))),
    }
}

/// Whether the function with this id is an equality that agrees with
/// `pg_types::equal`, so that values can be hashed instead of compared.
#[must_use]
pub fn is_hashable_equality(oid: Oid) -> bool {
    pg_builtins::function_by_oid(oid).is_some_and(|f| {
        let name = f.name;
        (name.ends_with("eq") && name != "bpchareq" && f.args.len() == 2 && f.args[0] == f.args[1])
            || matches!(
                name,
                "date_eq"
                    | "time_eq"
                    | "timestamp_eq"
                    | "timestamptz_eq"
                    | "interval_eq"
                    | "uuid_eq"
            )
    })
}

/// The same for an inequality.
#[must_use]
pub fn is_hashable_inequality(oid: Oid) -> bool {
    pg_builtins::function_by_oid(oid).is_some_and(|f| {
        let name = f.name;
        (name.ends_with("ne") && name != "bpcharne" && f.args.len() == 2 && f.args[0] == f.args[1])
            || matches!(
                name,
                "date_ne"
                    | "time_ne"
                    | "timestamp_ne"
                    | "timestamptz_ne"
                    | "interval_ne"
                    | "uuid_ne"
            )
    })
}
