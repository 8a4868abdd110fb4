//! Subqueries in expressions.
//!
//! An uncorrelated one runs once per execution; a correlated one again when the
//! values it takes from the enclosing row differ from the last ones. `= ANY`
//! and `<> ALL` over an uncorrelated subquery of one column look into a hash
//! set of its values instead of comparing with each.

use super::compile::bare_call;
use super::{CallCode, Code, compile_all, eval_all, type_of};
use crate::builtins;
use crate::env::Env;
use crate::op::{Builder, Operator};
use crate::rows::RowBuffer;
use crate::sort_key::{compare_typed, hash_row};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use hashbrown::{DefaultHashBuilder, HashTable};
use pg_plan::{Quantifier, SubLink, SubLinkKind};
use pg_types::typeinfo::element_of;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, oid};

/// A subquery with what is known of its result.
pub struct SubPlan {
    kind: Kind,
    operator: Box<dyn Operator>,
    /// Values of the enclosing row it sees.
    outer: Vec<Code>,
    /// Those of the run whose result is kept.
    frame: Vec<Datum>,
    /// Scratch for the next frame.
    next_frame: Vec<Datum>,
    /// The execution whose result is kept; zero for none.
    epoch: u64,
    /// The kept result of a scalar, EXISTS or ARRAY subquery.
    value: Datum,
}

enum Kind {
    Scalar,
    Exists,
    Array(Oid),
    Quantified(Box<Comparison>),
}

struct Comparison {
    left: Vec<Code>,
    calls: Vec<CallCode>,
    quantifier: Quantifier,
    /// A row satisfies when all columns do; else (inequalities) when one does.
    conjunction: bool,
    /// Rows of the subquery.
    rows: RowBuffer,
    /// The values' type, when looking up by hash is right: one column, `= ANY`
    /// or `<> ALL`.
    hashed: Option<Oid>,
    state: DefaultHashBuilder,
    table: HashTable<u32>,
    any_null: bool,
    scratch: Vec<Datum>,
}

impl SubPlan {
    /// Compiles a subquery.
    ///
    /// # Errors
    /// When its plan cannot be built.
    pub fn compile(link: &SubLink, builder: &mut Builder) -> SqlResult<Self> {
        let outer = compile_all(&link.outer, builder)?;
        let kind = match &link.kind {
            SubLinkKind::Scalar => Kind::Scalar,
            SubLinkKind::Exists => Kind::Exists,
            SubLinkKind::Array => Kind::Array(element_of(link.type_oid).unwrap_or(oid::UNKNOWN)),
            SubLinkKind::Quantified {
                left,
                functions,
                quantifier,
            } => {
                let types: Vec<Oid> = left.iter().map(type_of).collect();
                let mut calls = Vec::with_capacity(functions.len());
                for (i, function) in functions.iter().enumerate() {
                    let of_left = types.get(i).copied().unwrap_or(oid::UNKNOWN);
                    let of_right = link.plan.columns.get(i).map_or(of_left, |c| c.type_oid);
                    calls.push(bare_call(*function, &[of_left, of_right], oid::BOOL)?);
                }
                Kind::Quantified(Box::new(Comparison {
                    left: compile_all(left, builder)?,
                    calls,
                    quantifier: *quantifier,
                    conjunction: functions.len() == 1
                        || !functions
                            .iter()
                            .all(|f| builtins::is_hashable_inequality(*f)),
                    rows: RowBuffer::new(functions.len()),
                    hashed: hashed_type(functions, &types, *quantifier)
                        .filter(|_| outer.is_empty()),
                    state: DefaultHashBuilder::default(),
                    table: HashTable::new(),
                    any_null: false,
                    scratch: Vec::new(),
                }))
            }
        };
        Ok(SubPlan {
            kind,
            operator: builder.build(&link.plan)?,
            outer,
            frame: Vec::new(),
            next_frame: Vec::new(),
            epoch: 0,
            value: Datum::Null,
        })
    }

    /// The value over the enclosing row.
    ///
    /// # Errors
    /// As its operators; 21000 when a scalar subquery gives several rows.
    pub fn eval(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        eval_all(&mut self.outer, row, env, &mut self.next_frame)?;
        if self.epoch != env.run.epoch || self.frame != self.next_frame {
            self.epoch = 0;
            core::mem::swap(&mut self.frame, &mut self.next_frame);
            // The frame is lent to the environment and taken back afterwards.
            core::mem::swap(&mut env.outer, &mut self.frame);
            let result = self.run(env);
            core::mem::swap(&mut env.outer, &mut self.frame);
            self.value = result?;
            self.epoch = env.run.epoch;
        }
        match &mut self.kind {
            Kind::Quantified(comparison) => comparison.eval(row, env),
            _ => Ok(self.value.clone()),
        }
    }

    fn run(&mut self, env: &mut Env<'_>) -> SqlResult<Datum> {
        let operator = &mut self.operator;
        operator.reset(env)?;
        match &mut self.kind {
            Kind::Scalar => {
                if !operator.next(env)? {
                    return Ok(Datum::Null);
                }
                let value = operator.row().first().cloned().unwrap_or_default();
                if operator.next(env)? {
                    return Err(SqlError::new(
                        SqlState::CARDINALITY_VIOLATION,
                        "more than one row returned by a subquery used as an expression",
                    ));
                }
                Ok(value)
            }
            Kind::Exists => Ok(Datum::Bool(operator.next(env)?)),
            Kind::Array(element) => {
                let mut items = Vec::new();
                while operator.next(env)? {
                    env.tick()?;
                    items.push(operator.row().first().cloned().unwrap_or_default());
                }
                Ok(Datum::array(*element, items))
            }
            Kind::Quantified(comparison) => {
                comparison.fill(&mut **operator, env)?;
                Ok(Datum::Null)
            }
        }
    }
}

/// The type by which values can be looked up: for `= ANY` the function must be
/// an equality, for `<> ALL` its negation.
fn hashed_type(functions: &[Oid], types: &[Oid], quantifier: Quantifier) -> Option<Oid> {
    let ([function], [type_oid]) = (functions, types) else {
        return None;
    };
    let fits = match quantifier {
        Quantifier::Any => builtins::is_hashable_equality(*function),
        Quantifier::All => builtins::is_hashable_inequality(*function),
    };
    fits.then_some(*type_oid)
}

impl Comparison {
    fn fill(&mut self, operator: &mut dyn Operator, env: &mut Env<'_>) -> SqlResult<()> {
        self.rows.clear(&mut env.run.memory);
        self.table.clear();
        self.any_null = false;
        while operator.next(env)? {
            env.tick()?;
            let values = operator.row().get(..self.calls.len()).unwrap_or_default();
            let Some(type_oid) = self.hashed else {
                self.rows.push(values, &mut env.run.memory)?;
                continue;
            };
            if values[0].is_null() {
                self.any_null = true;
                continue;
            }
            let hash = hash_row(&self.state, &[type_oid], values);
            let rows = &self.rows;
            let known = |at: &u32| same(&rows.row(*at as usize)[0], &values[0], type_oid);
            if self.table.find(hash, known).is_none() {
                let at = self.rows.len() as u32;
                self.rows.push(values, &mut env.run.memory)?;
                let (rows, state) = (&self.rows, &self.state);
                self.table.insert_unique(hash, at, |i| {
                    hash_row(state, &[type_oid], rows.row(*i as usize))
                });
            }
        }
        Ok(())
    }

    fn eval(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Datum> {
        eval_all(&mut self.left, row, env, &mut self.scratch)?;
        let any = self.quantifier == Quantifier::Any;
        if self.rows.is_empty() && !self.any_null {
            return Ok(Datum::Bool(!any));
        }
        if let Some(type_oid) = self.hashed {
            let value = &self.scratch[0];
            if value.is_null() {
                return Ok(Datum::Null);
            }
            let hash = hash_row(&self.state, &[type_oid], &self.scratch);
            let found = self.table.find(hash, |at| {
                same(&self.rows.row(*at as usize)[0], value, type_oid)
            });
            return Ok(match (found.is_some(), self.any_null) {
                (true, _) => Datum::Bool(any),
                (false, true) => Datum::Null,
                (false, false) => Datum::Bool(!any),
            });
        }
        let mut unknown = false;
        for at in 0..self.rows.len() {
            env.tick()?;
            match self.compare(at, env)? {
                Some(value) if value == any => return Ok(Datum::Bool(any)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown {
            Datum::Null
        } else {
            Datum::Bool(!any)
        })
    }

    /// One row against the left side.
    fn compare(&mut self, at: usize, env: &mut Env<'_>) -> SqlResult<Option<bool>> {
        let conjunction = self.conjunction;
        let mut unknown = false;
        for (i, call) in self.calls.iter_mut().enumerate() {
            let (left, right) = (&self.scratch[i], &self.rows.row(at)[i]);
            let value = if call.strict && (left.is_null() || right.is_null()) {
                None
            } else {
                call.buffer.clear();
                call.buffer.extend([left.clone(), right.clone()]);
                call.call(env)?.as_bool()
            };
            match value {
                None => unknown = true,
                Some(value) if value != conjunction => return Ok(Some(value)),
                Some(_) => {}
            }
        }
        Ok(if unknown { None } else { Some(conjunction) })
    }
}

fn same(a: &Datum, b: &Datum, type_oid: Oid) -> bool {
    compare_typed(a, b, type_oid) == Ordering::Equal
}
