//! Rows that come from nowhere: [`Nothing`] (one row without columns) and
//! [`Values`] (literal rows).

use super::{Builder, Operator};
use crate::env::Env;
use crate::expr::{Code, compile_all, eval_all};
use alloc::vec::Vec;
use pg_plan::Expr;
use pg_types::{Datum, SqlResult};

/// One row of no columns, if the condition is true.
pub struct Nothing {
    filter: Option<Code>,
    done: bool,
}

impl Nothing {
    /// With a condition.
    pub fn new(filter: Option<Code>) -> Self {
        Nothing {
            filter,
            done: false,
        }
    }
}

impl Operator for Nothing {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if self.done {
            return Ok(false);
        }
        self.done = true;
        match &mut self.filter {
            Some(filter) => filter.is_true(&[], env),
            None => Ok(true),
        }
    }

    fn row(&self) -> &[Datum] {
        &[]
    }

    fn width(&self) -> usize {
        0
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.done = false;
        Ok(())
    }
}

/// Literal rows.
pub struct Values {
    rows: Vec<Vec<Code>>,
    at: usize,
    row: Vec<Datum>,
}

impl Values {
    /// Compiles the rows.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(rows: &[Vec<Expr>], builder: &mut Builder) -> SqlResult<Self> {
        let rows = rows
            .iter()
            .map(|r| compile_all(r, builder))
            .collect::<SqlResult<Vec<_>>>()?;
        Ok(Values {
            rows,
            at: 0,
            row: Vec::new(),
        })
    }
}

impl Operator for Values {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let Some(codes) = self.rows.get_mut(self.at) else {
            return Ok(false);
        };
        self.at += 1;
        eval_all(codes, &[], env, &mut self.row)?;
        Ok(true)
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.at = 0;
        Ok(())
    }
}
