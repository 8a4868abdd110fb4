//! Prepared plans and running queries.
//!
//! The traits are implemented in the cell; what the outside holds are the
//! handles of this file. Their fields are dropped in order: the object, whose
//! code is the cell's, before the reference that keeps that code loaded. The
//! code that drops the reference is this crate's.

use crate::{ExecContext, RowSink};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{OutputColumn, Plan};
use pg_types::SqlError;
use port::CellRef;

/// How far a query has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Rows that went into the sink in this call.
    pub rows: u64,
    /// Rows that the statement has changed so far.
    pub affected: u64,
    /// There are no more rows.
    pub done: bool,
}

/// What was measured of one operator; the list is in the order of a walk that
/// visits a plan before its inputs, in the order of its node's fields.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Measure {
    /// Rows it gave, in all loops.
    pub rows: u64,
    /// How often it was run.
    pub loops: u64,
    /// Nanoseconds up to the first row, in all loops.
    pub first: u64,
    /// Nanoseconds in it and below.
    pub total: u64,
    /// What its kind has to tell beside.
    pub detail: Detail,
}

/// What EXPLAIN ANALYZE tells of an operator of a kind, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// An index-only scan.
    IndexOnly {
        /// Rows that it had to look at, in all loops.
        heap_fetches: u64,
    },
    /// A sort.
    Sort {
        /// Only the first rows were wanted.
        top: bool,
        /// Bytes on disk; 0 when it stayed in memory.
        disk: u64,
        /// Bytes in memory.
        memory: u64,
    },
    /// The table of a hash join.
    Hash {
        /// Places of the table.
        buckets: u64,
        /// Parts the join was done in.
        batches: u64,
        /// Bytes of the largest part.
        memory: u64,
    },
    /// Groups in a hash table.
    Groups {
        /// Parts the grouping was done in.
        batches: u64,
        /// Bytes of the largest part.
        memory: u64,
        /// Bytes on disk.
        disk: u64,
    },
}

/// A compiled plan, as its cell implements it.
pub trait Prepared: Send + Sync {
    /// A query that has not read anything yet.
    ///
    /// # Errors
    /// As compiling.
    fn start(self: Arc<Self>) -> Result<Box<dyn Query>, SqlError>;

    /// The plan it was made of.
    fn plan(&self) -> &Arc<Plan>;
}

/// A running query, as its cell implements it.
pub trait Query: Send {
    /// Runs on until `max_rows` rows (zero: all) went into the sink or there are
    /// no more. After an error the query is over.
    ///
    /// # Errors
    /// Whatever the statement, its data or its limits bring about.
    fn next_batch(
        &mut self,
        ctx: &mut ExecContext<'_>,
        max_rows: u64,
        sink: &mut dyn RowSink,
    ) -> Result<Progress, SqlError>;

    /// What was measured so far; empty unless asked for.
    fn measures(&self) -> Vec<Measure>;

    /// Ends it; its memory serves the plan's next start.
    fn close(self: Box<Self>);
}

/// A compiled plan.
#[derive(Clone)]
pub struct PreparedPlan {
    object: Arc<dyn Prepared>,
    keep: CellRef,
    generation: u64,
}

impl PreparedPlan {
    /// Wraps what a cell made. `keep` keeps the cell loaded.
    #[must_use]
    pub fn new(object: Arc<dyn Prepared>, keep: CellRef) -> Self {
        PreparedPlan {
            object,
            keep,
            generation: crate::generation(),
        }
    }

    /// The same, noted as made when the executor's number was this.
    #[must_use]
    pub fn of_generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// As compiling.
    pub fn start(&self) -> Result<RunningQuery, SqlError> {
        let object = Arc::clone(&self.object).start()?;
        Ok(RunningQuery {
            object: Some(object),
            keep: self.keep.clone(),
        })
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        self.object.plan()
    }

    /// The columns of its rows.
    #[must_use]
    pub fn columns(&self) -> &[OutputColumn] {
        let plan = self.object.plan();
        &plan.columns
    }

    /// Whether the executor it was made by is the one in place.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.generation == crate::generation()
    }
}

impl core::fmt::Debug for PreparedPlan {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PreparedPlan({:?})", self.keep)
    }
}

/// A running query. Dropping it ends it.
pub struct RunningQuery {
    /// There until it is closed.
    object: Option<Box<dyn Query>>,
    keep: CellRef,
}

impl RunningQuery {
    /// See [`Query::next_batch`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn next_batch(
        &mut self,
        ctx: &mut ExecContext<'_>,
        max_rows: u64,
        sink: &mut dyn RowSink,
    ) -> Result<Progress, SqlError> {
        match &mut self.object {
            Some(object) => object.next_batch(ctx, max_rows, sink),
            None => Ok(Progress {
                done: true,
                ..Progress::default()
            }),
        }
    }

    /// See [`Query::measures`].
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        self.object
            .as_ref()
            .map(|o| o.measures())
            .unwrap_or_default()
    }
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            object.close();
        }
    }
}

impl core::fmt::Debug for RunningQuery {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RunningQuery({:?})", self.keep)
    }
}
