//! ORDER BY, DISTINCT's match with it, LIMIT.

use crate::analyzer::{Analyzer, Clause, fold};
use crate::error;
use crate::query::Tail;
use crate::walk::{same, type_of};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_parser_port::ast::{self, Expr as Ast};
use pg_plan::Expr;
use pg_types::{Datum, SqlError, SqlResult, SqlState, oid};

/// A select list's entry: name and value.
pub type Target = (String, Expr);

/// A sort key over variables.
#[derive(Clone, Debug)]
pub struct Key {
    /// The value.
    pub expr: Expr,
    /// Descending.
    pub descending: bool,
    /// NULLs first.
    pub nulls_first: bool,
}

/// Direction and place of NULLs.
pub fn direction(options: &ast::OrderByOptions) -> SqlResult<(bool, bool)> {
    let descending = match &options.sort {
        None | Some(ast::OrderBySort::Asc) => false,
        Some(ast::OrderBySort::Desc) => true,
        Some(ast::OrderBySort::Using(name)) => match name.to_string().as_str() {
            "<" => false,
            ">" => true,
            other => {
                return Err(SqlError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("operator {other} is not a valid ordering operator"),
                ));
            }
        },
    };
    Ok((descending, options.nulls_first.unwrap_or(descending)))
}

/// A bare number.
pub fn ordinal(ast: &Ast) -> SqlResult<Option<i64>> {
    match ast {
        Ast::Value(value) => match &value.value {
            ast::Value::Number(digits, _) => match digits.parse::<i64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(error::syntax("non-integer constant in ORDER BY")),
            },
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// An ordinal as a place.
pub fn checked_ordinal(number: i64, columns: usize, clause: &str) -> SqlResult<usize> {
    usize::try_from(number)
        .ok()
        .filter(|n| (1..=columns).contains(n))
        .map(|n| n - 1)
        .ok_or_else(|| {
            error::bad_reference(format!("{clause} position {number} is not in select list"))
        })
}

impl Analyzer<'_> {
    /// ORDER BY of a SELECT: output names first, then ordinals, then
    /// expressions over the input.
    pub fn order_by(
        &mut self,
        list: &[ast::OrderByExpr],
        targets: &[Target],
    ) -> SqlResult<Vec<Key>> {
        let mut keys: Vec<Key> = Vec::new();
        for item in list {
            if item.with_fill.is_some() {
                return Err(SqlError::unsupported("WITH FILL"));
            }
            let (descending, nulls_first) = direction(&item.options)?;
            let expr = self.order_value(&item.expr, targets)?;
            if !keys.iter().any(|key| same(&key.expr, &expr)) {
                keys.push(Key {
                    expr,
                    descending,
                    nulls_first,
                });
            }
        }
        Ok(keys)
    }

    fn order_value(&mut self, ast: &Ast, targets: &[Target]) -> SqlResult<Expr> {
        if let Ast::Identifier(ident) = ast {
            let name = fold(ident);
            let mut hits = targets.iter().filter(|(target, _)| *target == name);
            if let Some((_, first)) = hits.next() {
                if hits.any(|(_, other)| !same(first, other)) {
                    return Err(SqlError::new(
                        SqlState::AMBIGUOUS_COLUMN,
                        format!("ORDER BY \"{name}\" is ambiguous"),
                    ));
                }
                return Ok(first.clone());
            }
        }
        if let Some(number) = ordinal(ast)? {
            let at = checked_ordinal(number, targets.len(), "ORDER BY")?;
            return Ok(targets[at].1.clone());
        }
        if let Ast::Value(value) = ast
            && crate::literal::text_of(&value.value).is_some()
        {
            return Err(error::syntax("non-integer constant in ORDER BY"));
        }
        let value = self.within(Clause::OrderBy, |a| a.expr(ast))?;
        self.settle(value)
    }

    /// DISTINCT ON.
    pub fn distinct_on(
        &mut self,
        list: &[Ast],
        targets: &[Target],
        order: &[Key],
    ) -> SqlResult<Vec<Expr>> {
        let mut keys: Vec<Expr> = Vec::new();
        for ast in list {
            let key = self.order_value(ast, targets)?;
            if !keys.iter().any(|have| same(have, &key)) {
                keys.push(key);
            }
        }
        // ORDER BY must begin with exactly these, in any order.
        let lead = order.iter().take(keys.len());
        if lead
            .clone()
            .any(|k| !keys.iter().any(|key| same(key, &k.expr)))
        {
            return Err(error::bad_reference(
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
            ));
        }
        Ok(keys)
    }

    /// LIMIT and OFFSET as expressions.
    pub fn limit_values(&mut self, tail: Tail<'_>) -> SqlResult<(Option<Expr>, Option<Expr>)> {
        let mut value = |ast: Option<&Ast>, what: &str| -> SqlResult<Option<Expr>> {
            let Some(ast) = ast else {
                return Ok(None);
            };
            if matches!(ast, Ast::Identifier(ident) if ident.value.to_string().eq_ignore_ascii_case("all"))
            {
                return Ok(None);
            }
            let expr = self.within(Clause::Limit, |a| {
                let height = a.levels.len() - 1;
                let names = core::mem::take(&mut a.levels[height].names);
                let expr = a.expr(ast);
                a.levels[height].names = names;
                expr
            });
            let expr = expr.map_err(|error| match error.code() {
                SqlState::UNDEFINED_COLUMN => {
                    error::bad_reference(format!("argument of {what} must not contain variables"))
                }
                _ => error,
            })?;
            let from = type_of(&expr);
            let expr = self.try_coerce(expr, oid::INT8, pg_builtins::CastContext::Assignment)?;
            expr.map(Some).ok_or_else(|| {
                SqlError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "argument of {what} must be type bigint, not type {}",
                        pg_types::format_type(from, -1)
                    ),
                )
            })
        };
        let limit = value(tail.limit, "LIMIT")?;
        let offset = value(tail.offset, "OFFSET")?;
        let limit = if tail.one {
            Some(crate::coerce::constant(Datum::Int8(1), oid::INT8))
        } else {
            limit
        };
        Ok((limit, offset))
    }
}
