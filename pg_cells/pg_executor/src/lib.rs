//! Runs plans: operators, expressions, and the commands that touch all rows of
//! a table.
//!
//! - [`prepare`]: compiled plans and running queries, the way in;
//! - [`op`]: the operators, one a file; [`expr`]: expressions;
//! - [`env`]: what both see of the world, [`store`]: tables and indexes;
//! - [`rows`], [`groups`], [`sort_key`], [`pieces`]: rows kept in memory, their
//!   order and equality; [`spill`]: rows that memory does not hold;
//! - [`utility`]: index builds, VACUUM, ANALYZE, ALTER TABLE; [`copy`]: COPY.
//!
//! The cell is stateless. It knows pages only through the ports of heap and
//! tree, and SQL text not at all.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod builtins;
pub mod copy;
pub mod env;
pub mod expr;
pub mod groups;
pub mod op;
pub mod pieces;
pub mod prepare;
pub mod rows;
pub mod sort_key;
pub mod spill;
pub mod store;
pub mod utility;
use alloc::boxed::Box;
use alloc::sync::Arc;
use pg_catalog_port::TableStatistics;
use pg_executor_port::{
    Check, CopyInHandle, CopyOutHandle, EXECUTOR, ExecContext, Executor, IndexBuild, PreparedPlan,
    TableChangeRows, VacuumResult,
};
use pg_plan::{Copy, Plan, Relation};
use pg_types::SqlError;
use port::{Birth, BirthError, CellRef, Component, CrashKind};

/// The cell.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_executor_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let provider = Provider {
        cell: birth.keep_alive(),
    };
    birth.provide(&EXECUTOR, Box::new(provider) as Box<dyn Executor>);
    Ok(())
}

/// What stands behind the port. The objects it hands out keep the cell loaded.
struct Provider {
    cell: CellRef,
}

impl Component for Provider {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Executor for Provider {
    fn prepare(&self, plan: Arc<Plan>, measure: bool) -> Result<PreparedPlan, SqlError> {
        let compiled = prepare::Compiled::new(plan, measure)?;
        Ok(PreparedPlan::new(Arc::new(compiled), self.cell.clone()))
    }

    fn copy_in(&self, copy: &Copy) -> Result<CopyInHandle, SqlError> {
        let object = copy::input::CopyFrom::new(copy)?;
        Ok(CopyInHandle::new(Box::new(object), self.cell.clone()))
    }

    fn copy_out(&self, copy: &Copy) -> Result<CopyOutHandle, SqlError> {
        let object = copy::output::CopyTo::new(copy)?;
        Ok(CopyOutHandle::new(Box::new(object), self.cell.clone()))
    }

    fn build_index(
        &self,
        build: &IndexBuild<'_>,
        ctx: &mut ExecContext<'_>,
    ) -> Result<u64, SqlError> {
        utility::index_build::build(build, ctx)
    }

    fn complete_index(
        &self,
        build: &IndexBuild<'_>,
        ctx: &mut ExecContext<'_>,
    ) -> Result<u64, SqlError> {
        utility::index_complete::complete(build, ctx)
    }

    fn change_rows(
        &self,
        change: &TableChangeRows<'_>,
        ctx: &mut ExecContext<'_>,
    ) -> Result<u64, SqlError> {
        utility::change_rows::change(change, ctx)
    }

    fn check_constraints(
        &self,
        checks: &[Check],
        ctx: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        utility::with_env(ctx, |env| op::modify::late::check(checks, env))
    }

    fn vacuum(
        &self,
        relation: &Relation,
        ctx: &mut ExecContext<'_>,
    ) -> Result<VacuumResult, SqlError> {
        utility::maintenance::vacuum(relation, ctx)
    }

    fn analyze(
        &self,
        relation: &Relation,
        ctx: &mut ExecContext<'_>,
    ) -> Result<TableStatistics, SqlError> {
        utility::statistics::analyze(relation, ctx)
    }
}

#[cfg(test)]
mod tests;
