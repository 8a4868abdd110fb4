//! The door of the planner: statements to plans.
//!
//! The planner looks names up through [`CatalogAccess`], which a session
//! implements with [`SessionCatalog`] (the catalog's port and its transaction)
//! and a test with tables in memory. A plan holds for every session with the
//! same search path, and as long as the catalog's version stays.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;

pub use access::{CatalogAccess, SessionCatalog};

use alloc::string::String;
use alloc::vec::Vec;
use pg_builtins::EvalContext;
use pg_parser_port::Statement;
use pg_plan::{ExplainOptions, Expr, Plan, Planned};
use pg_types::{Oid, SqlError};
use port::{Component, Port};

/// What the planner does. Stateless; a call may read the catalog's pages.
pub trait Planner: Component {
    /// Plans a statement. The parameters' types end up in [`Plan::params`]; the
    /// types of parameters of utility statements are not reported.
    ///
    /// # Errors
    /// With PostgreSQL's SQLSTATEs and wording: 42P01, 42703, 42883, 42803 ...;
    /// 0A000 names what is not supported.
    fn plan(&self, statement: &Statement, context: &PlanContext<'_>) -> Result<Planned, SqlError>;

    /// Plans scalar expressions without columns, each assigned to a type: the
    /// arguments of EXECUTE.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    fn plan_arguments(
        &self,
        texts: &[String],
        types: &[Oid],
        context: &PlanContext<'_>,
    ) -> Result<Vec<Expr>, SqlError>;

    /// Plans an expression over the columns of a relation, in the order of its
    /// descriptor, given as SQL text: index expressions and predicates.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    fn plan_row_expr(
        &self,
        text: &str,
        relation: &pg_plan::Relation,
        context: &PlanContext<'_>,
    ) -> Result<Expr, SqlError>;

    /// EXPLAIN's lines.
    fn explain(&self, plan: &Plan, options: &ExplainOptions) -> Vec<String>;
}

/// The planner's door.
pub static PLANNER: Port<dyn Planner> = Port::new("pg_planner");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &PLANNER;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: port::Moves = port::Moves::doors_only();

/// What planning needs to know of the session.
#[derive(Clone, Copy)]
pub struct PlanContext<'a> {
    /// The catalog, as the transaction sees it.
    pub catalog: &'a dyn CatalogAccess,
    /// The session's settings, its search path among them; also folds constants.
    pub eval: &'a dyn EvalContext,
    /// Types of the parameters `$1`, `$2` ... as far as the client said; 0 is
    /// unknown, to be inferred.
    pub param_types: &'a [Oid],
}
