//! [`SetOp`]: UNION, INTERSECT and EXCEPT, by counting in a hash table.
//!
//! The right side is read first for INTERSECT and EXCEPT; then left rows are
//! given or held back as they come, so only the right side and the rows given
//! are kept.

use super::distinct::{column_types, fit};
use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::groups::Groups;
use alloc::vec::Vec;
use pg_plan::{Plan, SetOpKind};
use pg_types::{Datum, SqlResult};

/// A set operation.
pub struct SetOp {
    kind: SetOpKind,
    all: bool,
    left: Input,
    right: Input,
    rows: Groups,
    /// For each known row, how often the right side still has it; after a row
    /// was given without ALL, [`GIVEN`].
    counts: Vec<i64>,
    phase: Phase,
}

/// The row has been given and is not given again.
const GIVEN: i64 = -1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    Left,
    Right,
}

impl SetOp {
    /// Compiles a set operation.
    ///
    /// # Errors
    /// As the inputs.
    pub fn compile(
        kind: SetOpKind,
        all: bool,
        left: &Plan,
        right: &Plan,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let types = column_types(left);
        let (left, right) = (builder.build(left)?, builder.build(right)?);
        let rows = Groups::new(&fit(types, left.width()));
        Ok(SetOp {
            kind,
            all,
            left,
            right,
            rows,
            counts: Vec::new(),
            phase: Phase::Start,
        })
    }

    /// Reads and counts the right side.
    fn count_right(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        while self.right.next(env)? {
            env.tick()?;
            let (at, new) = self.rows.enter(self.right.row(), &mut env.run.memory)?;
            if new {
                self.counts.push(0);
            }
            self.counts[at] += 1;
        }
        Ok(())
    }

    /// Whether a left row is given.
    fn wanted(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if self.kind == SetOpKind::Union && self.all {
            return Ok(true);
        }
        let row = self.left.row();
        let at = match (self.kind, self.rows.find(row)) {
            (_, Some(at)) => at,
            (SetOpKind::Intersect, None) => return Ok(false),
            (SetOpKind::Except, None) if self.all => return Ok(true),
            (_, None) => {
                self.rows.enter(row, &mut env.run.memory)?;
                self.counts.push(GIVEN);
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
        if self.phase == Phase::Start {
            if self.kind != SetOpKind::Union {
                self.count_right(env)?;
            }
            self.phase = Phase::Left;
        }
        if self.phase == Phase::Left {
            while self.left.next(env)? {
                env.tick()?;
                if self.wanted(env)? {
                    return Ok(true);
                }
            }
            self.phase = Phase::Right;
        }
        while self.kind == SetOpKind::Union && self.right.next(env)? {
            env.tick()?;
            if self.all || self.rows.enter(self.right.row(), &mut env.run.memory)?.1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        if self.phase == Phase::Right {
            self.right.row()
        } else {
            self.left.row()
        }
    }

    fn width(&self) -> usize {
        self.left.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.phase = Phase::Start;
        self.rows.clear(&mut env.run.memory);
        self.counts.clear();
        self.left.reset(env)?;
        self.right.reset(env)
    }
}
