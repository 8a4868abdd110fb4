//! Window function calls.

use crate::aggregate::CallSyntax;
use crate::analyzer::{Analyzer, Clause, Var, fold};
use crate::error;
use crate::walk::{same, type_of};
use alloc::format;
use alloc::vec::Vec;
use pg_builtins::resolve_function;
use pg_parser_port::ast::{self, Expr as Ast};
use pg_plan::{Expr, FrameBound, SortKey, WindowCall, WindowFrame};
use pg_types::{Oid, SqlError, SqlResult, SqlState, oid};

/// A window call that waits for its place in the plan.
pub struct Pending {
    /// The variable of its value.
    pub var: Var,
    /// The call.
    pub call: WindowCall,
    /// PARTITION BY.
    pub partition: Vec<Expr>,
    /// ORDER BY.
    pub order: Vec<SortKey>,
}

impl Pending {
    /// Whether two calls can share a pass over the rows.
    pub fn shares(&self, other: &Pending) -> bool {
        self.partition.len() == other.partition.len()
            && self.order.len() == other.order.len()
            && self
                .partition
                .iter()
                .zip(&other.partition)
                .all(|(a, b)| same(a, b))
            && self.order.iter().zip(&other.order).all(|(a, b)| {
                a.descending == b.descending
                    && a.nulls_first == b.nulls_first
                    && same(&a.expr, &b.expr)
            })
    }
}

impl Analyzer<'_> {
    /// A call with OVER: gives its variable.
    pub fn window_call(
        &mut self,
        name: &str,
        syntax: &CallSyntax<'_>,
        args: &[&Ast],
        over: &ast::WindowType,
    ) -> SqlResult<Expr> {
        let clause = self.level().clause;
        if !matches!(clause, Clause::Select | Clause::OrderBy) {
            return Err(SqlError::new(
                SqlState::WINDOWING_ERROR,
                format!("window functions are not allowed in {}", clause.name()),
            ));
        }
        if syntax.distinct {
            return Err(SqlError::unsupported("DISTINCT for window functions"));
        }
        if !syntax.order.is_empty() {
            return Err(SqlError::unsupported(
                "aggregate ORDER BY for window functions",
            ));
        }
        let spec = self.window_spec(over)?;
        let pending = self.within(Clause::Window, |a| a.pending(name, syntax, args, &spec))?;
        let var = pending.var;
        self.level().windows.push(pending);
        Ok(self.var(var))
    }

    /// The specification, with a named window merged in.
    fn window_spec(&mut self, over: &ast::WindowType) -> SqlResult<ast::WindowSpec> {
        let named = |a: &mut Self, name: &ast::Ident| {
            let name = fold(name);
            let found = a
                .level()
                .window_names
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, spec)| spec.clone());
            found.ok_or_else(|| {
                SqlError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("window \"{name}\" does not exist"),
                )
            })
        };
        match over {
            ast::WindowType::NamedWindow(name) => named(self, name),
            ast::WindowType::WindowSpec(spec) => {
                let Some(base) = &spec.window_name else {
                    return Ok(spec.clone());
                };
                let mut merged = named(self, base)?;
                if !spec.partition_by.is_empty() {
                    return Err(SqlError::new(
                        SqlState::WINDOWING_ERROR,
                        format!(
                            "cannot override PARTITION BY clause of window \"{}\"",
                            fold(base)
                        ),
                    ));
                }
                if !spec.order_by.is_empty() {
                    merged.order_by = spec.order_by.clone();
                }
                merged.window_frame = spec.window_frame.clone();
                Ok(merged)
            }
        }
    }

    fn pending(
        &mut self,
        name: &str,
        syntax: &CallSyntax<'_>,
        args: &[&Ast],
        spec: &ast::WindowSpec,
    ) -> SqlResult<Pending> {
        let args = self.exprs(args.iter().copied())?;
        let types: Vec<Oid> = args.iter().map(type_of).collect();
        let resolved = resolve_function(name, &types)?;
        if !resolved.func.is_window() && !resolved.func.is_aggregate() {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "OVER specified, but {name} is not a window function nor an aggregate function"
                ),
            ));
        }
        let args = self.coerced(args, &resolved.coercions, &resolved.arg_types)?;
        let filter = match syntax.filter {
            Some(_) if resolved.func.is_window() => {
                return Err(SqlError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "FILTER is not implemented for non-aggregate window functions",
                ));
            }
            Some(filter) => {
                let filter = self.expr(filter)?;
                Some(self.boolean(filter, "FILTER")?)
            }
            None => None,
        };
        let mut partition = Vec::new();
        for ast in &spec.partition_by {
            let key = self.expr(ast)?;
            partition.push(self.settle(key)?);
        }
        let order = self.sort_keys(&spec.order_by)?;
        let frame = self.frame(spec.window_frame.as_ref(), &order)?;
        let var = self.computed(name, resolved.ret);
        let call = WindowCall {
            function: resolved.func.oid,
            args,
            filter,
            frame,
            type_oid: resolved.ret,
        };
        Ok(Pending {
            var,
            call,
            partition,
            order,
        })
    }

    fn frame(
        &mut self,
        frame: Option<&ast::WindowFrame>,
        order: &[SortKey],
    ) -> SqlResult<WindowFrame> {
        let Some(frame) = frame else {
            return Ok(WindowFrame {
                rows: false,
                groups: false,
                start: FrameBound::UnboundedPreceding,
                end: FrameBound::CurrentRow,
            });
        };
        let rows = matches!(frame.units, ast::WindowFrameUnits::Rows);
        let groups = matches!(frame.units, ast::WindowFrameUnits::Groups);
        if groups && order.is_empty() {
            return Err(SqlError::new(
                SqlState::WINDOWING_ERROR,
                "GROUPS mode requires an ORDER BY clause",
            ));
        }
        let range = !rows && !groups;
        let start = self.frame_bound(&frame.start_bound, range, order)?;
        let end = match &frame.end_bound {
            Some(bound) => self.frame_bound(bound, range, order)?,
            None => FrameBound::CurrentRow,
        };
        let wrong = |message: &str| Err(SqlError::new(SqlState::WINDOWING_ERROR, message));
        match (&start, &end) {
            (FrameBound::UnboundedFollowing, _) => {
                wrong("frame start cannot be UNBOUNDED FOLLOWING")
            }
            (_, FrameBound::UnboundedPreceding) => wrong("frame end cannot be UNBOUNDED PRECEDING"),
            (FrameBound::CurrentRow, FrameBound::Preceding(_)) => {
                wrong("frame starting from current row cannot have preceding rows")
            }
            (FrameBound::Following(_), FrameBound::Preceding(_) | FrameBound::CurrentRow) => {
                wrong("frame starting from following row cannot have preceding rows")
            }
            _ => Ok(WindowFrame {
                rows,
                groups,
                start,
                end,
            }),
        }
    }

    fn frame_bound(
        &mut self,
        bound: &ast::WindowFrameBound,
        range: bool,
        order: &[SortKey],
    ) -> SqlResult<FrameBound> {
        Ok(match bound {
            ast::WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
            ast::WindowFrameBound::Preceding(None) => FrameBound::UnboundedPreceding,
            ast::WindowFrameBound::Following(None) => FrameBound::UnboundedFollowing,
            ast::WindowFrameBound::Preceding(Some(n)) => {
                FrameBound::Preceding(self.frame_offset(n, range, order)?)
            }
            ast::WindowFrameBound::Following(Some(n)) => {
                FrameBound::Following(self.frame_offset(n, range, order)?)
            }
        })
    }

    fn frame_offset(&mut self, offset: &Ast, range: bool, order: &[SortKey]) -> SqlResult<Expr> {
        let value = self.expr(offset)?;
        if !range {
            return self.implicit(value, oid::INT8);
        }
        let [key] = order else {
            return Err(SqlError::new(
                SqlState::WINDOWING_ERROR,
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
            ));
        };
        let of = type_of(&key.expr);
        let to = match of {
            oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::TIME => oid::INTERVAL,
            other => other,
        };
        self.implicit(value, to)
            .map_err(|_| error::syntax("RANGE with offset is not supported for this column type"))
    }
}
