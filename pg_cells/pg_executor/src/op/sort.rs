//! [`Sort`]: all input rows in order. With a bound (LIMIT above) no more than
//! about twice as many rows are kept: each time that many have gathered, they
//! are sorted and cut, and later rows behind the last one kept are not even
//! stored. Rows beyond `work_mem` go to disk as sorted runs, which are merged
//! ([`crate::spill::merge`]).
//!
//! [`Sorter`] is the sorting itself; aggregates with ORDER BY use it, too.

use super::{Builder, Input, Operator};
use crate::env::{Env, Memory};
use crate::expr::{Code, compile_option};
use crate::pieces;
use crate::rows::RowBuffer;
use crate::sort_key::{KeyOrder, Keys, compare_keys};
use crate::spill::merge::{Merge, reduce};
use crate::spill::tape::Tape;
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_executor_port::Detail;
use pg_plan::{Expr, Plan, SortKey};
use pg_types::{Datum, SqlResult};

/// Fewer rows than this are not cut.
const SMALLEST_CUT: usize = 256;
/// Bytes of a row's place in the order.
const ORDER_BYTES: usize = 4;

/// Sorts its input.
pub struct Sort {
    input: Input,
    keys: Keys,
    bound: Option<Code>,
    sorter: Sorter,
    /// The rows are in order.
    sorted: bool,
    scratch: Vec<Datum>,
}

/// Rows that are sorted by keys beside them.
pub struct Sorter {
    orders: Vec<KeyOrder>,
    rows: RowBuffer,
    keys: RowBuffer,
    /// The rows in order, once sorted.
    order: Vec<u32>,
    /// The next row to be given.
    at: usize,
    bound: usize,
    /// The worst row that is still wanted, as its keys.
    threshold: Option<Vec<Datum>>,
    /// Sorted runs on disk.
    tapes: Vec<Tape>,
    merge: Option<Merge>,
    /// The most memory that it had.
    peak: usize,
}

impl Sorter {
    /// For rows of `width` columns; at most `bound` are wanted.
    #[must_use]
    pub fn new(orders: &[KeyOrder], width: usize, bound: usize) -> Self {
        Sorter {
            orders: orders.to_vec(),
            rows: RowBuffer::new(width),
            keys: RowBuffer::new(orders.len()),
            order: Vec::new(),
            at: 0,
            bound,
            threshold: None,
            tapes: Vec::new(),
            merge: None,
            peak: 0,
        }
    }

    /// Adds a row with its keys.
    ///
    /// # Errors
    /// 53100 when the disk is full; 53200 when there is none and the statement is
    /// out of memory.
    pub fn push(&mut self, row: &[Datum], keys: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        if let Some(worst) = &self.threshold
            && compare_keys(&self.orders, keys, worst) != Ordering::Less
        {
            return Ok(());
        }
        self.rows.push(row, &mut env.run.memory)?;
        self.keys.push(keys, &mut env.run.memory)?;
        if self.rows.len() >= self.bound.saturating_mul(2).max(SMALLEST_CUT) {
            self.cut(env)?;
        }
        if self.bytes() > env.run.memory.work && env.spill.is_some() {
            self.spill(env)?;
        }
        Ok(())
    }

    /// Sorts and keeps the rows within the bound.
    fn cut(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.peak = self.peak.max(self.bytes());
        self.order(env)?;
        let memory = &mut env.run.memory;
        let mut rows = RowBuffer::new(self.rows.width());
        let mut keys = RowBuffer::new(self.keys.width());
        for &at in self.order.iter().take(self.bound) {
            rows.push(self.rows.row(at as usize), memory)?;
            keys.push(self.keys.row(at as usize), memory)?;
        }
        self.rows.clear(memory);
        self.keys.clear(memory);
        self.rows = rows;
        self.keys = keys;
        if self.keys.len() == self.bound && self.bound > 0 {
            self.threshold = Some(self.keys.row(self.bound - 1).to_vec());
        }
        Ok(())
    }

    /// Puts the rows in memory in order; equal ones stay as they came.
    fn order(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.order.clear();
        self.order.extend(0..self.rows.len() as u32);
        let (orders, keys) = (&self.orders, &self.keys);
        pieces::sort(&mut self.order, env, |a, b| {
            compare_keys(orders, keys.row(*a as usize), keys.row(*b as usize))
        })?;
        self.order.truncate(self.bound);
        Ok(())
    }

    /// Ends adding: the rows can be taken in order.
    ///
    /// # Errors
    /// 53100, 58030, 57014.
    pub fn sort(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.at = 0;
        if self.tapes.is_empty() {
            self.peak = self.peak.max(self.bytes());
            return self.order(env);
        }
        self.spill(env)?;
        reduce(&self.orders, &mut self.tapes, env)?;
        self.merge = Some(Merge::new(&self.orders, core::mem::take(&mut self.tapes))?);
        Ok(())
    }

    /// Moves to the next row in order; false at the end.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn advance(&mut self) -> SqlResult<bool> {
        self.at += 1;
        match &mut self.merge {
            Some(_) if self.at > self.bound => Ok(false),
            Some(merge) => merge.advance(),
            None => Ok(self.at <= self.order.len()),
        }
    }

    /// The row that [`Sorter::advance`] moved to.
    #[must_use]
    pub fn row(&self) -> &[Datum] {
        match &self.merge {
            Some(merge) => merge.row(),
            None => {
                let at = self.at.checked_sub(1).and_then(|at| self.order.get(at));
                at.map_or(&[], |i| self.rows.row(*i as usize))
            }
        }
    }

    /// Bytes it holds.
    #[must_use]
    fn bytes(&self) -> usize {
        self.rows.bytes() + self.keys.bytes() + self.rows.len() * ORDER_BYTES
    }

    /// Writes the rows in order and forgets them.
    fn spill(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.peak = self.peak.max(self.bytes());
        self.order(env)?;
        self.tapes.push(Tape::new(env)?);
        let Some(tape) = self.tapes.last_mut() else {
            return Ok(());
        };
        for &at in &self.order {
            env.tick()?;
            tape.push(&[self.keys.row(at as usize), self.rows.row(at as usize)])?;
        }
        tape.finish()?;
        self.rows.clear(&mut env.run.memory);
        self.keys.clear(&mut env.run.memory);
        self.order.clear();
        Ok(())
    }

    /// Gives the memory and the space on disk back.
    pub fn clear(&mut self, memory: &mut Memory) {
        self.rows.clear(memory);
        self.keys.clear(memory);
        self.order.clear();
        self.threshold = None;
        self.tapes.clear();
        self.merge = None;
        self.at = 0;
        self.peak = 0;
    }

    fn detail(&self) -> Detail {
        Detail::Sort {
            top: self.bound != usize::MAX,
            disk: self.merge.as_ref().map_or(0, Merge::bytes),
            memory: self.peak as u64,
        }
    }
}

impl Sort {
    /// Compiles a sort.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(
        input: &Plan,
        keys: &[SortKey],
        bound: Option<&Expr>,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let input = builder.build(input)?;
        let keys = Keys::compile(keys, builder)?;
        Ok(Sort {
            sorter: Sorter::new(&keys.orders, input.width(), usize::MAX),
            input,
            keys,
            bound: compile_option(bound, builder)?,
            sorted: false,
            scratch: Vec::new(),
        })
    }

    fn read(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let bound = match &mut self.bound {
            Some(code) => code
                .eval_int(&[], env)?
                .and_then(|b| usize::try_from(b).ok()),
            None => None,
        };
        self.sorter.bound = bound.unwrap_or(usize::MAX);
        while self.input.next(env)? {
            env.tick()?;
            self.keys.eval(self.input.row(), env, &mut self.scratch)?;
            self.sorter.push(self.input.row(), &self.scratch, env)?;
        }
        self.sorter.sort(env)
    }
}

impl Operator for Sort {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.sorted {
            self.read(env)?;
            self.sorted = true;
        }
        self.sorter.advance()
    }

    fn row(&self) -> &[Datum] {
        self.sorter.row()
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.sorter.clear(&mut env.run.memory);
        self.sorted = false;
        self.input.reset(env)
    }

    fn detail(&self) -> Detail {
        self.sorter.detail()
    }
}
