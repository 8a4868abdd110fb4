//! The table of built-in functions, operators, casts and aggregates.
//!
//! - [`function`], [`operator`], [`cast`], [`aggregate`]: what each row is;
//! - `func`, `operators`, `casts`: the rows, one file a subject;
//! - [`table`]: all rows, by id or name;
//! - [`resolve`]: which row an expression means, by the rules of "Type Conversion";
//! - [`coercion`]: values from one type to another; [`context`]: what functions ask of the session.
//!
//! Ids are PostgreSQL's where the function is; functions of our own start at 8000.
//! What users define is in `pg_catalog`; CASE, COALESCE and their like are plan nodes.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod aggregate;
pub mod cast;
mod casts;
pub mod coercion;
pub mod context;
mod func;
pub mod function;
mod json;
pub mod operator;
mod operators;
pub mod resolve;
pub mod system;
pub mod table;

pub use aggregate::{AggState, AggregateKind};
pub use cast::{Cast, CastContext, CastMethod, casts, find_cast};
pub use coercion::{
    apply, apply_typmod, call_by_oid, cast_elements, input_value, output_text, via_text,
};
pub use context::{BasicContext, Call, CatalogQuery, EvalContext, SequenceCall};
pub use func::{PatternCache, PatternFlags, quote_identifier, quote_string};
pub use function::{Body, Function, ScalarFn, SetFn, SetIter, Volatility, WindowKind};
pub use operator::Operator;
pub use resolve::{
    Coercion, ResolvedFunction, ResolvedOperator, coerce, common_type, resolve_function,
    resolve_operator, resolve_prefix_operator,
};
pub use table::{
    function_by_oid, functions, functions_named, operator_by_oid, operator_exact, operators,
    operators_named,
};

/// `server_version`.
pub const SERVER_VERSION: &str = "15.0";
/// `server_version_num`.
pub const SERVER_VERSION_NUM: &str = "150000";
/// `version()`.
pub const VERSION: &str = "PostgreSQL 15.0 (Mitos 0.1) on x86_64, compiled by rustc, 64-bit";
