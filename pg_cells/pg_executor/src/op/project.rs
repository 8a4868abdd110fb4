//! [`Project`]: computed columns.

use super::{Input, Operator};
use crate::env::Env;
use crate::expr::{Code, eval_all};
use alloc::vec::Vec;
use pg_types::{Datum, SqlResult};

/// Computes the output columns from each input row.
pub struct Project {
    input: Input,
    exprs: Vec<Code>,
    /// The columns are just the input's first ones: nothing is copied.
    same: bool,
    row: Vec<Datum>,
}

impl Project {
    /// Over an input.
    pub fn new(input: Input, exprs: Vec<Code>) -> Self {
        let same = exprs.len() <= input.width()
            && exprs
                .iter()
                .enumerate()
                .all(|(i, e)| e.as_column() == Some(i));
        Project {
            input,
            exprs,
            same,
            row: Vec::new(),
        }
    }
}

impl Operator for Project {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.input.next(env)? {
            return Ok(false);
        }
        if !self.same {
            eval_all(&mut self.exprs, self.input.row(), env, &mut self.row)?;
        }
        Ok(true)
    }

    fn row(&self) -> &[Datum] {
        if self.same {
            self.input.row().get(..self.exprs.len()).unwrap_or_default()
        } else {
            &self.row
        }
    }

    fn width(&self) -> usize {
        self.exprs.len()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.input.reset(env)
    }

    fn affected(&self) -> u64 {
        self.input.affected()
    }
}
