//! DISTINCT: [`Unique`] by hashing all columns, [`FirstOfKeys`] for DISTINCT ON
//! over sorted input.

use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::expr::{Code, compile_all, eval_all, type_of};
use crate::sort_key::same_group;
use crate::spill::distinct::{Distinct, Seen};
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_plan::{Expr, Plan};
use pg_types::{Datum, Oid, SqlResult, oid};

/// Makes the operator for a Distinct node.
///
/// # Errors
/// As compiling expressions.
pub fn build(input: &Plan, keys: &[Expr], builder: &mut Builder) -> SqlResult<Input> {
    let types = column_types(input);
    let operator = builder.build(input)?;
    if keys.is_empty() {
        let types = fit(types, operator.width());
        return Ok(Box::new(Unique {
            input: operator,
            seen: Distinct::new(&types),
            ended: false,
        }));
    }
    Ok(Box::new(FirstOfKeys {
        input: operator,
        types: keys.iter().map(type_of).collect(),
        keys: compile_all(keys, builder)?,
        last: None,
        scratch: Vec::new(),
    }))
}

/// The types of a plan's columns.
pub(super) fn column_types(plan: &Plan) -> Vec<Oid> {
    plan.columns.iter().map(|c| c.type_oid).collect()
}

/// Exactly `width` types; a plan need not describe hidden columns.
pub(super) fn fit(mut types: Vec<Oid>, width: usize) -> Vec<Oid> {
    types.resize(width, oid::UNKNOWN);
    types
}

/// Rows not seen before.
struct Unique {
    input: Input,
    seen: Distinct,
    /// The input is at its end: what is left are rows put off.
    ended: bool,
}

impl Operator for Unique {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while !self.ended {
            env.tick()?;
            if !self.input.next(env)? {
                self.ended = true;
            } else if self.seen.enter(self.input.row(), env)? == Seen::New {
                return Ok(true);
            }
        }
        self.seen.later(env)
    }

    fn row(&self) -> &[Datum] {
        match self.ended {
            true => self.seen.row(),
            false => self.input.row(),
        }
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.seen.clear(env);
        self.ended = false;
        self.input.reset(env)
    }
}

/// The first row of each run of equal keys.
struct FirstOfKeys {
    input: Input,
    keys: Vec<Code>,
    types: Vec<Oid>,
    last: Option<Vec<Datum>>,
    scratch: Vec<Datum>,
}

impl Operator for FirstOfKeys {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while self.input.next(env)? {
            env.tick()?;
            eval_all(&mut self.keys, self.input.row(), env, &mut self.scratch)?;
            match &mut self.last {
                Some(last) if same_group(&self.types, last, &self.scratch) => {}
                Some(last) => {
                    core::mem::swap(last, &mut self.scratch);
                    return Ok(true);
                }
                None => {
                    self.last = Some(core::mem::take(&mut self.scratch));
                    return Ok(true);
                }
            }
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
        self.last = None;
        self.input.reset(env)
    }
}
