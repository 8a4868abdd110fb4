//! [`SortedAggregate`]: one group at a time, over input sorted by the keys or
//! without keys (then there is one group, even over no rows).

use super::call::{AggCell, AggCode};
use crate::env::Env;
use crate::expr::{Code, eval_all};
use crate::op::{Input, Operator};
use crate::sort_key::same_group;
use alloc::vec::Vec;
use pg_types::{Datum, Oid, SqlResult};

/// Aggregates runs of equal keys.
pub struct SortedAggregate {
    input: Input,
    keys: Vec<Code>,
    types: Vec<Oid>,
    calls: Vec<AggCode>,
    cells: Vec<AggCell>,
    /// Keys of the group being gathered.
    group: Option<Vec<Datum>>,
    scratch: Vec<Datum>,
    done: bool,
    row: Vec<Datum>,
}

impl SortedAggregate {
    /// Over an input.
    pub fn new(input: Input, keys: Vec<Code>, types: Vec<Oid>, calls: Vec<AggCode>) -> Self {
        SortedAggregate {
            input,
            keys,
            types,
            calls,
            cells: Vec::new(),
            group: None,
            scratch: Vec::new(),
            done: false,
            row: Vec::new(),
        }
    }

    fn begin(&mut self) -> SqlResult<()> {
        self.cells.clear();
        for call in &self.calls {
            self.cells.push(call.cell()?);
        }
        Ok(())
    }

    fn step(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let row = self.input.row();
        for (call, cell) in self.calls.iter_mut().zip(&mut self.cells) {
            call.step(cell, row, env)?;
        }
        Ok(())
    }

    /// Makes the output row of a finished group.
    fn finish(&mut self, keys: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        self.row.clear();
        self.row.extend_from_slice(keys);
        for (call, cell) in self.calls.iter().zip(&mut self.cells) {
            self.row.push(call.finish(cell, env)?);
            AggCode::release(cell, env);
        }
        self.cells.clear();
        self.calls.iter_mut().for_each(|c| c.forget(env));
        Ok(())
    }
}

impl Operator for SortedAggregate {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if self.done {
            return Ok(false);
        }
        if self.keys.is_empty() && self.group.is_none() {
            self.begin()?;
            self.group = Some(Vec::new());
        }
        if self.keys.is_empty() {
            while self.input.next(env)? {
                env.tick()?;
                self.step(env)?;
            }
        }
        while !self.keys.is_empty() && self.input.next(env)? {
            env.tick()?;
            eval_all(&mut self.keys, self.input.row(), env, &mut self.scratch)?;
            match &mut self.group {
                Some(group) if same_group(&self.types, group, &self.scratch) => self.step(env)?,
                Some(group) => {
                    let finished = core::mem::replace(group, core::mem::take(&mut self.scratch));
                    self.finish(&finished, env)?;
                    self.begin()?;
                    self.step(env)?;
                    return Ok(true);
                }
                None => {
                    self.group = Some(core::mem::take(&mut self.scratch));
                    self.begin()?;
                    self.step(env)?;
                }
            }
        }
        self.done = true;
        match self.group.take() {
            Some(group) => {
                self.finish(&group, env)?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.keys.len() + self.calls.len()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.done = false;
        self.group = None;
        self.cells.iter_mut().for_each(|c| AggCode::release(c, env));
        self.cells.clear();
        self.calls.iter_mut().for_each(|c| c.forget(env));
        self.input.reset(env)
    }
}
