//! [`SetOp`]: UNION by telling new rows from known ones; INTERSECT and EXCEPT by
//! counting the right side's rows in a hash table.
//!
//! For INTERSECT and EXCEPT the right side is read first; then left rows are given
//! or held back as they come, so only the right side and the rows given are kept.
//! When these do not fit, they and what is still to come of both sides are dealt
//! to tapes by the rows' hashes, and the operation is done a pair of tapes at a
//! time.

use super::distinct::{column_types, fit};
use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::groups::Groups;
use crate::spill::distinct::{Distinct, Seen};
use crate::spill::partition::{DEEPEST, Partitions};
use crate::spill::tape::{Place, Tape};
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_plan::{Plan, SetOpKind};
use pg_types::{Datum, Oid, SqlResult};

/// Makes the operator for a SetOp node.
///
/// # Errors
/// As the inputs.
pub fn build(
    kind: SetOpKind,
    all: bool,
    left: &Plan,
    right: &Plan,
    builder: &mut Builder,
) -> SqlResult<Input> {
    let types = column_types(left);
    let (left, right) = (builder.build(left)?, builder.build(right)?);
    let types = fit(types, left.width());
    Ok(match kind {
        SetOpKind::Union => Box::new(Union::new(all, left, right, &types)),
        SetOpKind::Intersect | SetOpKind::Except => {
            Box::new(SetOp::new(kind, all, left, right, &types))
        }
    })
}

/// UNION.
struct Union {
    /// Rows given, unless all are.
    seen: Option<Distinct>,
    inputs: [Input; 2],
    at: usize,
}

impl Union {
    fn new(all: bool, left: Input, right: Input, types: &[Oid]) -> Self {
        Union {
            seen: (!all).then(|| Distinct::new(types)),
            inputs: [left, right],
            at: 0,
        }
    }
}

impl Operator for Union {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while let Some(input) = self.inputs.get_mut(self.at) {
            env.tick()?;
            if !input.next(env)? {
                self.at += 1;
                continue;
            }
            let wanted = match &mut self.seen {
                Some(seen) => seen.enter(input.row(), env)? == Seen::New,
                None => true,
            };
            if wanted {
                return Ok(true);
            }
        }
        match &mut self.seen {
            Some(seen) => seen.later(env),
            None => Ok(false),
        }
    }

    fn row(&self) -> &[Datum] {
        match (self.inputs.get(self.at), &self.seen) {
            (Some(input), _) => input.row(),
            (None, Some(seen)) => seen.row(),
            (None, None) => &[],
        }
    }

    fn width(&self) -> usize {
        self.inputs[0].width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.at = 0;
        if let Some(seen) = &mut self.seen {
            seen.clear(env);
        }
        self.inputs.iter_mut().try_for_each(|i| i.reset(env))
    }
}

/// INTERSECT or EXCEPT.
pub struct SetOp {
    kind: SetOpKind,
    all: bool,
    left: Input,
    right: Input,
    rows: Groups,
    /// For each known row, how often the right side still has it; after a row
    /// was given without ALL, [`GIVEN`].
    counts: Vec<i64>,
    /// The right side has been counted.
    counted: bool,
    /// Being written: the right side, the left one.
    dealing: Option<(Partitions, Partitions)>,
    waiting: Vec<(Option<Tape>, Option<Tape>, u32)>,
    /// The left tape that is read; then the table is of its pair.
    tape: Option<(Tape, Place)>,
    level: u32,
    /// The left input is at its end.
    left_done: bool,
    taped: Vec<Datum>,
    counted_row: Vec<Datum>,
}

/// The row has been given and is not given again.
const GIVEN: i64 = -1;

impl SetOp {
    fn new(kind: SetOpKind, all: bool, left: Input, right: Input, types: &[Oid]) -> Self {
        SetOp {
            kind,
            all,
            left,
            right,
            rows: Groups::new(types),
            counts: Vec::new(),
            counted: false,
            dealing: None,
            waiting: Vec::new(),
            tape: None,
            level: 0,
            left_done: false,
            taped: Vec::new(),
            counted_row: Vec::new(),
        }
    }

    /// Reads and counts the right side, or deals it when it does not fit.
    fn count_right(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.counted = true;
        while self.right.next(env)? {
            env.tick()?;
            let row = self.right.row();
            if let Some((right, _)) = &mut self.dealing {
                right.push(self.rows.hash(row), &[row, &[Datum::Int8(1)]], env)?;
                continue;
            }
            let (at, new) = self.rows.enter(row, &mut env.run.memory)?;
            if new {
                self.counts.push(0);
            }
            self.counts[at] += 1;
            if new {
                self.deal_if_full(env)?;
            }
        }
        Ok(())
    }

    /// When the table is full, what was counted goes to tapes.
    fn deal_if_full(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let full = self.rows.bytes() + self.counts.len() * 8 > env.run.memory.hash;
        if !full || env.spill.is_none() || self.level >= DEEPEST {
            return Ok(());
        }
        let mut right = Partitions::new(self.level, env);
        let left = right.beside();
        for (at, count) in self.counts.iter().enumerate() {
            env.tick()?;
            let row = self.rows.row(at);
            right.push(self.rows.hash(row), &[row, &[Datum::Int8(*count)]], env)?;
        }
        self.dealing = Some((right, left));
        self.rows.clear(&mut env.run.memory);
        self.counts.clear();
        Ok(())
    }

    fn end_deal(&mut self) -> SqlResult<()> {
        let Some((right, left)) = self.dealing.take() else {
            return Ok(());
        };
        let level = right.level() + 1;
        for (right, left) in right.finish()?.into_iter().zip(left.finish()?) {
            // Without left rows nothing comes of it.
            if left.is_some() {
                self.waiting.push((right, left, level));
            }
        }
        Ok(())
    }

    /// Counts the right tape of the next pair; false when none waits.
    fn next_pair(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        self.rows.clear(&mut env.run.memory);
        self.counts.clear();
        let Some((right, left, level)) = self.waiting.pop() else {
            return Ok(false);
        };
        self.level = level;
        self.tape = left.map(|tape| (tape, Place::default()));
        let Some(mut right) = right else {
            return Ok(true);
        };
        let mut place = Place::default();
        let mut row = core::mem::take(&mut self.counted_row);
        while right.take(&mut place, &mut row)? {
            env.tick()?;
            let count = row.pop().and_then(|c| c.as_i64()).unwrap_or(0);
            if let Some((right, _)) = &mut self.dealing {
                right.push(self.rows.hash(&row), &[&row, &[Datum::Int8(count)]], env)?;
                continue;
            }
            let (at, new) = self.rows.enter(&row, &mut env.run.memory)?;
            if new {
                self.counts.push(0);
            }
            self.counts[at] += count;
            if new {
                self.deal_if_full(env)?;
            }
        }
        self.counted_row = row;
        Ok(true)
    }

    /// Moves to the next row of the left input, or of the left tape; false at its
    /// end.
    fn step_left(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        env.tick()?;
        if !self.left_done {
            self.left_done = !self.left.next(env)?;
            return Ok(!self.left_done);
        }
        let more = match &mut self.tape {
            Some((tape, place)) => tape.take(place, &mut self.taped)?,
            None => false,
        };
        if !more {
            self.tape = None;
        }
        Ok(more)
    }

    /// Moves to the next left row whose right side is in the table.
    fn next_left(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            while self.step_left(env)? {
                let Some((_, left)) = &mut self.dealing else {
                    return Ok(true);
                };
                let row = match &self.tape {
                    Some(_) => &self.taped,
                    None => self.left.row(),
                };
                left.push(self.rows.hash(row), &[row], env)?;
            }
            self.end_deal()?;
            if !self.next_pair(env)? {
                return Ok(false);
            }
        }
    }

    /// Whether the left row is given.
    fn wanted(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let row = match &self.tape {
            Some(_) => &self.taped,
            None => self.left.row(),
        };
        let at = match (self.kind, self.rows.find(row)) {
            (_, Some(at)) => at,
            (SetOpKind::Intersect, None) => return Ok(false),
            (_, None) if self.all => return Ok(true),
            (_, None) => {
                self.rows.enter(row, &mut env.run.memory)?;
                self.counts.push(GIVEN);
                self.deal_if_full(env)?;
                return Ok(true);
            }
        };
        let count = &mut self.counts[at];
        Ok(match (self.kind, self.all) {
            (SetOpKind::Intersect, true) if *count > 0 => {
                *count -= 1;
                true
            }
            (SetOpKind::Intersect, false) if *count > 0 => {
                *count = GIVEN;
                true
            }
            (SetOpKind::Except, true) => {
                *count -= 1;
                *count < 0
            }
            _ => false,
        })
    }
}

impl Operator for SetOp {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.counted {
            self.count_right(env)?;
        }
        while self.next_left(env)? {
            if self.wanted(env)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        match &self.tape {
            Some(_) => &self.taped,
            None => self.left.row(),
        }
    }

    fn width(&self) -> usize {
        self.left.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.rows.clear(&mut env.run.memory);
        self.counts.clear();
        (self.counted, self.left_done) = (false, false);
        self.dealing = None;
        self.waiting.clear();
        self.tape = None;
        self.level = 0;
        self.left.reset(env)?;
        self.right.reset(env)
    }
}
