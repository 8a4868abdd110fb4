//! [`FunctionScan`]: a function in FROM. A set-returning one gives its rows, any
//! other one row.

use super::{Builder, Operator};
use crate::builtins::{self, Body, Call, ScalarFn, SetFn, SetIter};
use crate::env::Env;
use crate::expr::{Code, compile_all, eval_all, type_of};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use pg_plan::Expr;
use pg_types::{Datum, Oid, SqlError, SqlResult, oid};

/// A set-returning function with its arguments, also in a select list.
pub struct SetCall {
    body: SetBody,
    strict: bool,
    args: Vec<Code>,
    types: Box<[Oid]>,
    ret: Oid,
    buffer: Vec<Datum>,
}

enum SetBody {
    Set(SetFn),
    One(ScalarFn),
}

impl SetCall {
    /// Compiles a call.
    ///
    /// # Errors
    /// When the function does not exist or is an aggregate.
    pub fn compile(
        function: Oid,
        args: &[Expr],
        ret: Oid,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let known = builtins::function(function)?;
        let body = match known.body {
            Body::Set(set) => SetBody::Set(set),
            Body::Scalar(scalar) => SetBody::One(scalar),
            _ => {
                return Err(SqlError::internal(format!(
                    "function {} gives no rows",
                    known.name
                )));
            }
        };
        Ok(SetCall {
            body,
            strict: known.strict,
            args: compile_all(args, builder)?,
            types: args.iter().map(type_of).collect(),
            ret,
            buffer: Vec::new(),
        })
    }

    /// Starts the function over `row`; `None` when it gives no rows.
    ///
    /// # Errors
    /// As the function.
    pub fn start(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Option<SetIter>> {
        eval_all(&mut self.args, row, env, &mut self.buffer)?;
        let null = self.strict && self.buffer.iter().any(Datum::is_null);
        let call = Call {
            ctx: env.session,
            args: &self.types,
            ret: self.ret,
            spread: false,
        };
        match self.body {
            SetBody::Set(_) if null => Ok(None),
            SetBody::Set(set) => set(&self.buffer, &call).map(Some),
            SetBody::One(_) if null => Ok(Some(Box::new(core::iter::once(Ok(Datum::Null))))),
            SetBody::One(scalar) => Ok(Some(Box::new(core::iter::once(Ok(scalar(
                &self.buffer,
                &call,
            )?))))),
        }
    }
}

/// A function in FROM.
pub struct FunctionScan {
    call: SetCall,
    /// Columns the function itself gives.
    columns: usize,
    ordinality: bool,
    rows: Option<SetIter>,
    started: bool,
    number: i64,
    row: Vec<Datum>,
}

impl FunctionScan {
    /// Compiles a scan. `types` are the function's columns.
    ///
    /// # Errors
    /// As [`SetCall::compile`].
    pub fn compile(
        function: Oid,
        args: &[Expr],
        ordinality: bool,
        types: &[Oid],
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let ret = match types {
            [one] => *one,
            _ => oid::RECORD,
        };
        Ok(FunctionScan {
            call: SetCall::compile(function, args, ret, builder)?,
            columns: types.len(),
            ordinality,
            rows: None,
            started: false,
            number: 0,
            row: Vec::new(),
        })
    }
}

impl Operator for FunctionScan {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.started {
            self.started = true;
            self.rows = self.call.start(&[], env)?;
        }
        env.tick()?;
        let Some(value) = self.rows.as_mut().and_then(Iterator::next).transpose()? else {
            self.rows = None;
            return Ok(false);
        };
        self.row.clear();
        match value {
            Datum::Record(record) if self.columns != 1 => {
                self.row
                    .extend(record.fields.iter().take(self.columns).cloned());
                self.row.resize(self.columns, Datum::Null);
            }
            value => {
                self.row.push(value);
                self.row.resize(self.columns, Datum::Null);
            }
        }
        if self.ordinality {
            self.number += 1;
            self.row.push(Datum::Int8(self.number));
        }
        Ok(true)
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.columns + usize::from(self.ordinality)
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.started = false;
        self.rows = None;
        self.number = 0;
        Ok(())
    }
}
