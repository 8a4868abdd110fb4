//! Statements to plans: names and types resolved, access paths and join orders
//! chosen.
//!
//! The way of a query: [`query`] and [`select`] resolve it into a
//! [`select::Block`] (with [`scope`] for names, [`expr`] and its neighbours for
//! expressions, [`from`] for FROM); [`finish`] turns the block into operators,
//! [`order_joins`], [`join`] and [`access`] choosing how rows are found (by an
//! index alone: [`index_only`]). The
//! variables that stand for columns meanwhile are explained in [`analyzer`].
//! Data changes are in [`insert`] and [`update`], schema changes in [`ddl`] and
//! [`alter`], everything else in [`utility`]; [`explain`] prints plans.
//!
//! Stateless: a call ends on the version of the cell it began on.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod aggregate;
mod alter;
mod analyzer;
mod array;
mod build;
mod call;
mod coerce;
mod compare;
mod conflict;
mod constraint;
mod create_index;
mod create_view;
mod cte;
mod ddl;
mod deparse;
mod error;
mod explain;
mod explain_names;
mod expr;
mod extremes;
mod finish;
mod from;
mod from_function;
mod from_query;
mod greedy;
mod group;
mod implication;
mod index_facts;
mod index_only;
mod index_paths;
mod insert;
mod join;
mod leaf;
mod literal;
mod lock;
mod logic;
mod matching;
mod merge;
mod order;
mod order_joins;
mod outer_joins;
mod path;
mod query;
mod scope;
mod select;
mod semi;
mod sequence;
mod stats;
mod sublink;
mod target;
mod types;
mod update;
mod utility;
mod walk;
mod window;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use analyzer::{Analyzer, Clause};
use pg_parser_port::Statement;
use pg_plan::{ExplainOptions, Expr, Plan, Planned, Relation};
use pg_planner_port::{PLANNER, PlanContext, Planner};
use pg_types::{Oid, SqlError};
use port::{Birth, BirthError, Cell, Component, CrashKind};

/// The cell.
pub static CELL: Cell = Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_planner_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&PLANNER, Box::new(PgPlanner) as Box<dyn Planner>);
    Ok(())
}

/// The provider; it has no state.
struct PgPlanner;

impl Component for PgPlanner {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Planner for PgPlanner {
    fn plan(&self, statement: &Statement, context: &PlanContext<'_>) -> Result<Planned, SqlError> {
        Analyzer::new(context).statement(statement)
    }

    fn plan_arguments(
        &self,
        texts: &[String],
        types: &[Oid],
        context: &PlanContext<'_>,
    ) -> Result<Vec<Expr>, SqlError> {
        let mut analyzer = Analyzer::new(context);
        texts
            .iter()
            .zip(types)
            .enumerate()
            .map(|(at, (text, to))| {
                let ast = target::parse_expr(text)?;
                let name = alloc::format!("${}", at + 1);
                let to = if *to == 0 { pg_types::oid::TEXT } else { *to };
                analyzer.lone_value(&ast, &name, to, -1, Clause::Values)
            })
            .collect()
    }

    fn plan_row_expr(
        &self,
        text: &str,
        relation: &Relation,
        context: &PlanContext<'_>,
    ) -> Result<Expr, SqlError> {
        let relation = Arc::new(relation.clone());
        Analyzer::new(context).row_text(&relation, text, Clause::Index)
    }

    fn explain(&self, plan: &Plan, options: &ExplainOptions) -> Vec<String> {
        explain::explain(plan, options)
    }
}
