//! Aggregate calls and GROUPING.

use crate::analyzer::{Analyzer, Clause};
use crate::error;
use crate::walk::{same, type_of};
use alloc::format;
use alloc::vec::Vec;
use pg_builtins::resolve_function;
use pg_parser_port::ast::{self, Expr as Ast};
use pg_plan::{AggregateCall, Expr};
use pg_types::{Oid, SqlError, SqlResult, SqlState, oid};

/// What a call carries beside its arguments.
pub struct CallSyntax<'s> {
    /// DISTINCT.
    pub distinct: bool,
    /// `(*)`.
    pub star: bool,
    /// ORDER BY inside the parentheses.
    pub order: &'s [ast::OrderByExpr],
    /// FILTER.
    pub filter: Option<&'s Ast>,
    /// OVER.
    pub over: Option<&'s ast::WindowType>,
}

impl Analyzer<'_> {
    /// A call of an aggregate without OVER: gives its variable.
    pub fn aggregate(
        &mut self,
        name: &str,
        syntax: &CallSyntax<'_>,
        args: &[&Ast],
    ) -> SqlResult<Expr> {
        let clause = self.level().clause;
        match clause {
            Clause::Select | Clause::Having | Clause::OrderBy | Clause::Window => {}
            Clause::AggregateArgs => {
                return Err(error::grouping("aggregate function calls cannot be nested"));
            }
            other => {
                return Err(error::grouping(format!(
                    "aggregate functions are not allowed in {}",
                    other.name()
                )));
            }
        }
        let call = self.within(Clause::AggregateArgs, |a| {
            a.aggregate_call(name, syntax, args)
        })?;
        let known = self
            .level()
            .aggregates
            .iter()
            .find(|(_, have)| same_call(have, &call))
            .map(|(var, _)| *var);
        let var = match known {
            Some(var) => var,
            None => {
                let var = self.computed(name, call.type_oid);
                self.level().aggregates.push((var, call));
                var
            }
        };
        Ok(self.var(var))
    }

    fn aggregate_call(
        &mut self,
        name: &str,
        syntax: &CallSyntax<'_>,
        args: &[&Ast],
    ) -> SqlResult<AggregateCall> {
        let args = self.exprs(args.iter().copied())?;
        let types: Vec<Oid> = args.iter().map(type_of).collect();
        if args.is_empty() && !syntax.star && name == "count" {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                "count(*) must be used to call a parameterless aggregate function",
            ));
        }
        let resolved = resolve_function(name, &types)?;
        let args = self.coerced(args, &resolved.coercions, &resolved.arg_types)?;
        let order = self.sort_keys(syntax.order)?;
        if syntax.distinct {
            if args.is_empty() {
                return Err(error::syntax("DISTINCT is not allowed with (*)"));
            }
            if !order
                .iter()
                .all(|key| args.iter().any(|arg| same(arg, &key.expr)))
            {
                return Err(error::bad_reference(
                    "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
                ));
            }
        }
        let filter = match syntax.filter {
            Some(filter) => {
                let filter = self.expr(filter)?;
                Some(self.boolean(filter, "FILTER")?)
            }
            None => None,
        };
        Ok(AggregateCall {
            function: resolved.func.oid,
            args,
            distinct: syntax.distinct,
            order,
            filter,
            type_oid: resolved.ret,
        })
    }

    /// Sort keys of an aggregate or a window: expressions only, no ordinals.
    pub fn sort_keys(&mut self, order: &[ast::OrderByExpr]) -> SqlResult<Vec<pg_plan::SortKey>> {
        let mut keys = Vec::new();
        for item in order {
            let expr = self.expr(&item.expr)?;
            let expr = self.settle(expr)?;
            let (descending, nulls_first) = crate::order::direction(&item.options)?;
            keys.push(pg_plan::SortKey {
                expr,
                descending,
                nulls_first,
            });
        }
        Ok(keys)
    }

    /// GROUPING(...): a variable that the grouping sets give a value.
    pub fn grouping_call(&mut self, list: &ast::FunctionArgumentList) -> SqlResult<Expr> {
        let args = self.call_args(list)?;
        let args = self.exprs(args)?;
        let clause = self.level().clause;
        if !matches!(clause, Clause::Select | Clause::Having | Clause::OrderBy) {
            return Err(error::grouping(format!(
                "grouping operations are not allowed in {}",
                clause.name()
            )));
        }
        let var = self.computed("grouping", oid::INT4);
        self.level().groupings.push((var, args));
        Ok(self.var(var))
    }
}

fn same_call(a: &AggregateCall, b: &AggregateCall) -> bool {
    let lists =
        |x: &[Expr], y: &[Expr]| x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y));
    let filters = match (&a.filter, &b.filter) {
        (None, None) => true,
        (Some(x), Some(y)) => same(x, y),
        _ => false,
    };
    a.function == b.function
        && a.distinct == b.distinct
        && filters
        && lists(&a.args, &b.args)
        && !a.args.iter().any(crate::walk::is_volatile)
        && a.order.len() == b.order.len()
        && a.order.iter().zip(&b.order).all(|(x, y)| {
            x.descending == y.descending && x.nulls_first == y.nulls_first && same(&x.expr, &y.expr)
        })
}
