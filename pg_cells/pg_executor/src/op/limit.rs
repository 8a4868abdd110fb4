//! [`Limit`]: LIMIT, OFFSET and WITH TIES.

use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::expr::{Code, compile_option};
use crate::sort_key::{Keys, compare_keys};
use alloc::format;
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_plan::{Expr, Plan, SortKey};
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// Gives a part of the rows.
pub struct Limit {
    input: Input,
    limit: Option<Code>,
    offset: Option<Code>,
    ties: Option<Keys>,
    /// Rows still to give; none before the start.
    left: Option<u64>,
    /// All rows have been given, ties included.
    over: bool,
    /// The keys of the last row within the limit.
    last: Vec<Datum>,
    keys: Vec<Datum>,
}

impl Limit {
    /// Compiles the counts.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(
        input: &Plan,
        limit: Option<&Expr>,
        offset: Option<&Expr>,
        ties: Option<&[SortKey]>,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        Ok(Limit {
            input: builder.build(input)?,
            limit: compile_option(limit, builder)?,
            offset: compile_option(offset, builder)?,
            ties: ties.map(|t| Keys::compile(t, builder)).transpose()?,
            left: None,
            over: false,
            last: Vec::new(),
            keys: Vec::new(),
        })
    }

    /// Evaluates the counts and skips to the offset; gives the limit.
    fn start(&mut self, env: &mut Env<'_>) -> SqlResult<u64> {
        let limit = count(
            self.limit.as_mut(),
            "LIMIT",
            SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
            env,
        )?;
        let offset = count(
            self.offset.as_mut(),
            "OFFSET",
            SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
            env,
        )?;
        let limit = limit.unwrap_or(u64::MAX);
        if limit > 0 {
            for _ in 0..offset.unwrap_or(0) {
                env.tick()?;
                if !self.input.next(env)? {
                    return Ok(0);
                }
            }
        }
        Ok(limit)
    }
}

/// A count; `None` for all.
fn count(
    code: Option<&mut Code>,
    what: &str,
    state: SqlState,
    env: &mut Env<'_>,
) -> SqlResult<Option<u64>> {
    let Some(code) = code else { return Ok(None) };
    let Some(value) = code.eval_int(&[], env)? else {
        return Ok(None);
    };
    match u64::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(SqlError::new(state, format!("{what} must not be negative"))),
    }
}

impl Operator for Limit {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if self.over {
            return Ok(false);
        }
        let left = match self.left {
            Some(left) => left,
            None => {
                let left = self.start(env)?;
                self.left = Some(left);
                if left == 0 {
                    // Nothing was given, so there is nothing to tie with.
                    self.over = true;
                    return Ok(false);
                }
                left
            }
        };
        if left > 0 {
            if !self.input.next(env)? {
                self.over = true;
                return Ok(false);
            }
            self.left = Some(left - 1);
            if left == 1
                && let Some(ties) = &mut self.ties
            {
                ties.eval(self.input.row(), env, &mut self.last)?;
            }
            return Ok(true);
        }
        let Some(ties) = &mut self.ties else {
            return Ok(false);
        };
        if self.input.next(env)? {
            ties.eval(self.input.row(), env, &mut self.keys)?;
            self.over = compare_keys(&ties.orders, &self.last, &self.keys) != Ordering::Equal;
        } else {
            self.over = true;
        }
        Ok(!self.over)
    }

    fn row(&self) -> &[Datum] {
        self.input.row()
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.left = None;
        self.over = false;
        self.input.reset(env)
    }
}
