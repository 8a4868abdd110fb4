//! Guesses about how many rows a condition leaves.

use crate::analyzer::{Analyzer, Var};
use crate::leaf::LeafKind;
use crate::matching::{Comparison, comparison};
use crate::walk;
use pg_plan::{Expr, Relation};
use pg_types::Datum;

/// Rows of a table nobody has looked at.
const UNKNOWN_ROWS: f64 = 1000.0;
/// Its pages.
const UNKNOWN_PAGES: f64 = 10.0;
/// Distinct values of a column nobody has looked at.
const DISTINCT: f64 = 200.0;

/// Rows and pages of a table.
pub fn size(relation: &Relation) -> (f64, f64) {
    if relation.reltuples < 0.0 {
        return (UNKNOWN_ROWS, UNKNOWN_PAGES);
    }
    (
        relation.reltuples.max(1.0),
        f64::from(relation.relpages.max(1)),
    )
}

impl Analyzer<'_> {
    /// Distinct values of a variable.
    pub fn distinct(&self, var: Var) -> f64 {
        let Some(leaf) = self
            .vars
            .get(var)
            .and_then(|v| v.leaf)
            .and_then(|leaf| self.leaves.get(leaf))
        else {
            return DISTINCT;
        };
        let LeafKind::Table { relation, .. } = &leaf.kind else {
            return match &leaf.kind {
                LeafKind::Query { plan, .. } => plan.rows.clamp(1.0, DISTINCT),
                _ => DISTINCT,
            };
        };
        let (rows, _) = size(relation);
        let attribute = self.vars[var].attribute;
        let unique = relation.indexes.iter().any(|index| {
            index.unique
                && index.predicate.is_none()
                && index.keys.len() == 1
                && index.keys[0].attribute == attribute
        });
        if unique {
            return rows;
        }
        if let Ok(Some(known)) = self.ctx.catalog.statistics(relation.oid) {
            let at = usize::try_from(attribute - 1).unwrap_or(usize::MAX);
            if let Some(column) = known.columns.get(at) {
                if column.distinct > 0.0 {
                    return column.distinct.min(rows.max(1.0));
                }
                if column.distinct < 0.0 {
                    return (-column.distinct * rows).max(1.0);
                }
            }
        }
        rows.clamp(1.0, DISTINCT)
    }

    /// The share of rows for which a condition holds.
    pub fn selectivity(&self, condition: &Expr) -> f64 {
        match condition {
            Expr::Const {
                value: Datum::Bool(true),
                ..
            } => 1.0,
            Expr::Const { .. } => 0.0,
            Expr::And(list) => list.iter().map(|e| self.selectivity(e)).product(),
            Expr::Or(list) => {
                let none: f64 = list.iter().map(|e| 1.0 - self.selectivity(e)).product();
                1.0 - none
            }
            Expr::Not(inner) => 1.0 - self.selectivity(inner),
            Expr::IsNull { negated: false, .. } => 0.005,
            Expr::IsNull { .. } => 0.995,
            _ => self.comparison_selectivity(condition),
        }
    }

    fn comparison_selectivity(&self, condition: &Expr) -> f64 {
        let Some(found) = comparison(condition) else {
            return 1.0 / 3.0;
        };
        let var_of = |e: &Expr| match e {
            Expr::Column { index, .. } => Some(*index),
            Expr::Relabel { input, .. } => match &**input {
                Expr::Column { index, .. } => Some(*index),
                _ => None,
            },
            _ => None,
        };
        let (left, right) = (var_of(found.left), var_of(found.right));
        match found.kind {
            Comparison::Equal => match (left, right) {
                (Some(l), Some(r)) => 1.0 / self.distinct(l).max(self.distinct(r)).max(1.0),
                (Some(v), None) | (None, Some(v)) => 1.0 / self.distinct(v).max(1.0),
                (None, None) => 1.0 / DISTINCT,
            },
            Comparison::In => {
                let members = match found.right {
                    Expr::Const {
                        value: Datum::Array(array),
                        ..
                    } => array.items.len() as f64,
                    Expr::Array { elements, .. } => elements.len() as f64,
                    _ => 10.0,
                };
                let distinct = left.map_or(DISTINCT, |v| self.distinct(v));
                (members / distinct.max(1.0)).min(1.0)
            }
            _ => 1.0 / 3.0,
        }
    }

    /// The share of rows for which all of some conditions hold. Two bounds of
    /// one variable are a range.
    pub fn all_selectivity(&self, conditions: &[Expr]) -> f64 {
        let mut share = 1.0;
        for condition in conditions {
            share *= self.selectivity(condition);
        }
        let ranges = conditions
            .iter()
            .filter(|c| {
                comparison(c).is_some_and(|f| !matches!(f.kind, Comparison::Equal | Comparison::In))
            })
            .count();
        // A range is a small part of the whole: 0.5 % as in PostgreSQL.
        if ranges >= 2 && walk::conjunction(conditions.to_vec()).is_some() {
            share *= 0.045;
        }
        share.clamp(1e-9, 1.0)
    }
}
