//! [`Measured`]: an operator with a clock around it, for EXPLAIN ANALYZE.

use super::{Input, Operator};
use crate::env::Env;
use pg_types::{Datum, SqlResult};

/// Counts rows and time of the operator inside; its number is the place of its
/// node in a walk that visits parents before children.
pub struct Measured {
    input: Input,
    number: usize,
    running: bool,
}

impl Measured {
    /// Around an operator.
    pub fn new(input: Input, number: usize) -> Self {
        Measured {
            input,
            number,
            running: false,
        }
    }
}

impl Operator for Measured {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let start = task_port::now();
        let result = self.input.next(env);
        let spent = task_port::now().saturating_sub(start);
        if let Some(measure) = env.run.measures.get_mut(self.number) {
            measure.total += spent;
            if !core::mem::replace(&mut self.running, true) {
                measure.loops += 1;
                measure.first += spent;
            }
            let more = matches!(result, Ok(true));
            measure.rows += u64::from(more);
            measure.detail = self.input.detail();
        }
        result
    }

    fn row(&self) -> &[Datum] {
        self.input.row()
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.running = false;
        self.input.reset(env)
    }

    fn affected(&self) -> u64 {
        self.input.affected()
    }

    fn detail(&self) -> pg_executor_port::Detail {
        self.input.detail()
    }
}
