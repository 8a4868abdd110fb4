//! EXISTS and IN of WHERE as semi and anti joins.

use crate::analyzer::{Analyzer, Clause};
use crate::leaf::{LeafKind, Tree};
use crate::select::{Semi, split_and};
use crate::walk::{self, conjuncts};
use alloc::vec::Vec;
use pg_parser_port::ast::{self, Expr as Ast, SetExpr};
use pg_plan::{Expr, JoinKind};
use pg_types::SqlResult;

impl Analyzer<'_> {
    /// A conjunct of WHERE as a join, where it can be one. What cannot is
    /// analyzed again as an expression.
    pub fn as_semi_join(&mut self, ast: &Ast) -> SqlResult<Option<Semi>> {
        match ast {
            Ast::Nested(inner) => self.as_semi_join(inner),
            Ast::Exists { subquery, negated } => self.exists_join(subquery, *negated),
            Ast::UnaryOp {
                op: ast::UnaryOperator::Not,
                expr,
            } => {
                let mut bare = &**expr;
                while let Ast::Nested(inner) = bare {
                    bare = inner;
                }
                match bare {
                    Ast::Exists { subquery, negated } => self.exists_join(subquery, !negated),
                    _ => Ok(None),
                }
            }
            Ast::InSubquery {
                expr,
                subquery,
                negated: false,
            } => self.in_join(expr, subquery),
            _ => Ok(None),
        }
    }

    /// A subquery of nothing but FROM and WHERE.
    fn exists_join(&mut self, query: &ast::Query, negated: bool) -> SqlResult<Option<Semi>> {
        let Some(select) = plain(query) else {
            return Ok(None);
        };
        let known = self.leaves.len();
        let (found, outer) = self.nested(false, false, |a| {
            let trees = a.from(&select.from)?;
            let mut conditions = Vec::new();
            let mut parts = Vec::new();
            if let Some(selection) = &select.selection {
                split_and(selection, &mut parts);
            }
            for part in parts {
                let condition = a.within(Clause::Where, |a| a.expr(part))?;
                let condition = a.boolean(condition, "WHERE")?;
                conjuncts(condition, &mut conditions);
            }
            // The select list counts for nothing, but must mean something.
            let targets = a.targets(&select.projection)?;
            let level = a.level();
            let plain =
                level.aggregates.is_empty() && level.windows.is_empty() && level.sets.is_empty();
            drop(targets);
            Ok(plain.then_some((trees, conditions)))
        })?;
        let Some((trees, conditions)) = found else {
            return Ok(None);
        };
        // Leaves that take values from the outer rows, and joins that look at
        // them, stay subqueries.
        let correlated_leaf = self.leaves[known..].iter().any(|leaf| match &leaf.kind {
            LeafKind::Query { plan, outer } => !outer.is_empty() || mentions_outer(plan),
            LeafKind::Function { args, .. } => args.iter().any(uses_outer),
            _ => false,
        });
        if correlated_leaf || trees.iter().any(tree_uses_outer) || outer.is_empty() {
            return Ok(None);
        }
        let conditions = conditions
            .into_iter()
            .map(|c| pulled_up(c, &outer))
            .collect();
        let kind = if negated {
            JoinKind::Anti
        } else {
            JoinKind::Semi
        };
        Ok(Some(Semi {
            kind,
            trees,
            conditions,
        }))
    }

    /// `expr IN (SELECT ...)` over an uncorrelated query.
    fn in_join(&mut self, expr: &Ast, query: &ast::Query) -> SqlResult<Option<Semi>> {
        if crate::compare::row_members(expr).is_some() {
            return Ok(None);
        }
        let left = self.within(Clause::Where, |a| a.expr(expr))?;
        if !crate::select::uses_vars(&left) || walk::is_volatile(&left) {
            return Ok(None);
        }
        let (plan, outer) = self.nested(false, false, |a| a.query(query))?;
        if !outer.is_empty() || plan.columns.len() != 1 {
            return Ok(None);
        }
        // The query's column is a variable, not a name.
        let before = core::mem::take(&mut self.level().names);
        let tree = self.query_leaf(plan, Vec::new(), Some("in".into()), None);
        let after = core::mem::replace(&mut self.level().names, before);
        let tree = tree?;
        let Some(column) = after.items.first().and_then(|item| item.columns.first()) else {
            return Ok(None);
        };
        let condition = self.operator("=", left, column.value.clone())?;
        Ok(Some(Semi {
            kind: JoinKind::Semi,
            trees: alloc::vec![tree],
            conditions: alloc::vec![condition],
        }))
    }
}

/// The SELECT of a query without anything that changes which rows there are.
pub fn plain(query: &ast::Query) -> Option<&ast::Select> {
    let bare = query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty();
    let SetExpr::Select(select) = &*query.body else {
        return None;
    };
    let ungrouped =
        matches!(&select.group_by, ast::GroupByExpr::Expressions(list, _) if list.is_empty());
    (bare
        && ungrouped
        && select.having.is_none()
        && !select.from.is_empty()
        && select.into.is_none())
    .then_some(select)
}

fn uses_outer(expr: &Expr) -> bool {
    walk::any(expr, &mut |e| matches!(e, Expr::Outer { .. }))
}

fn tree_uses_outer(tree: &Tree) -> bool {
    match tree {
        Tree::Leaf(_) => false,
        Tree::Filter { tree, conditions } => {
            conditions.iter().any(uses_outer) || tree_uses_outer(tree)
        }
        Tree::Join {
            left, right, on, ..
        } => on.iter().any(uses_outer) || tree_uses_outer(left) || tree_uses_outer(right),
    }
}

/// Whether a plan without a frame of its own takes values of the enclosing one.
/// Asked of the printed plan: it may hold them anywhere.
fn mentions_outer(plan: &pg_plan::Plan) -> bool {
    alloc::format!("{:?}", plan.node).contains("Outer {")
}

/// An expression of the subquery in the outer query's terms.
fn pulled_up(expr: Expr, outer: &[Expr]) -> Expr {
    walk::map(expr, &mut |e| match e {
        Expr::Outer { index, .. } => outer.get(*index).cloned(),
        _ => None,
    })
}
