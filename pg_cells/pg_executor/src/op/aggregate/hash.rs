//! [`HashAggregate`]: all groups at once. With grouping sets each set has a hash
//! table of its own, and one pass over the input feeds them all; keys outside a
//! set are NULL in its rows, and GROUPING tells them from real NULLs.
//!
//! When the memory is used up, the groups that are there are fed on, and input
//! rows of other groups are dealt to tapes by the hash of their keys. Each tape
//! is grouped afterwards like an input of its own, for the set it was written
//! for. (PostgreSQL 13 does the same.)

use super::call::{AggCell, AggCode};
use crate::env::Env;
use crate::expr::{Code, eval_all};
use crate::groups::Groups;
use crate::op::{Input, Operator};
use crate::spill::partition::{DEEPEST, Partitions};
use crate::spill::tape::{Place, Tape};
use alloc::vec::Vec;
use pg_executor_port::Detail;
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
    /// Tapes that wait: of which set, and of the how manieth deal.
    waiting: Vec<(usize, Tape, u32)>,
    /// The tape that is read, and its present row.
    tape: Option<(Tape, Place)>,
    taped: Vec<Datum>,
    level: u32,
    told: Told,
    scratch: Vec<Datum>,
    masked: Vec<Datum>,
    row: Vec<Datum>,
}

/// What EXPLAIN ANALYZE is told.
#[derive(Default)]
struct Told {
    batches: u64,
    memory: usize,
    disk: u64,
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
    /// Where rows of further groups go.
    overflow: Option<Partitions>,
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
                overflow: None,
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
            waiting: Vec::new(),
            tape: None,
            taped: Vec::new(),
            level: 0,
            told: Told::default(),
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
        self.end_pass()
    }

    /// Groups the next tape that waits; false when there is none.
    fn read_tape(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let Some((set, tape, level)) = self.waiting.pop() else {
            return Ok(false);
        };
        self.forget(env);
        self.level = level;
        self.at = (set, 0);
        self.tape = Some((tape, Place::default()));
        while let Some((tape, place)) = &mut self.tape
            && tape.take(place, &mut self.taped)?
        {
            env.tick()?;
            eval_all(&mut self.keys, &self.taped, env, &mut self.scratch)?;
            self.feed(set, env)?;
        }
        self.tape = None;
        self.end_pass()?;
        Ok(true)
    }

    /// All rows have been seen: what did not fit waits for its turn.
    fn end_pass(&mut self) -> SqlResult<()> {
        self.told.batches += 1;
        self.told.memory = self.told.memory.max(self.bytes());
        for (number, set) in self.sets.iter_mut().enumerate() {
            let Some(overflow) = set.overflow.take() else {
                continue;
            };
            let level = overflow.level() + 1;
            for tape in overflow.finish()?.into_iter().flatten() {
                self.told.disk += tape.bytes();
                self.waiting.push((number, tape, level));
            }
        }
        Ok(())
    }

    /// Memory in use.
    fn bytes(&self) -> usize {
        let groups: usize = self.sets.iter().map(|s| s.groups.bytes()).sum();
        let kept: usize = self.calls.iter().map(AggCode::kept).sum();
        groups + kept + self.taken
    }

    /// Feeds the present input row to one set.
    fn feed(&mut self, at: usize, env: &mut Env<'_>) -> SqlResult<()> {
        self.masked.clear();
        let keep = |(key, member): (&Datum, &bool)| if *member { key.clone() } else { Datum::Null };
        self.masked
            .extend(self.scratch.iter().zip(&self.sets[at].members).map(keep));
        let group = match &mut self.sets[at] {
            Set {
                overflow: Some(overflow),
                groups,
                ..
            } => match groups.find(&self.masked) {
                Some(group) => group,
                None => {
                    let row = match &self.tape {
                        Some(_) => &self.taped,
                        None => self.input.row(),
                    };
                    return overflow.push(groups.hash(&self.masked), &[row], env);
                }
            },
            _ => self.group(at, env)?,
        };
        let row = match &self.tape {
            Some(_) => &self.taped,
            None => self.input.row(),
        };
        let width = self.calls.len();
        let cells = &mut self.sets[at].cells[group * width..][..width];
        for (call, cell) in self.calls.iter_mut().zip(cells) {
            call.step(cell, row, env)?;
        }
        Ok(())
    }

    /// The number of the group with the keys in `masked`. A new one may be the
    /// last for which there is memory.
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
            let full = self.bytes() > env.run.memory.hash;
            if full && env.spill.is_some() && self.level < DEEPEST {
                let overflow = Partitions::new(self.level, env);
                self.sets[at].overflow = Some(overflow);
            }
        }
        Ok(group)
    }

    /// Forgets all groups.
    fn forget(&mut self, env: &mut Env<'_>) {
        for set in &mut self.sets {
            set.groups.clear(&mut env.run.memory);
            set.cells.iter_mut().for_each(|c| AggCode::release(c, env));
            set.cells.clear();
            set.overflow = None;
        }
        self.calls.iter_mut().for_each(|c| c.forget(env));
        env.run.memory.give(core::mem::take(&mut self.taken));
    }

    /// Makes the next row of the groups in memory; false when all were given.
    fn give(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
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
}

impl Operator for HashAggregate {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.read {
            self.read(env)?;
        }
        loop {
            if self.give(env)? {
                return Ok(true);
            }
            if !self.read_tape(env)? {
                return Ok(false);
            }
        }
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
        self.forget(env);
        self.waiting.clear();
        self.tape = None;
        self.level = 0;
        self.told = Told::default();
        self.input.reset(env)
    }

    fn detail(&self) -> Detail {
        Detail::Groups {
            batches: self.told.batches,
            memory: self.told.memory as u64,
            disk: self.told.disk,
        }
    }
}
