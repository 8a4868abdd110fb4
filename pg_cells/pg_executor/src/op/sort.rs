//! [`Sort`]: all input rows in order. With a bound (LIMIT above) no more than
//! about twice as many rows are kept: each time that many have gathered, they
//! are sorted and cut, and later rows behind the last one kept are not even
//! stored. Without one, rows beyond `work_mem` go to disk as sorted runs, if
//! there is disk space to be had ([`super::spill`]).

use super::spill::{Merge, Run};
use super::{Builder, Input, Operator};
use crate::env::{Env, Memory};
use crate::expr::{Code, compile_option};
use crate::rows::RowBuffer;
use crate::sort_key::{KeyOrder, Keys, compare_keys};
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_executor_port::SpillStore;
use pg_plan::{Expr, Plan, SortKey};
use pg_types::{Datum, SqlResult};

/// Fewer rows than this are not cut.
const SMALLEST_CUT: usize = 256;

/// Sorts its input.
pub struct Sort {
    input: Input,
    keys: Keys,
    bound: Option<Code>,
    sorted: Option<Sorted>,
    at: usize,
    scratch: Vec<Datum>,
}

enum Sorted {
    Memory(Sorter),
    Disk(Merge),
}

/// Rows that are sorted by keys beside them.
pub struct Sorter {
    orders: Vec<KeyOrder>,
    rows: RowBuffer,
    keys: RowBuffer,
    /// The rows in order, once sorted.
    order: Vec<u32>,
    bound: usize,
    /// The worst row that is still wanted, as its keys.
    threshold: Option<Vec<Datum>>,
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
            bound,
            threshold: None,
        }
    }

    /// Adds a row with its keys.
    ///
    /// # Errors
    /// 53200 when the statement is out of memory.
    pub fn push(&mut self, row: &[Datum], keys: &[Datum], memory: &mut Memory) -> SqlResult<()> {
        if let Some(worst) = &self.threshold
            && compare_keys(&self.orders, keys, worst) != Ordering::Less
        {
            return Ok(());
        }
        self.rows.push(row, memory)?;
        self.keys.push(keys, memory)?;
        if self.rows.len() >= self.bound.saturating_mul(2).max(SMALLEST_CUT) {
            self.cut(memory)?;
        }
        Ok(())
    }

    /// Sorts and keeps the rows within the bound.
    fn cut(&mut self, memory: &mut Memory) -> SqlResult<()> {
        self.sort();
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

    /// Puts the rows in order; equal ones stay as they came.
    pub fn sort(&mut self) {
        self.order.clear();
        self.order.extend(0..self.rows.len() as u32);
        let (orders, keys) = (&self.orders, &self.keys);
        self.order
            .sort_by(|a, b| compare_keys(orders, keys.row(*a as usize), keys.row(*b as usize)));
        self.order.truncate(self.bound);
    }

    /// Row number `at` in order.
    #[must_use]
    pub fn row(&self, at: usize) -> Option<&[Datum]> {
        self.order.get(at).map(|i| self.rows.row(*i as usize))
    }

    /// Keys of row number `at` in order.
    #[must_use]
    pub fn keys(&self, at: usize) -> Option<&[Datum]> {
        self.order.get(at).map(|i| self.keys.row(*i as usize))
    }

    /// Bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.keys.bytes()
    }

    /// Writes the rows in order and forgets them.
    fn spill(&mut self, store: &dyn SpillStore, memory: &mut Memory) -> SqlResult<Run> {
        self.sort();
        let mut run = Run::new(store)?;
        for &at in &self.order {
            run.push(self.keys.row(at as usize), self.rows.row(at as usize))?;
        }
        self.clear(memory);
        Ok(run)
    }

    /// Gives the memory back.
    pub fn clear(&mut self, memory: &mut Memory) {
        self.rows.clear(memory);
        self.keys.clear(memory);
        self.order.clear();
        self.threshold = None;
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
        Ok(Sort {
            input: builder.build(input)?,
            keys: Keys::compile(keys, builder)?,
            bound: compile_option(bound, builder)?,
            sorted: None,
            at: 0,
            scratch: Vec::new(),
        })
    }

    fn read(&mut self, env: &mut Env<'_>) -> SqlResult<Sorted> {
        let bound = match &mut self.bound {
            Some(code) => code
                .eval_int(&[], env)?
                .and_then(|b| usize::try_from(b).ok()),
            None => None,
        };
        let bound = bound.unwrap_or(usize::MAX);
        let mut sorter = Sorter::new(&self.keys.orders, self.input.width(), bound);
        let mut runs = Vec::new();
        while self.input.next(env)? {
            env.tick()?;
            self.keys.eval(self.input.row(), env, &mut self.scratch)?;
            sorter.push(self.input.row(), &self.scratch, &mut env.run.memory)?;
            if let Some(store) = env.spill
                && sorter.bytes() > env.run.memory.work
            {
                runs.push(sorter.spill(store, &mut env.run.memory)?);
            }
        }
        if let Some(store) = env.spill
            && !runs.is_empty()
        {
            runs.push(sorter.spill(store, &mut env.run.memory)?);
            return Ok(Sorted::Disk(Merge::new(&self.keys.orders, runs)?));
        }
        sorter.sort();
        Ok(Sorted::Memory(sorter))
    }
}

impl Operator for Sort {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        match &self.sorted {
            None => {
                let sorted = self.read(env)?;
                self.sorted = Some(sorted);
                self.at = 0;
            }
            Some(_) => self.at += 1,
        }
        match &mut self.sorted {
            Some(Sorted::Memory(sorter)) => Ok(sorter.row(self.at).is_some()),
            Some(Sorted::Disk(merge)) => merge.advance(),
            None => Ok(false),
        }
    }

    fn row(&self) -> &[Datum] {
        match &self.sorted {
            Some(Sorted::Memory(sorter)) => sorter.row(self.at).unwrap_or_default(),
            Some(Sorted::Disk(merge)) => merge.row(),
            None => &[],
        }
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        if let Some(Sorted::Memory(mut sorter)) = self.sorted.take() {
            sorter.clear(&mut env.run.memory);
        }
        self.at = 0;
        self.input.reset(env)
    }
}
