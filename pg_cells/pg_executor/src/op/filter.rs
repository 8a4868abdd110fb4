//! [`Filter`]: rows for which a condition is true.

use super::{Input, Operator};
use crate::env::Env;
use crate::expr::Code;
use pg_types::{Datum, SqlResult};

/// Lets through the rows for which a condition is true.
pub struct Filter {
    input: Input,
    condition: Code,
}

impl Filter {
    /// Over an input.
    pub fn new(input: Input, condition: Code) -> Self {
        Filter { input, condition }
    }
}

impl Operator for Filter {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while self.input.next(env)? {
            if self.condition.is_true(self.input.row(), env)? {
                return Ok(true);
            }
            env.tick()?;
        }
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        self.input.row()
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.input.reset(env)
    }

    fn affected(&self) -> u64 {
        self.input.affected()
    }
}
