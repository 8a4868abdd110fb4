//! How many rows a condition leaves: out of what ANALYZE has found, or a guess.

use crate::analyzer::{Analyzer, Var};
use crate::leaf::LeafKind;
use crate::matching::{Comparison, bare_var, comparison};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_catalog_port::{ColumnStatistics, TableStatistics};
use pg_plan::{Expr, Relation};
use pg_types::{Datum, compare};

/// Rows of a table nobody has looked at.
const UNKNOWN_ROWS: f64 = 1000.0;
/// Its pages.
const UNKNOWN_PAGES: f64 = 10.0;
/// Distinct values of a column nobody has looked at.
const DISTINCT: f64 = 200.0;
/// The share of rows on one side of a bound nobody knows.
const RANGE: f64 = 1.0 / 3.0;

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
            Expr::IsNull { input, negated } => {
                let known = bare_var(input).and_then(|var| self.column_facts(var));
                let null = known.map_or(0.005, |c| c.nulls());
                if *negated { 1.0 - null } else { null }
            }
            _ => self.comparison_selectivity(condition),
        }
    }

    /// What ANALYZE found out about a variable.
    fn column_facts(&self, var: Var) -> Option<ColumnFacts> {
        let info = self.vars.get(var)?;
        let leaf = self.leaves.get(info.leaf?)?;
        let LeafKind::Table { relation, .. } = &leaf.kind else {
            return None;
        };
        let table = self.ctx.catalog.statistics(relation.oid).ok().flatten()?;
        let place = usize::try_from(info.attribute - 1).ok()?;
        // A column that was added since has none.
        table.columns.get(place).filter(|c| c.distinct != 0.0)?;
        Some(ColumnFacts { table, place })
    }

    /// The share of rows in which a variable equals a value, which may not be known.
    fn equal_share(&self, var: Var, value: Option<&Datum>) -> f64 {
        let distinct = self.distinct(var).max(1.0);
        match self.column_facts(var) {
            Some(column) => column.equal(value, distinct),
            None => 1.0 / distinct,
        }
    }

    /// The share of rows for which `<>` holds between a variable and a value.
    fn unequal_share(&self, condition: &Expr) -> Option<f64> {
        let Expr::Call { function, args, .. } = condition else {
            return None;
        };
        let of = pg_builtins::operators()
            .iter()
            .find(|o| o.func == *function)?;
        let [left, right] = args.as_slice() else {
            return None;
        };
        let (var, value) = match (bare_var(left), bare_var(right)) {
            (Some(var), None) => (var, right),
            (None, Some(var)) => (var, left),
            _ => return None,
        };
        let nulls = self.column_facts(var)?.nulls();
        let equal = self.equal_share(var, constant(value));
        (of.name == "<>").then_some((1.0 - equal - nulls).max(0.0))
    }

    fn comparison_selectivity(&self, condition: &Expr) -> f64 {
        let Some(found) = comparison(condition) else {
            return self.unequal_share(condition).unwrap_or(1.0 / 3.0);
        };
        let (left, right) = (bare_var(found.left), bare_var(found.right));
        match found.kind {
            Comparison::Equal => match (left, right) {
                (Some(l), Some(r)) => 1.0 / self.distinct(l).max(self.distinct(r)).max(1.0),
                (Some(v), None) => self.equal_share(v, constant(found.right)),
                (None, Some(v)) => self.equal_share(v, constant(found.left)),
                (None, None) => 1.0 / DISTINCT,
            },
            Comparison::In => {
                let equal = |value: Option<&Datum>| match left {
                    Some(var) => self.equal_share(var, value),
                    None => 1.0 / DISTINCT,
                };
                let share: f64 = match found.right {
                    Expr::Const {
                        value: Datum::Array(array),
                        ..
                    } => array.items.iter().map(|item| equal(Some(item))).sum(),
                    Expr::Array { elements, .. } => {
                        elements.iter().map(|e| equal(constant(e))).sum()
                    }
                    _ => 10.0 * equal(None),
                };
                share.min(1.0)
            }
            _ => self.bound(condition).map_or(RANGE, |bound| bound.share),
        }
    }

    /// A comparison of a variable with a bound.
    fn bound(&self, condition: &Expr) -> Option<Bound> {
        let found = comparison(condition)?;
        let (var, kind, value) = match (bare_var(found.left), bare_var(found.right)) {
            (Some(var), None) => (var, found.kind, found.right),
            (None, Some(var)) => (var, found.kind.turned(), found.left),
            _ => return None,
        };
        let upper = match kind {
            Comparison::Less | Comparison::LessEqual => true,
            Comparison::Greater | Comparison::GreaterEqual => false,
            Comparison::Equal | Comparison::In => return None,
        };
        let column = self.column_facts(var);
        let value = constant(value);
        let known = column.as_ref().zip(value);
        let known = known.and_then(|(column, value)| column.range(kind, value, self.distinct(var)));
        Some(Bound {
            var,
            upper,
            share: known.unwrap_or(RANGE),
            present: match known {
                Some(_) => column.map(|c| 1.0 - c.nulls()),
                None => None,
            },
        })
    }

    /// The share of rows for which all of some conditions hold. Two bounds of
    /// one variable are a range.
    pub fn all_selectivity(&self, conditions: &[Expr]) -> f64 {
        let mut share = 1.0;
        let mut bounds: Vec<Bound> = Vec::new();
        for condition in conditions {
            match self.bound(condition) {
                Some(bound) => bounds.push(bound),
                None => share *= self.selectivity(condition),
            }
        }
        while let Some(one) = bounds.pop() {
            let partner = |other: &Bound| other.var == one.var && other.upper != one.upper;
            let Some(at) = bounds.iter().position(partner) else {
                share *= one.share;
                continue;
            };
            let other = bounds.swap_remove(at);
            share *= match (one.present, other.present) {
                (Some(present), Some(_)) => (one.share + other.share - present).max(1e-4),
                // A range is a small part of the whole, as in PostgreSQL.
                _ => 0.005,
            };
        }
        share.clamp(1e-9, 1.0)
    }
}

/// A comparison of a variable with a bound.
struct Bound {
    var: Var,
    upper: bool,
    /// The share of rows within it.
    share: f64,
    /// The share of rows that are not NULL, when that and the bound's value are
    /// known.
    present: Option<f64>,
}

/// What ANALYZE found out about a column.
struct ColumnFacts {
    table: Arc<TableStatistics>,
    place: usize,
}

impl ColumnFacts {
    fn facts(&self) -> &ColumnStatistics {
        &self.table.columns[self.place]
    }

    fn nulls(&self) -> f64 {
        self.facts().null_fraction
    }

    /// The rows that have a value which is not among the commonest.
    fn uncommon(&self) -> f64 {
        let common: f64 = self.facts().common.iter().map(|(_, share)| share).sum();
        (1.0 - self.nulls() - common).max(0.0)
    }

    fn equal(&self, value: Option<&Datum>, distinct: f64) -> f64 {
        let common = &self.facts().common;
        let Some(value) = value else {
            return (1.0 - self.nulls()) / distinct;
        };
        if value.is_null() {
            return 0.0;
        }
        let found = common
            .iter()
            .find(|(c, _)| order(c, value) == Some(Ordering::Equal));
        if let Some((_, share)) = found {
            return *share;
        }
        let others = (distinct - common.len() as f64).max(1.0);
        let share = self.uncommon() / others;
        // No rarer value is more frequent than the least common of the common.
        common.last().map_or(share, |(_, least)| share.min(*least))
    }

    /// The share of rows whose value compares like this; none when that is not
    /// known.
    fn range(&self, kind: Comparison, value: &Datum, distinct: f64) -> Option<f64> {
        let (common, histogram) = (&self.facts().common, &self.facts().histogram);
        let mut share = 0.0;
        for (c, of) in common {
            let holds = matches!(
                (order(c, value)?, kind),
                (Ordering::Less, Comparison::Less | Comparison::LessEqual)
                    | (
                        Ordering::Greater,
                        Comparison::Greater | Comparison::GreaterEqual
                    )
                    | (
                        Ordering::Equal,
                        Comparison::LessEqual | Comparison::GreaterEqual
                    )
            );
            share += if holds { *of } else { 0.0 };
        }
        let uncommon = self.uncommon();
        // One value among the others, if they are spread evenly.
        let one = 1.0 / (distinct - common.len() as f64).max(1.0);
        let below = match below(histogram, value, one) {
            // The histogram tells of `<=`.
            Some(below) if matches!(kind, Comparison::Less | Comparison::GreaterEqual) => {
                (below - one).max(0.0)
            }
            Some(below) => below,
            None if uncommon < 1e-3 && !common.is_empty() => 0.0,
            None => return None,
        };
        let within = match kind {
            Comparison::Less | Comparison::LessEqual => below,
            _ => 1.0 - below,
        };
        Some((share + uncommon * within).clamp(1e-4, 1.0))
    }
}

/// The share of a histogram's rows that do not lie above a value, as the place among
/// its bounds says; within two bounds numbers are taken as evenly spread. `one` is
/// the share of a single value: the first bound is no more than that.
fn below(histogram: &[Datum], value: &Datum, one: f64) -> Option<f64> {
    let (first, last) = (histogram.first()?, histogram.last()?);
    if histogram.len() < 2 {
        return None;
    }
    if order(value, first)? != Ordering::Greater {
        return Some(0.0);
    }
    if order(value, last)? != Ordering::Less {
        return Some(1.0);
    }
    let mut at = 0;
    while order(value, &histogram[at + 1])? == Ordering::Greater {
        at += 1;
    }
    let number = |d: &Datum| match d {
        Datum::Float8(v) => Some(*v),
        Datum::Float4(v) => Some(f64::from(*v)),
        Datum::Date(v) => Some(f64::from(*v)),
        Datum::Timestamp(v) | Datum::TimestampTz(v) => Some(*v as f64),
        other => other.as_i64().map(|v| v as f64),
    };
    let numbers = number(&histogram[at]).zip(number(&histogram[at + 1]));
    let within = match numbers.zip(number(value)) {
        Some(((low, high), value)) if high > low => (value - low) / (high - low),
        _ => 0.5,
    };
    let first = if at == 0 { one * (1.0 - within) } else { 0.0 };
    Some((at as f64 + within) / (histogram.len() - 1) as f64 + first)
}

/// How two values compare; none when they are of different kinds.
fn order(a: &Datum, b: &Datum) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return Some(a.cmp(&b));
    }
    let same = core::mem::discriminant(a) == core::mem::discriminant(b);
    same.then(|| compare(a, b))
}

fn constant(expr: &Expr) -> Option<&Datum> {
    match expr {
        Expr::Const { value, .. } => Some(value),
        Expr::Relabel { input, .. } => constant(input),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(column: ColumnStatistics) -> ColumnFacts {
        let table = TableStatistics {
            columns: alloc::vec![column],
            ..TableStatistics::default()
        };
        ColumnFacts {
            table: Arc::new(table),
            place: 0,
        }
    }

    #[test]
    fn shares_follow_the_statistics() {
        let histogram = (0..=100).map(|n| Datum::Int4(n * 10)).collect();
        let column = facts(ColumnStatistics {
            null_fraction: 0.1,
            distinct: 1001.0,
            common: alloc::vec![(Datum::Int4(7), 0.4)],
            histogram,
            ..ColumnStatistics::default()
        });
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(column.equal(Some(&Datum::Int4(7)), 1001.0), 0.4);
        close(column.equal(Some(&Datum::Int8(7)), 1001.0), 0.4);
        close(column.equal(Some(&Datum::Int4(8)), 1001.0), 0.0005);
        close(column.equal(None, 1000.0), 0.0009);
        let range = |kind, n| column.range(kind, &Datum::Int4(n), 1001.0).unwrap();
        close(range(Comparison::Less, 500), 0.4 + 0.5 * 0.499);
        close(range(Comparison::LessEqual, 500), 0.4 + 0.5 * 0.5);
        close(range(Comparison::GreaterEqual, 505), 0.5 * (1.0 - 0.504));
        close(range(Comparison::Less, -5), 1e-4);
        assert_eq!(
            column.range(Comparison::Less, &Datum::text("x"), 1001.0),
            None
        );
    }
}
