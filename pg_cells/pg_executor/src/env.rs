//! What an operator sees of the world while it runs: [`Env`], handed down on
//! each call, and [`RunState`], what belongs to one execution and stays between
//! calls (common table expressions, working tables, memory in use).

use crate::builtins::EvalContext;
use crate::op::cte::CteSlot;
use crate::spill::spool::Spool;
use crate::store::RowStore;
use alloc::format;
use alloc::vec::Vec;
use pg_executor_port::{Measure, Notes, SpillStore, VirtualRows};
use pg_txn_port::CancelToken;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// How many rows an operator may handle between two looks at the cancel flag.
const ROWS_PER_LOOK: u32 = 64;

/// The surroundings of one call.
pub struct Env<'a> {
    /// The tables, under this statement's snapshot.
    pub store: &'a mut dyn RowStore,
    /// The statement's parameters.
    pub params: &'a [Datum],
    /// The session.
    pub session: &'a dyn EvalContext,
    /// Built-in views.
    pub views: &'a dyn VirtualRows,
    /// Disk space for what memory does not hold, if there is any.
    pub spill: Option<&'a dyn SpillStore>,
    /// What the transaction remembers, if anything.
    pub notes: Option<&'a Notes>,
    /// Tells that the statement is to be stopped.
    pub cancel: &'a CancelToken,
    /// Values of the enclosing row ([`pg_plan::Expr::Outer`]).
    pub outer: Vec<Datum>,
    /// The operand of the innermost simple CASE.
    pub operand: Datum,
    /// What belongs to the execution.
    pub run: &'a mut RunState,
    ticks: u32,
}

impl<'a> Env<'a> {
    /// An environment around a store.
    pub fn new(
        store: &'a mut dyn RowStore,
        params: &'a [Datum],
        session: &'a dyn EvalContext,
        views: &'a dyn VirtualRows,
        cancel: &'a CancelToken,
        run: &'a mut RunState,
    ) -> Self {
        Env {
            store,
            params,
            session,
            views,
            spill: None,
            notes: None,
            cancel,
            outer: Vec::new(),
            operand: Datum::Null,
            run,
            ticks: 0,
        }
    }

    /// Called once per row by everything that loops.
    ///
    /// # Errors
    /// 57014 when the statement is to be stopped.
    #[inline]
    pub fn tick(&mut self) -> SqlResult<()> {
        self.ticks += 1;
        if self.ticks >= ROWS_PER_LOOK {
            self.ticks = 0;
            return self.look();
        }
        Ok(())
    }

    /// The same for who counts otherwise: shows that the statement is alive.
    ///
    /// # Errors
    /// 57014 when the statement is to be stopped.
    #[cold]
    pub fn look(&self) -> SqlResult<()> {
        task_port::with_ledger(|ledger| ledger.sign_of_life());
        if self.cancel.is_cancelled() {
            return Err(SqlError::new(
                SqlState::QUERY_CANCELED,
                "canceling statement due to user request",
            ));
        }
        Ok(())
    }
}

/// What belongs to one execution.
#[derive(Default)]
pub struct RunState {
    /// Counts executions, so that what is computed once per statement knows
    /// when it is stale.
    pub epoch: u64,
    /// The common table expressions.
    pub ctes: Vec<CteSlot>,
    /// The working tables of recursive unions.
    pub working: Vec<Spool>,
    /// The operators hold what an earlier execution left: reset them first.
    pub stale: bool,
    /// Memory in use.
    pub memory: Memory,
    /// One per operator, when they are measured.
    pub measures: Vec<Measure>,
}

/// Bytes that are taken between two looks at how much there is.
const LOOK_BYTES: usize = 1 << 20;
/// Bytes that must be left for others when a statement takes more.
const LEFT_BYTES: u64 = 4 << 20;

/// A count of the bytes that operators keep.
#[derive(Clone, Debug)]
pub struct Memory {
    used: usize,
    /// When more than this is used, it is looked whether there is more.
    next_look: usize,
    /// Bytes that one sort or row store may use before it spills.
    pub work: usize,
    /// The same for a hash table.
    pub hash: usize,
    /// Bytes that the whole statement may use.
    pub limit: usize,
    /// Something has had temporary files.
    pub spilled: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            used: 0,
            next_look: LOOK_BYTES,
            work: 4 << 20,
            hash: 8 << 20,
            limit: usize::MAX,
            spilled: false,
        }
    }
}

impl Memory {
    /// Nothing used yet, with these bounds.
    #[must_use]
    pub fn new(work: usize, hash: usize, limit: usize) -> Self {
        Memory {
            used: 0,
            next_look: LOOK_BYTES.min(limit),
            work,
            hash,
            limit,
            spilled: false,
        }
    }

    /// Takes `bytes` more.
    ///
    /// # Errors
    /// 53200 when the statement then exceeds its limit.
    #[inline]
    pub fn take(&mut self, bytes: usize) -> SqlResult<()> {
        self.used += bytes;
        if self.used > self.next_look {
            self.look()
        } else {
            Ok(())
        }
    }

    /// Looks whether there is more to take: each time a good deal was taken.
    #[cold]
    fn look(&mut self) -> SqlResult<()> {
        self.next_look = self.used.saturating_add(LOOK_BYTES).min(self.limit);
        if self.used > self.limit {
            return Err(self.exhausted());
        }
        if memory::available() < LEFT_BYTES {
            let error = SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory");
            return Err(error.with_detail(format!(
                "The statement holds {} kB, and the system has no more.",
                self.used / 1024
            )));
        }
        Ok(())
    }

    /// Sets what the whole statement may use.
    pub fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
        self.next_look = self.next_look.min(bytes);
    }

    /// Gives `bytes` back.
    #[inline]
    pub fn give(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used
    }

    #[cold]
    fn exhausted(&self) -> SqlError {
        SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail(format!(
            "The statement holds more than its limit of {} kB.",
            self.limit / 1024
        ))
    }
}
