//! [`NestedLoop`]: each left row against the right rows. The right side is kept
//! after its first pass, unless it depends on the left row (lateral,
//! or an inner index scan): then it runs again for each, with that row's values
//! as its outer frame.

use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::expr::{Code, compile_all, compile_option, eval_all};
use crate::spill::spool::{Reader, Spool};
use alloc::vec::Vec;
use pg_plan::{Join, JoinKind};
use pg_types::{Datum, SqlResult};

/// A join by trying all pairs.
pub struct NestedLoop {
    kind: JoinKind,
    left: Input,
    inner: Inner,
    condition: Option<Code>,
    left_width: usize,
    right_width: usize,
    state: State,
    /// The left row, then the right one.
    row: Vec<Datum>,
}

enum Inner {
    /// Runs again for each left row.
    Dependent {
        right: Input,
        outer: Vec<Code>,
        frame: Vec<Datum>,
    },
    /// Kept, with a flag for each row that found a partner.
    Kept {
        right: Input,
        rows: Spool,
        complete: bool,
        matched: Vec<bool>,
        reader: Reader,
        /// The row given last.
        given: Vec<Datum>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Wants a left row.
    NeedLeft,
    /// Has a left row; whether it found a partner.
    Pairs {
        matched: bool,
    },
    /// Left rows are done; gives right rows without a partner.
    RightRest {
        at: usize,
    },
    Done,
}

impl NestedLoop {
    /// Compiles a join without hash keys.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(join: &Join, builder: &mut Builder) -> SqlResult<Self> {
        let left = builder.build(&join.left)?;
        let right = builder.build(&join.right)?;
        let (left_width, right_width) = (left.width(), right.width());
        let inner = if join.outer.is_empty() {
            Inner::Kept {
                right,
                rows: Spool::new(right_width),
                complete: false,
                matched: Vec::new(),
                reader: Reader::default(),
                given: Vec::new(),
            }
        } else {
            Inner::Dependent {
                right,
                outer: compile_all(&join.outer, builder)?,
                frame: Vec::new(),
            }
        };
        Ok(NestedLoop {
            kind: join.kind,
            left,
            inner,
            condition: compile_option(join.condition.as_ref(), builder)?,
            left_width,
            right_width,
            state: State::NeedLeft,
            row: Vec::new(),
        })
    }

    fn keeps_right(&self) -> bool {
        matches!(self.kind, JoinKind::Right | JoinKind::Full)
    }

    /// Takes the next left row and starts the inner side over.
    fn next_left(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.left.next(env)? {
            return Ok(false);
        }
        self.row.clear();
        self.row.extend_from_slice(self.left.row());
        self.inner.restart(self.left.row(), env)?;
        Ok(true)
    }

    /// Whether the present pair satisfies the condition.
    fn holds(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        match &mut self.condition {
            Some(condition) => condition.is_true(&self.row, env),
            None => Ok(true),
        }
    }

    /// Tries right rows; true when the row is to be given.
    fn pairs(&mut self, matched: bool, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            env.tick()?;
            self.row.truncate(self.left_width);
            if !self.inner.next(&mut self.row, env)? {
                self.state = State::NeedLeft;
                return Ok(match self.kind {
                    JoinKind::Left | JoinKind::Full if !matched => {
                        self.row
                            .resize(self.left_width + self.right_width, Datum::Null);
                        true
                    }
                    JoinKind::Anti => !matched,
                    _ => false,
                });
            }
            if !self.holds(env)? {
                continue;
            }
            self.inner.mark();
            match self.kind {
                JoinKind::Semi => {
                    self.row.truncate(self.left_width);
                    self.state = State::NeedLeft;
                    return Ok(true);
                }
                JoinKind::Anti => {
                    self.state = State::NeedLeft;
                    return Ok(false);
                }
                _ => {
                    self.state = State::Pairs { matched: true };
                    return Ok(true);
                }
            }
        }
    }

    /// Gives the next right row without a partner.
    fn right_rest(&mut self, mut at: usize, env: &mut Env<'_>) -> SqlResult<bool> {
        self.inner.complete(env)?;
        if let Inner::Kept {
            rows,
            matched,
            reader,
            given,
            ..
        } = &mut self.inner
        {
            if at == 0 {
                *reader = Reader::default();
            }
            while rows.next(reader, given)? {
                env.tick()?;
                at += 1;
                if !matched.get(at - 1).copied().unwrap_or(false) {
                    self.row.clear();
                    self.row.resize(self.left_width, Datum::Null);
                    self.row.extend_from_slice(given);
                    self.state = State::RightRest { at };
                    return Ok(true);
                }
            }
        }
        self.state = State::Done;
        Ok(false)
    }
}

impl Inner {
    fn restart(&mut self, left: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        match self {
            Inner::Dependent {
                right,
                outer,
                frame,
            } => {
                eval_all(outer, left, env, frame)?;
                core::mem::swap(&mut env.outer, frame);
                let result = right.reset(env);
                core::mem::swap(&mut env.outer, frame);
                result
            }
            Inner::Kept { reader, .. } => {
                *reader = Reader::default();
                Ok(())
            }
        }
    }

    /// Appends the next right row to `row`.
    fn next(&mut self, row: &mut Vec<Datum>, env: &mut Env<'_>) -> SqlResult<bool> {
        match self {
            Inner::Dependent { right, frame, .. } => {
                core::mem::swap(&mut env.outer, frame);
                let result = right.next(env);
                core::mem::swap(&mut env.outer, frame);
                let more = result?;
                if more {
                    row.extend_from_slice(right.row());
                }
                Ok(more)
            }
            Inner::Kept {
                right,
                rows,
                complete,
                matched,
                reader,
                given,
            } => {
                if reader.at() == rows.len() {
                    if *complete || !right.next(env)? {
                        *complete = true;
                        return Ok(false);
                    }
                    rows.push(right.row(), env.spill, &mut env.run.memory)?;
                    matched.push(false);
                    // It was seen to be the next: no need to read it back.
                    reader.skip();
                    row.extend_from_slice(right.row());
                    return Ok(true);
                }
                rows.next(reader, given)?;
                row.extend_from_slice(given);
                Ok(true)
            }
        }
    }

    /// Notes that the row given last has a partner.
    fn mark(&mut self) {
        if let Inner::Kept {
            matched, reader, ..
        } = self
            && let Some(flag) = matched.get_mut(reader.at().wrapping_sub(1))
        {
            *flag = true;
        }
    }

    /// Reads the rest of the right side.
    fn complete(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        if let Inner::Kept {
            right,
            rows,
            complete,
            matched,
            ..
        } = self
        {
            while !*complete {
                env.tick()?;
                if right.next(env)? {
                    rows.push(right.row(), env.spill, &mut env.run.memory)?;
                    matched.push(false);
                } else {
                    *complete = true;
                }
            }
        }
        Ok(())
    }
}

impl Operator for NestedLoop {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            match self.state {
                State::NeedLeft => {
                    if self.next_left(env)? {
                        self.state = State::Pairs { matched: false };
                    } else if self.keeps_right() {
                        self.state = State::RightRest { at: 0 };
                    } else {
                        self.state = State::Done;
                    }
                }
                State::Pairs { matched } => {
                    if self.pairs(matched, env)? {
                        return Ok(true);
                    }
                }
                State::RightRest { at } => return self.right_rest(at, env),
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
        self.state = State::NeedLeft;
        self.left.reset(env)?;
        if let Inner::Kept {
            right,
            rows,
            complete,
            matched,
            reader,
            ..
        } = &mut self.inner
        {
            right.reset(env)?;
            rows.clear(&mut env.run.memory);
            matched.clear();
            *complete = false;
            *reader = Reader::default();
        }
        Ok(())
    }
}
