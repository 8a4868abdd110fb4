//! Queries: WITH, the body, ORDER BY and LIMIT; VALUES and set operations.

use crate::analyzer::{Analyzer, Clause};
use crate::build::stripped;
use crate::cte::with;
use crate::error;
use crate::walk::type_of;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use pg_builtins::common_type;
use pg_parser_port::ast::{self, SetExpr, SetOperator, SetQuantifier};
use pg_plan::{Expr, Node, OutputColumn, Plan, SetOpKind};
use pg_types::{Oid, SqlError, SqlResult, oid};

/// What follows a query's body.
#[derive(Clone, Copy, Default)]
pub struct Tail<'q> {
    /// ORDER BY.
    pub order: &'q [ast::OrderByExpr],
    /// LIMIT.
    pub limit: Option<&'q ast::Expr>,
    /// OFFSET.
    pub offset: Option<&'q ast::Expr>,
    /// FETCH FIRST ROW, without a number.
    pub one: bool,
    /// FETCH FIRST ... WITH TIES.
    pub ties: bool,
    /// FOR UPDATE and its kin.
    pub locks: &'q [ast::LockClause],
}

impl<'q> Tail<'q> {
    fn of(query: &'q ast::Query) -> SqlResult<Tail<'q>> {
        let mut tail = Tail {
            locks: &query.locks,
            ..Tail::default()
        };
        if query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return Err(SqlError::unsupported("this form of a query"));
        }
        if let Some(order) = &query.order_by {
            match &order.kind {
                ast::OrderByKind::Expressions(list) => tail.order = list,
                ast::OrderByKind::All(_) => return Err(SqlError::unsupported("ORDER BY ALL")),
            }
        }
        match &query.limit_clause {
            None => {}
            Some(ast::LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            }) if limit_by.is_empty() => {
                tail.limit = limit.as_ref();
                tail.offset = offset.as_ref().map(|o| &o.value);
            }
            Some(_) => return Err(error::syntax("LIMIT #,# syntax is not supported")),
        }
        if let Some(fetch) = &query.fetch {
            if fetch.percent {
                return Err(SqlError::unsupported("FETCH ... PERCENT"));
            }
            if tail.limit.is_some() {
                return Err(error::syntax("multiple LIMIT clauses not allowed"));
            }
            tail.limit = fetch.quantity.as_ref();
            tail.one = fetch.quantity.is_none();
            tail.ties = fetch.with_ties;
        }
        Ok(tail)
    }

    /// Whether nothing follows.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
            && !self.one
            && self.limit.is_none()
            && self.offset.is_none()
            && self.locks.is_empty()
    }
}

impl Analyzer<'_> {
    /// Plans a query in the current level.
    pub fn query(&mut self, query: &ast::Query) -> SqlResult<Plan> {
        let keep_unknown = core::mem::take(&mut self.keep_unknown);
        let ctes = match &query.with {
            Some(clause) => self.with_clause(clause)?,
            None => Vec::new(),
        };
        self.keep_unknown = keep_unknown;
        let tail = Tail::of(query)?;
        let plan = self.body(&query.body, tail)?;
        self.keep_unknown = false;
        Ok(with(ctes, plan))
    }

    /// A body without anything behind it.
    pub fn body_alone(&mut self, body: &SetExpr) -> SqlResult<Plan> {
        self.body(body, Tail::default())
    }

    fn body(&mut self, body: &SetExpr, tail: Tail<'_>) -> SqlResult<Plan> {
        match body {
            SetExpr::Select(select) => self.select(select, tail),
            SetExpr::Query(inner) if tail.is_empty() => self.query(inner),
            SetExpr::Query(inner) => {
                let (plan, _) = self.nested(true, false, |a| a.query(inner))?;
                self.tail_over(stripped(plan), tail)
            }
            SetExpr::Values(values) => {
                let plan = self.values(values)?;
                self.tail_over(plan, tail)
            }
            SetExpr::SetOperation {
                left,
                op,
                set_quantifier,
                right,
            } => {
                let plan = self.set_operation(left, *op, *set_quantifier, right)?;
                self.tail_over(plan, tail)
            }
            SetExpr::Insert(ast::Statement::Insert(insert)) => self.insert(insert),
            SetExpr::Update(ast::Statement::Update(update)) => self.update(update),
            SetExpr::Delete(ast::Statement::Delete(delete)) => self.delete(delete),
            _ => Err(SqlError::unsupported("this form of a query")),
        }
    }

    /// VALUES.
    fn values(&mut self, values: &ast::Values) -> SqlResult<Plan> {
        let keep_unknown = core::mem::take(&mut self.keep_unknown);
        let mut rows = Vec::new();
        for row in &values.rows {
            rows.push(self.within(Clause::Values, |a| a.exprs(row.content.iter()))?);
        }
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(error::syntax("VALUES lists must all be the same length"));
        }
        let mut columns = Vec::new();
        for at in 0..width {
            let types: Vec<Oid> = rows.iter().map(|row| type_of(&row[at])).collect();
            let unknown = types.iter().all(|t| *t == oid::UNKNOWN);
            let to = if keep_unknown && unknown {
                oid::UNKNOWN
            } else {
                common_type(&types, "VALUES")?
            };
            let mut typmod = None;
            for row in &mut rows {
                let value = core::mem::replace(&mut row[at], crate::coerce::null(to));
                let value = if to == oid::UNKNOWN {
                    value
                } else {
                    self.implicit(value, to)?
                };
                let this = self.typmod_of(&value);
                typmod =
                    Some(typmod.map_or(this, |have: i32| if have == this { have } else { -1 }));
                row[at] = value;
            }
            columns.push(OutputColumn {
                name: format!("column{}", at + 1),
                type_oid: to,
                typmod: typmod.unwrap_or(-1),
                table: 0,
                attribute: 0,
            });
        }
        let count = rows.len() as f64;
        let mut plan = Self::bare(Node::Values(rows), columns, count);
        plan.total_cost = count * 0.0125;
        Ok(plan)
    }

    fn set_operation(
        &mut self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
    ) -> SqlResult<Plan> {
        let all = match quantifier {
            SetQuantifier::All => true,
            SetQuantifier::Distinct | SetQuantifier::None => false,
            _ => return Err(SqlError::unsupported("BY NAME in a set operation")),
        };
        let (kind, name) = match op {
            SetOperator::Union => (SetOpKind::Union, "UNION"),
            SetOperator::Intersect => (SetOpKind::Intersect, "INTERSECT"),
            SetOperator::Except => (SetOpKind::Except, "EXCEPT"),
            SetOperator::Minus => return Err(error::syntax("syntax error at or near \"minus\"")),
        };
        let keep_unknown = core::mem::take(&mut self.keep_unknown);
        let mut arms = Vec::new();
        for arm in [left, right] {
            self.keep_unknown = true;
            let (plan, _) = self.nested(true, false, |a| a.body_alone(arm))?;
            self.keep_unknown = false;
            arms.push(stripped(plan));
        }
        self.keep_unknown = keep_unknown;
        let (Some(right), Some(left)) = (arms.pop(), arms.pop()) else {
            return Err(SqlError::internal("a set operation without arms"));
        };
        if left.columns.len() != right.columns.len() {
            return Err(error::syntax(format!(
                "each {name} query must have the same number of columns"
            )));
        }
        let (left, right) = self.unified(left, right, name)?;
        let columns: Vec<OutputColumn> = left
            .columns
            .iter()
            .zip(&right.columns)
            .map(|(l, r)| OutputColumn {
                typmod: if l.typmod == r.typmod { l.typmod } else { -1 },
                table: 0,
                attribute: 0,
                ..l.clone()
            })
            .collect();
        Ok(set_node(kind, all, left, right, columns))
    }

    /// Both arms with the same column types.
    fn unified(&mut self, left: Plan, right: Plan, name: &str) -> SqlResult<(Plan, Plan)> {
        let mut types = Vec::new();
        for (l, r) in left.columns.iter().zip(&right.columns) {
            types.push(common_type(&[l.type_oid, r.type_oid], name)?);
        }
        Ok((self.retyped(left, &types)?, self.retyped(right, &types)?))
    }

    /// A plan with these column types; literals of unknown type are read.
    pub fn retyped(&mut self, plan: Plan, types: &[Oid]) -> SqlResult<Plan> {
        if plan
            .columns
            .iter()
            .zip(types)
            .all(|(c, t)| c.type_oid == *t)
        {
            return Ok(plan);
        }
        // Literals right at the top are replaced in place.
        let mut plan = plan;
        if let Node::Project { exprs, .. } = &mut *plan.node {
            for ((expr, column), to) in exprs.iter_mut().zip(&mut plan.columns).zip(types) {
                if matches!(expr, Expr::Const { .. } | Expr::Param { .. })
                    && column.type_oid == oid::UNKNOWN
                {
                    *expr = self.implicit(expr.clone(), *to)?;
                    column.type_oid = *to;
                }
            }
        }
        self.coerce_columns(plan, types)
    }

    /// ORDER BY, LIMIT and the rest over a finished plan: names of its columns
    /// and ordinals only.
    fn tail_over(&mut self, plan: Plan, tail: Tail<'_>) -> SqlResult<Plan> {
        if tail.is_empty() {
            return Ok(plan);
        }
        if !tail.locks.is_empty() {
            return Err(SqlError::new(
                pg_types::SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "{} is not allowed with UNION/INTERSECT/EXCEPT or VALUES",
                    tail.locks[0].lock_type_name()
                ),
            ));
        }
        let mut keys = Vec::new();
        for item in tail.order {
            keys.push(self.output_key(&plan.columns, item)?);
        }
        let (limit, offset) = self.limit_values(tail)?;
        Ok(crate::build::sorted_and_limited(
            plan, keys, limit, offset, tail.ties,
        ))
    }

    fn output_key(
        &mut self,
        columns: &[OutputColumn],
        item: &ast::OrderByExpr,
    ) -> SqlResult<pg_plan::SortKey> {
        let (descending, nulls_first) = crate::order::direction(&item.options)?;
        let index = match &item.expr {
            ast::Expr::Identifier(ident) => {
                let name = crate::analyzer::fold(ident);
                let hits: Vec<usize> = columns
                    .iter()
                    .enumerate()
                    .filter(|(_, column)| column.name == name)
                    .map(|(at, _)| at)
                    .collect();
                match hits.as_slice() {
                    [one] => *one,
                    [] => return Err(error::no_column(&name)),
                    _ => {
                        return Err(SqlError::new(
                            pg_types::SqlState::AMBIGUOUS_COLUMN,
                            format!("ORDER BY \"{name}\" is ambiguous"),
                        ));
                    }
                }
            }
            other => match crate::order::ordinal(other)? {
                Some(n) => crate::order::checked_ordinal(n, columns.len(), "ORDER BY")?,
                None => {
                    return Err(SqlError::new(
                        pg_types::SqlState::FEATURE_NOT_SUPPORTED,
                        "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
                    )
                    .with_detail("Only result column names can be used, not expressions or functions.")
                    .with_hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause."));
                }
            },
        };
        Ok(pg_plan::SortKey {
            expr: Expr::Column {
                index,
                type_oid: columns[index].type_oid,
            },
            descending,
            nulls_first,
        })
    }
}

/// `FOR UPDATE` or `FOR SHARE`.
pub trait LockName {
    /// As written.
    fn lock_type_name(&self) -> alloc::string::String;
}

impl LockName for ast::LockClause {
    fn lock_type_name(&self) -> alloc::string::String {
        format!("FOR {}", self.lock_type.to_string().to_uppercase())
    }
}

fn set_node(
    kind: SetOpKind,
    all: bool,
    left: Plan,
    right: Plan,
    columns: Vec<OutputColumn>,
) -> Plan {
    let (l, r) = (left.rows, right.rows);
    let cost = left.total_cost + right.total_cost;
    let rows = match kind {
        SetOpKind::Union => l + r,
        SetOpKind::Intersect => l.min(r),
        SetOpKind::Except => l,
    };
    let node = if kind == SetOpKind::Union && all {
        // Nested appends become one.
        let mut inputs = Vec::new();
        for plan in [left, right] {
            match *plan.node {
                Node::Append(list) => inputs.extend(list),
                node => inputs.push(Plan {
                    node: node.into(),
                    ..plan
                }),
            }
        }
        Node::Append(inputs)
    } else {
        Node::SetOp {
            kind,
            all,
            left,
            right,
        }
    };
    let append = matches!(node, Node::Append(_));
    let mut plan = Analyzer::bare(node, columns, rows.max(1.0));
    plan.total_cost = cost + if append { 0.0 } else { (l + r) * 0.0125 };
    plan.startup_cost = if append { 0.0 } else { plan.total_cost };
    plan
}
