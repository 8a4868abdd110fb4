//! The door of the executor: plans to rows.
//!
//! ```text
//! prepare(plan) ── Prepared ── start ── Query ── next_batch ... ── close
//!                     │                            rows go to a RowSink
//!                     └── kept in the session's cache, started again and again
//! ```
//! The cell is stateless and replaced by generations. [`Prepared`] and [`Query`]
//! are objects of the generation that made them and keep its code loaded, so a
//! suspended portal lives through a swap; a session prepares its cached plans
//! anew once [`generation`] has moved.
//!
//! What a statement needs while it runs comes in an [`ExecContext`] with each
//! call: the transaction, the parameters, the session. Rows of heap and tree are
//! read through their ports, so every call may block.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod context;
mod copy;
mod deferred;
pub mod errors;
mod query;
mod session;
mod spill;
mod touched;
mod utility;

pub use context::{ExecContext, NoViews, RowSink, VirtualRows};
pub use copy::{CopyIn, CopyInHandle, CopyOut, CopyOutHandle, CopySink};
pub use deferred::{Check, CheckKind, Deferred};
pub use query::{Detail, Measure, Prepared, PreparedPlan, Progress, Query, RunningQuery};
pub use session::{InTransaction, Session, SharedTransaction};
pub use spill::{DiskSpill, SpillFile, SpillStore};
pub use touched::Touched;
pub use utility::{IndexBuild, RowExprs, TableChangeRows, VacuumResult, insert_plan};

use alloc::sync::Arc;
use core::cell::RefCell;
use pg_plan::{Copy, Plan};
use pg_types::SqlError;
use port::{Component, Port};

/// The executor's door.
pub static EXECUTOR: Port<dyn Executor> = Port::new("pg_executor");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &EXECUTOR;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: port::Moves = port::Moves::doors_only();

/// What the executor does.
pub trait Executor: Component {
    /// Compiles a plan. With `measure`, what each operator does is measured
    /// ([`Query::measures`]).
    ///
    /// # Errors
    /// 42883 when it uses a function that is not known here.
    fn prepare(&self, plan: Arc<Plan>, measure: bool) -> Result<PreparedPlan, SqlError>;

    /// Starts COPY FROM.
    ///
    /// # Errors
    /// 0A000 for formats that are not supported, 42601 for senseless options.
    fn copy_in(&self, copy: &Copy) -> Result<CopyInHandle, SqlError>;

    /// Starts COPY TO.
    ///
    /// # Errors
    /// As [`Executor::copy_in`].
    fn copy_out(&self, copy: &Copy) -> Result<CopyOutHandle, SqlError>;

    /// Fills the index, whose file holds an empty tree and which nobody else
    /// uses yet, from the rows of its table. Gives the number of entries.
    ///
    /// # Errors
    /// 23505 when a unique index finds equal keys.
    fn build_index(
        &self,
        build: &IndexBuild<'_>,
        ctx: &mut ExecContext<'_>,
    ) -> Result<u64, SqlError>;

    /// Adds the entries that rows lack which are older than the index, while others
    /// keep it. Nobody may vacuum the table meanwhile. Gives their number.
    ///
    /// # Errors
    /// 23505 when a unique index finds equal keys.
    fn complete_index(
        &self,
        build: &IndexBuild<'_>,
        ctx: &mut ExecContext<'_>,
    ) -> Result<u64, SqlError>;

    /// Checks conditions over all rows of a table, or writes all of them anew
    /// into another file: ALTER TABLE. Gives the number of rows.
    ///
    /// # Errors
    /// 23502, 23514 when a row violates the change.
    fn change_rows(
        &self,
        change: &TableChangeRows<'_>,
        ctx: &mut ExecContext<'_>,
    ) -> Result<u64, SqlError>;

    /// Makes checks of constraints that have waited ([`Deferred::take`]).
    ///
    /// # Errors
    /// 23503, 23505 when a constraint does not hold.
    fn check_constraints(
        &self,
        checks: &[Check],
        ctx: &mut ExecContext<'_>,
    ) -> Result<(), SqlError>;

    /// Removes what no one can see any more from a table and its indexes.
    ///
    /// # Errors
    /// As the layers below; 57014.
    fn vacuum(
        &self,
        relation: &pg_plan::Relation,
        ctx: &mut ExecContext<'_>,
    ) -> Result<VacuumResult, SqlError>;

    /// Reads a table and measures it for the planner.
    ///
    /// # Errors
    /// As the layers below; 57014.
    fn analyze(
        &self,
        relation: &pg_plan::Relation,
        ctx: &mut ExecContext<'_>,
    ) -> Result<pg_catalog_port::TableStatistics, SqlError>;
}

/// What a transaction has to remember until it ends. Its session keeps it.
#[derive(Default, Debug)]
pub struct Notes {
    /// Checks of constraints that wait.
    pub deferred: RefCell<Deferred>,
    /// Rows that were changed.
    pub touched: RefCell<Touched>,
}

impl Notes {
    /// A savepoint begins.
    pub fn mark(&mut self) {
        self.deferred.get_mut().mark();
        self.touched.get_mut().mark();
    }

    /// Of the savepoints only the outermost `depth` stay.
    pub fn release(&mut self, depth: usize) {
        self.deferred.get_mut().release(depth);
        self.touched.get_mut().release(depth);
    }

    /// The savepoint number `depth`, counted from one, is gone back to, and stays.
    pub fn roll_back(&mut self, depth: usize) {
        self.deferred.get_mut().roll_back(depth);
        self.touched.get_mut().roll_back(depth);
    }

    /// The transaction has ended.
    #[inline]
    pub fn end(&mut self, committed: bool) {
        self.deferred.get_mut().clear();
        self.touched.get_mut().settle(committed);
    }
}

/// The number of the executor now in place; it moves with every swap.
#[must_use]
pub fn generation() -> u64 {
    EXECUTOR.generation()
}

/// Compiles a plan in the executor now in place.
///
/// # Errors
/// As [`Executor::prepare`]; 57P03 when there is none.
pub fn prepare(plan: Arc<Plan>) -> Result<PreparedPlan, SqlError> {
    // Read first: a swap in between then makes the plan look old, not new.
    let generation = generation();
    let prepared = EXECUTOR
        .enter()
        .map_err(errors::port_error)?
        .prepare(plan, false)?;
    Ok(prepared.of_generation(generation))
}
