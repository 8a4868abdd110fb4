//! [`HashAggregate`]: all groups at once. With grouping sets each set has a hash
//! table of its own, and one pass over the input feeds them all; keys outside a
//! set are NULL in its rows, and GROUPING tells them from real NULLs.

use super::call::{AggCell, AggCode};
use crate::env::Env;
use crate::expr::{Code, eval_all};
use crate::groups::Groups;
use crate::op::{Input, Operator};
use alloc::vec::Vec;
use pg_types::{Datum, Oid, SqlResult};

/// Bytes that a group's state is taken to use.
const CELL_BYTES: usize = 96;

/// Aggregates by hashing.
pub struct HashAggregate {
    input: Input,
    keys: Vec<Code>,
    calls: Vec<AggCode>,
    sets: Vec<Set>,
    /// Several sets: GROUPING's bits are the last column.
    several: bool,
    read: bool,
    /// The next row: set, group.
    at: (usize, usize),
    taken: usize,
    scratch: Vec<Datum>,
    masked: Vec<Datum>,
    row: Vec<Datum>,
}

/// One grouping set.
struct Set {
    /// Which keys belong to it.
    members: Vec<bool>,
    /// One bit per key, set for those outside, the last key lowest.
    grouping: i32,
    groups: Groups,
    /// The calls' states, group by group.
    cells: Vec<AggCell>,
}

impl HashAggregate {
    /// Over an input; no sets stand for one of all keys.
    pub fn new(
        input: Input,
        keys: Vec<Code>,
        types: Vec<Oid>,
        calls: Vec<AggCode>,
        sets: &[Vec<usize>],
    ) -> Self {
        let all: Vec<usize> = (0..keys.len()).collect();
        let several = !sets.is_empty();
        let make = |places: &[usize]| {
            let members: Vec<bool> = (0..keys.len()).map(|i| places.contains(&i)).collect();
            let grouping = members
                .iter()
                .fold(0, |bits, member| bits << 1 | i32::from(!member));
            Set {
                members,
                grouping,
                groups: Groups::new(&types),
                cells: Vec::new(),
            }
        };
        let sets = if several {
            sets.iter().map(|s| make(s)).collect()
        } else {
            alloc::vec![make(&all)]
        };
        HashAggregate {
            input,
            keys,
            calls,
            sets,
            several,
            read: false,
            at: (0, 0),
            taken: 0,
            scratch: Vec::new(),
            masked: Vec::new(),
            row: Vec::new(),
        }
    }

    fn read(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.read = true;
        while self.input.next(env)? {
            env.tick()?;
            eval_all(&mut self.keys, self.input.row(), env, &mut self.scratch)?;
            for at in 0..self.sets.len() {
                self.feed(at, env)?;
            }
        }
        // The empty set has its one row even over no input.
        self.masked.clear();
        self.masked.resize(self.keys.len(), Datum::Null);
        for at in 0..self.sets.len() {
            if self.sets[at].groups.is_empty() && !self.sets[at].members.contains(&true) {
                self.group(at, env)?;
            }
        }
        Ok(())
    }

    /// Feeds the present input row to one set.
    fn feed(&mut self, at: usize, env: &mut Env<'_>) -> SqlResult<()> {
        self.masked.clear();
        let keep = |(key, member): (&Datum, &bool)| if *member { key.clone() } else { Datum::Null };
        self.masked
            .extend(self.scratch.iter().zip(&self.sets[at].members).map(keep));
        let group = self.group(at, env)?;
        let width = self.calls.len();
        let cells = &mut self.sets[at].cells[group * width..][..width];
        for (call, cell) in self.calls.iter_mut().zip(cells) {
            call.step(cell, self.input.row(), env)?;
        }
        Ok(())
    }

    /// The number of the group with the keys in `masked`.
    fn group(&mut self, at: usize, env: &mut Env<'_>) -> SqlResult<usize> {
        let set = &mut self.sets[at];
        let (group, new) = set.groups.enter(&self.masked, &mut env.run.memory)?;
        if new {
            let bytes = CELL_BYTES * self.calls.len();
            env.run.memory.take(bytes)?;
            self.taken += bytes;
            for call in &self.calls {
                set.cells.push(call.cell()?);
            }
        }
        Ok(group)
    }
}

impl Operator for HashAggregate {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.read {
            self.read(env)?;
        }
        while let Some(set) = self.sets.get_mut(self.at.0) {
            if self.at.1 == set.groups.len() {
                self.at = (self.at.0 + 1, 0);
                continue;
            }
            let group = self.at.1;
            self.at.1 += 1;
            self.row.clear();
            self.row.extend_from_slice(set.groups.row(group));
            let width = self.calls.len();
            let cells = &mut set.cells[group * width..][..width];
            for (call, cell) in self.calls.iter().zip(cells) {
                self.row.push(call.finish(cell, env)?);
            }
            if self.several {
                self.row.push(Datum::Int4(set.grouping));
            }
            env.tick()?;
            return Ok(true);
        }
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.keys.len() + self.calls.len() + usize::from(self.several)
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.read = false;
        self.at = (0, 0);
        for set in &mut self.sets {
            set.groups.clear(&mut env.run.memory);
            set.cells.iter_mut().for_each(|c| AggCode::release(c, env));
            set.cells.clear();
        }
        env.run.memory.give(core::mem::take(&mut self.taken));
        self.input.reset(env)
    }
}
