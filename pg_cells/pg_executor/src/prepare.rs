//! From a plan to a running query.
//!
//! A [`Compiled`] plan keeps the operator tree of its last execution: starting
//! it again is a reset, not a compilation. Two executions at a time (a portal
//! left open) simply compile a second tree.

use crate::env::{Env, Memory, RunState};
use crate::op::{Builder, Input};
use crate::spill::spool::Spool;
use crate::store::{PortStore, RowStore};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use pg_executor_port::errors::txn_error;
use pg_executor_port::{ExecContext, InTransaction, Measure, Prepared, Progress, Query, RowSink};
use pg_plan::Plan;
use pg_txn_port::Snapshot;
use pg_types::{SqlError, SqlResult};
use sync::SpinLock;

/// A tree that holds more memory than this is not kept.
const KEEP_BYTES: usize = 256 * 1024;

/// A compiled plan.
pub struct Compiled {
    plan: Arc<Plan>,
    measure: bool,
    /// The tree of an execution that has ended.
    spare: SpinLock<Option<Box<Running>>>,
}

impl Compiled {
    /// Compiles a plan.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new(plan: Arc<Plan>, measure: bool) -> SqlResult<Self> {
        let first = Running::compile(&plan, measure)?;
        Ok(Compiled {
            plan,
            measure,
            spare: SpinLock::new(Some(first)),
        })
    }
}

impl Prepared for Compiled {
    fn start(self: Arc<Self>) -> Result<Box<dyn Query>, SqlError> {
        let spare = self.spare.lock().take();
        let mut running = match spare {
            Some(running) => running,
            None => Running::compile(&self.plan, self.measure)?,
        };
        running.home = Some(self);
        Ok(running)
    }

    fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
}

/// One execution.
pub struct Running {
    root: Input,
    run: RunState,
    /// Columns of the output, hidden ones left out.
    visible: usize,
    /// The tree has been used and must be reset first.
    used: bool,
    done: bool,
    /// It ended with an error: its tree is not used again.
    failed: bool,
    /// From the first batch to the last.
    snapshot: Option<Arc<Snapshot>>,
    home: Option<Arc<Compiled>>,
}

impl Running {
    /// Compiles a plan's operators.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn compile(plan: &Plan, measure: bool) -> SqlResult<Box<Self>> {
        let mut builder = Builder {
            instrument: measure,
            ..Builder::default()
        };
        let root = builder.build(plan)?;
        let run = RunState {
            epoch: 0,
            ctes: builder.ctes,
            working: builder.working.iter().map(|w| Spool::new(*w)).collect(),
            stale: false,
            memory: Memory::default(),
            measures: alloc::vec![Measure::default(); builder.measured],
        };
        Ok(Box::new(Running {
            visible: root.width().saturating_sub(plan.hidden),
            root,
            run,
            used: false,
            done: false,
            failed: false,
            snapshot: None,
            home: None,
        }))
    }

    /// Runs on in an environment made by `env`, as [`Query::next_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn advance(
        &mut self,
        surroundings: Surroundings<'_>,
        max_rows: u64,
        sink: &mut dyn RowSink,
    ) -> SqlResult<Progress> {
        let mut progress = Progress {
            rows: 0,
            affected: self.root.affected(),
            done: self.done,
        };
        if self.done {
            return Ok(progress);
        }
        let mut env = surroundings.env(&mut self.run);
        if !core::mem::replace(&mut self.used, true) {
            env.run.epoch += 1; // Zero stands for "never".
        }
        loop {
            if max_rows != 0 && progress.rows == max_rows {
                break;
            }
            if !self.root.next(&mut env)? {
                self.done = true;
                progress.done = true;
                break;
            }
            let row = self.root.row().get(..self.visible).unwrap_or_default();
            sink.row(row, env.session)?;
            progress.rows += 1;
        }
        progress.affected = self.root.affected();
        Ok(progress)
    }

    /// Sets the memory that a sort or row store may use, and a hash table.
    pub fn limit_work(&mut self, work: usize, hash: usize) {
        self.run.memory.work = work;
        self.run.memory.hash = hash;
    }

    /// Sets the memory that the whole statement may use.
    pub fn limit_memory(&mut self, bytes: usize) {
        self.run.memory.set_limit(bytes);
    }

    /// Makes a used tree ready for another execution.
    ///
    /// # Errors
    /// As [`crate::op::Operator::reset`].
    pub fn rewind(&mut self, surroundings: Surroundings<'_>) -> SqlResult<()> {
        self.done = false;
        let mut env = surroundings.env(&mut self.run);
        env.run.epoch += 1;
        self.root.reset(&mut env)
    }
}

/// What an environment is made of, but for the execution's own state.
pub struct Surroundings<'a> {
    /// The tables.
    pub store: &'a mut dyn RowStore,
    /// The parameters.
    pub params: &'a [pg_types::Datum],
    /// The session.
    pub session: &'a dyn crate::builtins::EvalContext,
    /// Built-in views.
    pub views: &'a dyn pg_executor_port::VirtualRows,
    /// Ends the statement.
    pub cancel: &'a pg_txn_port::CancelToken,
    /// Disk space for what memory does not hold.
    pub spill: Option<&'a dyn pg_executor_port::SpillStore>,
    /// What the transaction remembers.
    pub notes: Option<&'a pg_executor_port::Notes>,
}

impl<'a> Surroundings<'a> {
    /// The environment for one call.
    pub fn env<'b>(self, run: &'b mut RunState) -> Env<'b>
    where
        'a: 'b,
    {
        let mut env = Env::new(
            self.store,
            self.params,
            self.session,
            self.views,
            self.cancel,
            run,
        );
        env.spill = self.spill;
        env.notes = self.notes;
        env
    }
}

impl Query for Running {
    fn next_batch(
        &mut self,
        ctx: &mut ExecContext<'_>,
        max_rows: u64,
        sink: &mut dyn RowSink,
    ) -> Result<Progress, SqlError> {
        let snapshot = match self.snapshot.take() {
            Some(snapshot) => snapshot,
            None => ctx.tx.snapshot().map_err(txn_error)?,
        };
        self.limit_work(ctx.work_mem, ctx.hash_mem);
        self.limit_memory(ctx.memory_limit);
        let cancel = ctx.tx.cancel_token().clone();
        let (params, views, spill) = (ctx.params, ctx.views, ctx.spill);
        let notes = ctx.session.notes();
        let tx = RefCell::new(&mut *ctx.tx);
        let session = InTransaction::new(ctx.session, &tx);
        let mut store = PortStore::new(&tx, snapshot);
        if self.used && self.run.stale {
            self.run.stale = false;
            let store = &mut store;
            self.rewind(Surroundings {
                store,
                params,
                session: &session,
                views,
                cancel: &cancel,
                spill,
                notes,
            })?;
        }
        let surroundings = Surroundings {
            store: &mut store,
            params,
            session: &session,
            views,
            cancel: &cancel,
            spill,
            notes,
        };
        let result = self.advance(surroundings, max_rows, sink);
        if !self.done && result.is_ok() {
            self.snapshot = Some(store.snapshot().clone());
        }
        if result.is_err() {
            self.done = true;
            self.failed = true;
        }
        result
    }

    fn measures(&self) -> Vec<Measure> {
        self.run.measures.clone()
    }

    fn close(mut self: Box<Self>) {
        self.snapshot = None;
        let Some(home) = self.home.take() else { return };
        // What has gone to disk is in the tree: it goes with it.
        let keep = !self.failed && !self.run.memory.spilled && self.run.memory.used() <= KEEP_BYTES;
        if keep && self.run.measures.is_empty() {
            self.run.stale = self.used;
            self.done = false;
            let former = home.spare.lock().replace(self);
            drop(former);
        }
    }
}
