//! [`ProjectSet`]: set-returning functions in a select list. Each input row
//! gives as many rows as the longest of them; shorter ones are filled with NULL.

use super::function_scan::SetCall;
use super::{Builder, Input, Operator};
use crate::builtins::SetIter;
use crate::env::Env;
use crate::expr::{Code, compile};
use alloc::vec::Vec;
use pg_plan::{Expr, Plan};
use pg_types::{Datum, SqlError, SqlResult};

/// Columns some of which are sets.
pub struct ProjectSet {
    input: Input,
    columns: Vec<Column>,
    /// An input row is being expanded.
    active: bool,
    row: Vec<Datum>,
}

enum Column {
    One(Code),
    Set(SetCall, Option<SetIter>),
}

impl ProjectSet {
    /// Compiles the columns; those at `sets` are calls of set-returning functions.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(
        input: &Plan,
        exprs: &[Expr],
        sets: &[usize],
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let input = builder.build(input)?;
        let mut columns = Vec::with_capacity(exprs.len());
        for (i, expr) in exprs.iter().enumerate() {
            columns.push(match expr {
                Expr::Call {
                    function,
                    args,
                    type_oid,
                } if sets.contains(&i) => {
                    Column::Set(SetCall::compile(*function, args, *type_oid, builder)?, None)
                }
                _ if sets.contains(&i) => {
                    return Err(SqlError::internal("a set in a select list is not a call"));
                }
                _ => Column::One(compile(expr, builder)?),
            });
        }
        Ok(ProjectSet {
            input,
            columns,
            active: false,
            row: Vec::new(),
        })
    }

    /// Moves each set on; false when all are exhausted.
    fn expand(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let mut any = false;
        self.row.clear();
        for column in &mut self.columns {
            let value = match column {
                Column::One(code) => code.eval(self.input.row(), env)?,
                Column::Set(_, rows) => match rows.as_mut().and_then(Iterator::next).transpose()? {
                    Some(value) => {
                        any = true;
                        value
                    }
                    None => {
                        *rows = None;
                        Datum::Null
                    }
                },
            };
            self.row.push(value);
        }
        Ok(any)
    }
}

impl Operator for ProjectSet {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            if self.active {
                if self.expand(env)? {
                    return Ok(true);
                }
                self.active = false;
            }
            env.tick()?;
            if !self.input.next(env)? {
                return Ok(false);
            }
            for column in &mut self.columns {
                if let Column::Set(call, rows) = column {
                    *rows = call.start(self.input.row(), env)?;
                }
            }
            self.active = true;
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.active = false;
        self.input.reset(env)
    }
}
