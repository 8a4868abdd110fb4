//! [`Sort`]: all input rows in order. With a bound (LIMIT above) no more than
//! about twice as many rows are kept: each time that many have gathered, they
//! are sorted and cut, and later rows behind the last one kept are not even
//! stored.

use super::{Builder, Input, Operator};
use crate::env::{Env, Memory};
use crate::expr::{Code, compile_option};
use crate::rows::RowBuffer;
use crate::sort_key::{KeyOrder, Keys, compare_keys};
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_plan::{Expr, Plan, SortKey};
use pg_types::{Datum, SqlResult};

/// Fewer rows than this are not cut.
const SMALLEST_CUT: usize = 256;

/// Sorts its input.
pub struct Sort {
    input: Input,
    keys: Keys,
    bound: Option<Code>,
    sorted: Option<Sorter>,
    at: usize,
    scratch: Vec<Datum>,
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

    fn read(&mut self, env: &mut Env<'_>) -> SqlResult<Sorter> {
        let bound = match &mut self.bound {
            Some(code) => code
                .eval_int(&[], env)?
                .and_then(|b| usize::try_from(b).ok()),
            None => None,
        };
        let mut sorter = Sorter::new(
            &self.keys.orders,
            self.input.width(),
            bound.unwrap_or(usize::MAX),
        );
        while self.input.next(env)? {
            env.tick()?;
            self.keys.eval(self.input.row(), env, &mut self.scratch)?;
            sorter.push(self.input.row(), &self.scratch, &mut env.run.memory)?;
        }
        sorter.sort();
        Ok(sorter)
    }
}

impl Operator for Sort {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        match &mut self.sorted {
            None => {
                let sorter = self.read(env)?;
                self.sorted = Some(sorter);
                self.at = 0;
            }
            Some(_) => self.at += 1,
        }
        Ok(self
            .sorted
            .as_ref()
            .is_some_and(|s| s.row(self.at).is_some()))
    }

    fn row(&self) -> &[Datum] {
        self.sorted
            .as_ref()
            .and_then(|s| s.row(self.at))
            .unwrap_or_default()
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        if let Some(mut sorted) = self.sorted.take() {
            sorted.clear(&mut env.run.memory);
        }
        self.at = 0;
        self.input.reset(env)
    }
}
