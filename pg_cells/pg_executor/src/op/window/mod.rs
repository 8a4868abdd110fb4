//! [`Window`]: the input row followed by the value of each window function. The
//! input is sorted by partition and order keys; one partition is kept at a time.
//! Which rows a frame holds is decided in [`frame`], the functions are in
//! [`call`].

mod call;
mod frame;

use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::expr::{Code, compile_all, eval_all, type_of};
use crate::rows::RowBuffer;
use crate::sort_key::{KeyOrder, Keys, compare_keys, same_group};
use alloc::vec::Vec;
use call::WindowCode;
use core::cmp::Ordering;
use pg_plan::{Expr, Plan, SortKey, WindowCall};
use pg_types::{Datum, Oid, SqlResult};

/// Window functions of one partitioning and order.
pub struct Window {
    input: Input,
    calls: Vec<WindowCode>,
    partition: Vec<Code>,
    partition_types: Vec<Oid>,
    order: Keys,
    part: Partition,
    /// Keys of the partition that is being given or read.
    keys: Option<Vec<Datum>>,
    /// The first row of the next partition has been read and is the input's.
    ahead: bool,
    input_done: bool,
    at: usize,
    /// The calls' values for the partition, row by row.
    values: Vec<Datum>,
    scratch: Vec<Datum>,
    row: Vec<Datum>,
}

/// The rows of a partition with what frames need to know of their order.
pub struct Partition {
    /// The rows.
    pub rows: RowBuffer,
    /// Values of the ORDER BY keys.
    pub order_keys: RowBuffer,
    /// Their orders.
    pub orders: Vec<KeyOrder>,
    /// For each row, the number of its peer group.
    pub group_of: Vec<u32>,
    /// The first row of each peer group, then the number of rows.
    pub group_starts: Vec<u32>,
}

impl Partition {
    fn clear(&mut self, env: &mut Env<'_>) {
        self.rows.clear(&mut env.run.memory);
        self.order_keys.clear(&mut env.run.memory);
        self.group_of.clear();
        self.group_starts.clear();
    }

    fn push(&mut self, row: &[Datum], keys: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        let at = self.rows.len();
        let peer = at > 0
            && compare_keys(&self.orders, self.order_keys.row(at - 1), keys) == Ordering::Equal;
        if !peer {
            self.group_starts.push(at as u32);
        }
        self.group_of.push(self.group_starts.len() as u32 - 1);
        self.rows.push(row, &mut env.run.memory)?;
        self.order_keys.push(keys, &mut env.run.memory)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that are peers of row `at`.
    pub fn peers(&self, at: usize) -> core::ops::Range<usize> {
        self.group(self.group_of[at] as usize)
    }

    /// The rows of a peer group.
    pub fn group(&self, group: usize) -> core::ops::Range<usize> {
        let start = self
            .group_starts
            .get(group)
            .map_or(self.len(), |s| *s as usize);
        let end = self
            .group_starts
            .get(group + 1)
            .map_or(self.len(), |s| *s as usize);
        start..end
    }

    /// Number of peer groups.
    pub fn groups(&self) -> usize {
        self.group_starts.len()
    }
}

impl Window {
    /// Compiles the calls.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(
        input: &Plan,
        calls: &[WindowCall],
        partition: &[Expr],
        order: &[SortKey],
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let input = builder.build(input)?;
        let order = Keys::compile(order, builder)?;
        let part = Partition {
            rows: RowBuffer::new(input.width()),
            order_keys: RowBuffer::new(order.orders.len()),
            orders: order.orders.clone(),
            group_of: Vec::new(),
            group_starts: Vec::new(),
        };
        Ok(Window {
            input,
            calls: calls
                .iter()
                .map(|c| WindowCode::compile(c, builder))
                .collect::<SqlResult<Vec<_>>>()?,
            partition: compile_all(partition, builder)?,
            partition_types: partition.iter().map(type_of).collect(),
            order,
            part,
            keys: None,
            ahead: false,
            input_done: false,
            at: 0,
            values: Vec::new(),
            scratch: Vec::new(),
            row: Vec::new(),
        })
    }

    /// Reads the next partition and computes its calls; false at the end.
    fn read(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        self.part.clear(env);
        self.at = 0;
        loop {
            env.tick()?;
            if !core::mem::take(&mut self.ahead) {
                if self.input_done || !self.input.next(env)? {
                    self.input_done = true;
                    break;
                }
                eval_all(
                    &mut self.partition,
                    self.input.row(),
                    env,
                    &mut self.scratch,
                )?;
                let same = self
                    .keys
                    .as_ref()
                    .is_some_and(|k| same_group(&self.partition_types, k, &self.scratch));
                if !same {
                    self.keys = Some(core::mem::take(&mut self.scratch));
                    if !self.part.is_empty() {
                        self.ahead = true;
                        break;
                    }
                }
            }
            self.order.eval(self.input.row(), env, &mut self.scratch)?;
            self.part.push(self.input.row(), &self.scratch, env)?;
        }
        if self.part.is_empty() {
            return Ok(false);
        }
        self.compute(env)?;
        Ok(true)
    }

    fn compute(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let width = self.calls.len();
        self.values.clear();
        self.values.resize(self.part.len() * width, Datum::Null);
        for (i, call) in self.calls.iter_mut().enumerate() {
            call.compute(&self.part, env, &mut |row, value| {
                self.values[row * width + i] = value
            })?;
        }
        Ok(())
    }
}

impl Operator for Window {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if self.at >= self.part.len() && !self.read(env)? {
            return Ok(false);
        }
        let width = self.calls.len();
        self.row.clear();
        self.row.extend_from_slice(self.part.rows.row(self.at));
        self.row
            .extend_from_slice(&self.values[self.at * width..][..width]);
        self.at += 1;
        Ok(true)
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.input.width() + self.calls.len()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.part.clear(env);
        self.keys = None;
        self.ahead = false;
        self.input_done = false;
        self.at = 0;
        self.input.reset(env)
    }
}
