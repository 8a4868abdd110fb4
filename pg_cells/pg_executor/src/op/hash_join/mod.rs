//! [`HashJoin`]: the right side goes into a hash table by its keys, each left
//! row looks its partners up. A key that is NULL has no partner.
//!
//! When the right side is larger than a hash table may be, both sides are dealt
//! to tapes by the hash of their keys, and each pair of tapes is joined by itself;
//! a pair whose right side is still too large is dealt again. (The grace hash join
//! of Kitsuregawa, Tanaka and Moto-oka, 1983.)

mod batches;
mod table;

use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::expr::{Code, compile, compile_option, eval_all, type_of};
use alloc::vec::Vec;
use batches::Batches;
use pg_executor_port::Detail;
use pg_plan::{Join, JoinKind};
use pg_types::{Datum, SqlResult};
use table::{END, Table};

/// A join by equality of keys.
pub struct HashJoin {
    kind: JoinKind,
    left: Input,
    right: Input,
    left_keys: Vec<Code>,
    right_keys: Vec<Code>,
    condition: Option<Code>,
    left_width: usize,
    right_width: usize,
    table: Table,
    /// What has gone to disk.
    batches: Batches,
    state: State,
    /// The next partner to try of the present left row.
    partner: u32,
    matched: bool,
    keys: Vec<Datum>,
    row: Vec<Datum>,
    taped: Vec<Datum>,
    /// The most memory that the table had.
    peak: usize,
    places: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Build,
    NeedLeft,
    Pairs,
    RightRest(usize),
    NextBatch,
    Done,
}

impl HashJoin {
    /// Compiles a join with hash keys.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(join: &Join, builder: &mut Builder) -> SqlResult<Self> {
        let left = builder.build(&join.left)?;
        let right = builder.build(&join.right)?;
        let (left_width, right_width) = (left.width(), right.width());
        let mut left_keys = Vec::new();
        let mut right_keys = Vec::new();
        let mut types = Vec::new();
        for (of_left, of_right) in &join.hash_keys {
            types.push(type_of(of_left));
            left_keys.push(compile(of_left, builder)?);
            right_keys.push(compile(of_right, builder)?);
        }
        Ok(HashJoin {
            kind: join.kind,
            left,
            right,
            left_keys,
            right_keys,
            condition: compile_option(join.condition.as_ref(), builder)?,
            left_width,
            right_width,
            table: Table::new(right_width, types),
            batches: Batches::default(),
            state: State::Build,
            partner: END,
            matched: false,
            keys: Vec::new(),
            row: Vec::new(),
            taped: Vec::new(),
            peak: 0,
            places: 0,
        })
    }

    fn keeps_right(&self) -> bool {
        matches!(self.kind, JoinKind::Right | JoinKind::Full)
    }

    /// Whether nothing comes of a join with an empty right side.
    fn needs_right(&self) -> bool {
        matches!(
            self.kind,
            JoinKind::Inner | JoinKind::Semi | JoinKind::Right
        )
    }

    /// Reads the right side; when it does not fit, both sides go to tapes.
    fn build(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        while self.right.next(env)? {
            env.tick()?;
            eval_all(&mut self.right_keys, self.right.row(), env, &mut self.keys)?;
            let null = self.keys.iter().any(Datum::is_null);
            if null && !self.keeps_right() {
                continue;
            }
            let hash = self.table.hash(&self.keys);
            if self.batches.is_dealing() {
                self.batches.push_right(hash, self.right.row(), env)?;
                continue;
            }
            let keep = self.keeps_right();
            self.table.push(
                self.right.row(),
                &self.keys,
                (!null).then_some(hash),
                keep,
                &mut env.run.memory,
            )?;
            self.spill_if_full(0, env)?;
        }
        self.note_size();
        if !self.batches.is_dealing() {
            self.state = State::NeedLeft;
            return Ok(());
        }
        while self.left.next(env)? {
            env.tick()?;
            eval_all(&mut self.left_keys, self.left.row(), env, &mut self.keys)?;
            let hash = self.table.hash(&self.keys);
            self.batches.push_left(hash, self.left.row(), env)?;
        }
        self.batches.end_deal()?;
        self.state = State::NextBatch;
        Ok(())
    }

    /// When the table is larger than it may be, its rows go to tapes, and what
    /// follows with them.
    fn spill_if_full(&mut self, level: u32, env: &mut Env<'_>) -> SqlResult<()> {
        if self.table.bytes() <= env.run.memory.hash || !self.batches.may_deal(level, env) {
            return Ok(());
        }
        self.note_size();
        self.batches.begin_deal(level, env);
        for at in 0..self.table.len() as u32 {
            env.tick()?;
            let hash = self.table.hash(self.table.key(at));
            self.batches.push_right(hash, self.table.row(at), env)?;
        }
        self.table.clear(&mut env.run.memory);
        Ok(())
    }

    /// Goes on with the next pair of tapes, dealing it again if it must be.
    fn next_batch(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.table.clear(&mut env.run.memory);
        let Some(level) = self.batches.next() else {
            self.state = State::Done;
            return Ok(());
        };
        let keep = self.keeps_right();
        while self.batches.take_right(&mut self.taped)? {
            env.tick()?;
            eval_all(&mut self.right_keys, &self.taped, env, &mut self.keys)?;
            let hash = self.table.hash(&self.keys);
            if self.batches.is_dealing() {
                self.batches.push_right(hash, &self.taped, env)?;
                continue;
            }
            let null = self.keys.iter().any(Datum::is_null);
            self.table.push(
                &self.taped,
                &self.keys,
                (!null).then_some(hash),
                keep,
                &mut env.run.memory,
            )?;
            self.spill_if_full(level, env)?;
        }
        self.note_size();
        if !self.batches.is_dealing() {
            self.state = State::NeedLeft;
            return Ok(());
        }
        while self.batches.take_left(&mut self.taped)? {
            env.tick()?;
            eval_all(&mut self.left_keys, &self.taped, env, &mut self.keys)?;
            let hash = self.table.hash(&self.keys);
            self.batches.push_left(hash, &self.taped, env)?;
        }
        self.batches.end_deal()
    }

    fn note_size(&mut self) {
        self.peak = self.peak.max(self.table.bytes());
        self.places = self.places.max(self.table.places());
    }

    /// Takes the next left row and finds its first partner.
    fn next_left(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let found = match self.batches.is_used() {
            true => self.batches.take_left(&mut self.row)?,
            false => self.left.next(env)?,
        };
        if !found {
            return Ok(false);
        }
        if !self.batches.is_used() {
            self.row.clear();
            self.row.extend_from_slice(self.left.row());
        }
        eval_all(&mut self.left_keys, &self.row, env, &mut self.keys)?;
        self.matched = false;
        self.partner = if self.keys.iter().any(Datum::is_null) {
            END
        } else {
            self.table.find(&self.keys)
        };
        Ok(true)
    }

    /// Tries partners; true when the row is to be given.
    fn pairs(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while self.partner != END {
            env.tick()?;
            let at = self.partner;
            self.partner = self.table.next(at);
            self.row.truncate(self.left_width);
            self.row.extend_from_slice(self.table.row(at));
            if let Some(condition) = &mut self.condition
                && !condition.is_true(&self.row, env)?
            {
                continue;
            }
            self.matched = true;
            self.table.mark(at);
            match self.kind {
                JoinKind::Semi => {
                    self.row.truncate(self.left_width);
                    self.state = State::NeedLeft;
                }
                JoinKind::Anti => {
                    self.state = State::NeedLeft;
                    return Ok(false);
                }
                _ => {}
            }
            return Ok(true);
        }
        self.state = State::NeedLeft;
        self.row.truncate(self.left_width);
        Ok(match self.kind {
            JoinKind::Left | JoinKind::Full if !self.matched => {
                self.row
                    .resize(self.left_width + self.right_width, Datum::Null);
                true
            }
            JoinKind::Anti => !self.matched,
            _ => false,
        })
    }

    /// Gives the next right row without a partner.
    fn right_rest(&mut self, from: usize) -> bool {
        let Some(at) = self.table.unmatched(from) else {
            self.state = State::NextBatch;
            return false;
        };
        self.row.clear();
        self.row.resize(self.left_width, Datum::Null);
        self.row.extend_from_slice(self.table.row(at as u32));
        self.state = State::RightRest(at + 1);
        true
    }

    /// The left rows of the table, or of the present batch, are done.
    fn end_left(&mut self) {
        self.state = match self.keeps_right() {
            true => State::RightRest(0),
            false => State::NextBatch,
        };
    }
}

impl Operator for HashJoin {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            match self.state {
                State::Build => self.build(env)?,
                State::NeedLeft => {
                    if self.table.is_empty() && self.needs_right() {
                        self.state = State::NextBatch;
                    } else if self.next_left(env)? {
                        self.state = State::Pairs;
                    } else {
                        self.end_left();
                    }
                }
                State::Pairs => {
                    if self.pairs(env)? {
                        return Ok(true);
                    }
                }
                State::RightRest(from) => {
                    if self.right_rest(from) {
                        return Ok(true);
                    }
                }
                State::NextBatch => self.next_batch(env)?,
                State::Done => return Ok(false),
            }
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        match self.kind {
            JoinKind::Semi | JoinKind::Anti => self.left_width,
            _ => self.left_width + self.right_width,
        }
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.state = State::Build;
        self.partner = END;
        self.left.reset(env)?;
        self.right.reset(env)?;
        self.table.clear(&mut env.run.memory);
        self.batches = Batches::default();
        (self.peak, self.places) = (0, 0);
        Ok(())
    }

    fn detail(&self) -> Detail {
        Detail::Hash {
            buckets: self.places.max(self.table.places()) as u64,
            batches: self.batches.count().max(1),
            memory: self.peak.max(self.table.bytes()) as u64,
        }
    }
}
