//! One aggregate call: compiled once ([`AggCode`]), with a running state for
//! each group ([`AggCell`]). FILTER, DISTINCT and ORDER BY are handled here; the
//! aggregates themselves know nothing of them.

use crate::builtins::Call;
use crate::env::Env;
use crate::expr::{Code, compile_all, compile_option, eval_all, type_of};
use crate::op::Builder;
use crate::op::sort::Sorter;
use crate::rows::datum_size;
use crate::sort_key::{KeyOrder, Keys, same_group};
use crate::spill::distinct::{Distinct, Seen};
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_builtins::{AggState, AggregateKind, Body};
use pg_plan::{AggregateCall, Expr};
use pg_types::{Datum, Oid, SqlResult};

/// A compiled call.
pub struct AggCode {
    function: Oid,
    args: Vec<Code>,
    types: Vec<Oid>,
    ret: Oid,
    filter: Option<Code>,
    distinct: bool,
    order: Keys,
    /// `count(*)`: rows are counted without the function table.
    counts_rows: bool,
    /// Its states keep what they are fed: an array, a text.
    collects: bool,
    /// The one argument, when it is a column, and a row needs no more than that it is
    /// fed: no DISTINCT, no order, nothing kept.
    column: Option<usize>,
    /// Bytes that its states keep.
    kept: usize,
    values: Vec<Datum>,
    key_values: Vec<Datum>,
}

/// The state of one call in one group.
pub enum AggCell {
    /// `count(*)`.
    Count(i64),
    /// Fed as rows come.
    Running(Box<AggState>),
    /// Distinct arguments, fed as they turn up.
    Distinct(Box<AggState>, Box<Distinct>),
    /// Fed in order at the end; duplicates are dropped there.
    Sorted(Box<Sorter>),
}

impl AggCode {
    /// Compiles a call.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(call: &AggregateCall, builder: &mut Builder) -> SqlResult<Self> {
        let mut code = AggCode::plain(
            call.function,
            &call.args,
            call.filter.as_ref(),
            call.type_oid,
            builder,
        )?;
        code.distinct = call.distinct;
        code.order = Keys::compile(&call.order, builder)?;
        code.counts_rows &= !code.distinct;
        if code.distinct || !code.order.codes.is_empty() {
            code.column = None;
        }
        Ok(code)
    }

    /// Compiles a call without DISTINCT and ORDER BY.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn plain(
        function: Oid,
        args: &[Expr],
        filter: Option<&Expr>,
        ret: Oid,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let known = crate::builtins::function(function)?;
        let collects = matches!(
            known.body,
            Body::Aggregate(
                AggregateKind::ArrayAgg
                    | AggregateKind::StringAgg
                    | AggregateKind::JsonAgg
                    | AggregateKind::JsonObjectAgg
            )
        );
        let args_code = compile_all(args, builder)?;
        let column = match &args_code[..] {
            [one] if !collects => one.as_column(),
            _ => None,
        };
        Ok(AggCode {
            function,
            args: args_code,
            types: args.iter().map(type_of).collect(),
            ret,
            filter: compile_option(filter, builder)?,
            distinct: false,
            order: Keys {
                codes: Vec::new(),
                orders: Vec::new(),
            },
            counts_rows: matches!(known.body, Body::Aggregate(AggregateKind::CountStar)),
            collects,
            column,
            kept: 0,
            values: Vec::new(),
            key_values: Vec::new(),
        })
    }

    /// The state of an empty group.
    ///
    /// # Errors
    /// When the function is not an aggregate.
    pub fn cell(&self) -> SqlResult<AggCell> {
        if self.counts_rows {
            return Ok(AggCell::Count(0));
        }
        if !self.order.codes.is_empty() {
            let mut orders = self.order.orders.clone();
            if self.distinct {
                // Equal arguments must come to stand side by side.
                orders.extend(self.types.iter().map(|t| KeyOrder {
                    type_oid: *t,
                    descending: false,
                    nulls_first: false,
                }));
            }
            return Ok(AggCell::Sorted(Box::new(Sorter::new(
                &orders,
                self.args.len(),
                usize::MAX,
            ))));
        }
        let state = Box::new(AggState::new(self.function, &self.types)?);
        if self.distinct {
            let seen = Box::new(Distinct::new(&self.types));
            return Ok(AggCell::Distinct(state, seen));
        }
        Ok(AggCell::Running(state))
    }

    /// Feeds an input row to a group's state.
    ///
    /// # Errors
    /// As the aggregate.
    #[inline]
    pub fn step(&mut self, cell: &mut AggCell, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        if let Some(filter) = &mut self.filter
            && !filter.is_true(row, env)?
        {
            return Ok(());
        }
        if let AggCell::Count(count) = cell {
            *count += 1;
            return Ok(());
        }
        if let (AggCell::Running(state), Some(value)) = (&mut *cell, self.column.map(|at| &row[at]))
            && let Some(outcome) = state.step_one(value)
        {
            return outcome;
        }
        self.step_values(cell, row, env)
    }

    /// The part of [`AggCode::step`] for which the arguments are evaluated.
    fn step_values(
        &mut self,
        cell: &mut AggCell,
        row: &[Datum],
        env: &mut Env<'_>,
    ) -> SqlResult<()> {
        eval_all(&mut self.args, row, env, &mut self.values)?;
        let call = Call {
            ctx: env.session,
            args: &self.types,
            ret: self.ret,
            spread: false,
        };
        match cell {
            AggCell::Count(_) => Ok(()),
            AggCell::Running(state) => {
                if self.collects {
                    let bytes = self.values.iter().map(datum_size).sum();
                    env.run.memory.take(bytes)?;
                    self.kept += bytes;
                }
                state.step(&self.values, &call)
            }
            AggCell::Distinct(state, seen) => {
                if seen.enter(&self.values, env)? == Seen::New {
                    state.step(&self.values, &call)?;
                }
                Ok(())
            }
            AggCell::Sorted(sorter) => {
                self.order.eval(row, env, &mut self.key_values)?;
                if self.distinct {
                    self.key_values.extend_from_slice(&self.values);
                }
                sorter.push(&self.values, &self.key_values, env)
            }
        }
    }

    /// The value of a group's state.
    ///
    /// # Errors
    /// As the aggregate.
    pub fn finish(&self, cell: &mut AggCell, env: &mut Env<'_>) -> SqlResult<Datum> {
        let call = Call {
            ctx: env.session,
            args: &self.types,
            ret: self.ret,
            spread: false,
        };
        match cell {
            AggCell::Count(count) => Ok(Datum::Int8(*count)),
            AggCell::Running(state) => state.finish(&call),
            AggCell::Distinct(state, seen) => {
                while seen.later(env)? {
                    state.step(seen.row(), &call)?;
                }
                state.finish(&call)
            }
            AggCell::Sorted(sorter) => {
                sorter.sort(env)?;
                let mut state = AggState::new(self.function, &self.types)?;
                let mut last: Option<Vec<Datum>> = None;
                while sorter.advance()? {
                    env.tick()?;
                    let row = sorter.row();
                    if self.distinct {
                        if last
                            .as_ref()
                            .is_some_and(|l| same_group(&self.types, l, row))
                        {
                            continue;
                        }
                        last = Some(row.to_vec());
                    }
                    state.step(row, &call)?;
                }
                state.finish(&call)
            }
        }
    }

    /// Gives the memory of a group's state back.
    pub fn release(cell: &mut AggCell, env: &mut Env<'_>) {
        match cell {
            AggCell::Distinct(_, seen) => seen.clear(env),
            AggCell::Sorted(sorter) => sorter.clear(&mut env.run.memory),
            _ => {}
        }
    }

    /// Bytes that its states keep.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// All its states are gone: their memory is given back.
    pub fn forget(&mut self, env: &mut Env<'_>) {
        env.run.memory.give(core::mem::take(&mut self.kept));
    }
}
