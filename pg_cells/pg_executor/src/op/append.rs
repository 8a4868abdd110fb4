//! [`Append`]: the rows of all inputs, one after another (UNION ALL).

use super::{Input, Operator};
use crate::env::Env;
use alloc::vec::Vec;
use pg_types::{Datum, SqlResult};

/// All rows of all inputs.
pub struct Append {
    inputs: Vec<Input>,
    at: usize,
}

impl Append {
    /// Over inputs of one width.
    pub fn new(inputs: Vec<Input>) -> Self {
        Append { inputs, at: 0 }
    }
}

impl Operator for Append {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while let Some(input) = self.inputs.get_mut(self.at) {
            if input.next(env)? {
                return Ok(true);
            }
            self.at += 1;
        }
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        self.inputs.get(self.at).map_or(&[], |i| i.row())
    }

    fn width(&self) -> usize {
        self.inputs.first().map_or(0, |i| i.width())
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.at = 0;
        self.inputs.iter_mut().try_for_each(|i| i.reset(env))
    }
}
