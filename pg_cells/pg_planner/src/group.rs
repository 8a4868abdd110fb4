//! GROUP BY: keys, grouping sets, and what else may be used beside them.

use crate::analyzer::{Analyzer, Clause, Var, fold};
use crate::error;
use crate::leaf::LeafKind;
use crate::order::{Target, checked_ordinal, ordinal};
use crate::walk::{self, same, type_of};
use alloc::format;
use alloc::vec::Vec;
use pg_parser_port::ast::{self, Expr as Ast};
use pg_plan::Expr;
use pg_types::{Datum, SqlError, SqlResult, SqlState, oid};

/// Most grouping sets, as in PostgreSQL.
const MAX_SETS: usize = 4096;

/// The groups of a select.
#[derive(Default)]
pub struct Grouping {
    /// The keys, each with the variable of its value above the aggregation.
    pub keys: Vec<(Var, Expr)>,
    /// Grouping sets as places in `keys`; empty: one set of all.
    pub sets: Vec<Vec<usize>>,
    /// The variable of the set's mask, when there are several.
    pub mask: Option<Var>,
    /// GROUP BY was written.
    pub written: bool,
}

impl Grouping {
    fn key(&mut self, a: &mut Analyzer<'_>, expr: Expr) -> usize {
        if let Some(at) = self.keys.iter().position(|(_, key)| same(key, &expr)) {
            return at;
        }
        let mut info = match &expr {
            Expr::Column { index, .. } => a.vars[*index].clone(),
            other => {
                let var = a.computed("key", type_of(other));
                let mut info = a.vars[var].clone();
                info.typmod = a.typmod_of(other);
                info
            }
        };
        info.leaf = None;
        let var = a.new_var(info);
        self.keys.push((var, expr));
        self.keys.len() - 1
    }
}

impl Analyzer<'_> {
    /// Reads GROUP BY.
    pub fn group_by(
        &mut self,
        group: &ast::GroupByExpr,
        targets: &[Target],
    ) -> SqlResult<Grouping> {
        let ast::GroupByExpr::Expressions(list, modifiers) = group else {
            return Err(SqlError::unsupported("GROUP BY ALL"));
        };
        if !modifiers.is_empty() {
            return Err(SqlError::unsupported("a modifier of GROUP BY"));
        }
        let mut grouping = Grouping {
            written: !list.is_empty(),
            ..Grouping::default()
        };
        // The cross product of what each entry gives.
        let mut sets: Vec<Vec<usize>> = alloc::vec![Vec::new()];
        let mut several = false;
        for ast in list {
            let (entry, multiple) = self.group_entry(ast, targets, &mut grouping)?;
            several |= multiple;
            let mut product = Vec::new();
            for set in &sets {
                for more in &entry {
                    let mut joined = set.clone();
                    joined.extend(more.iter().filter(|k| !set.contains(k)));
                    product.push(joined);
                }
            }
            if product.len() > MAX_SETS {
                return Err(SqlError::new(
                    SqlState::STATEMENT_TOO_COMPLEX,
                    format!("too many grouping sets present (maximum {MAX_SETS})"),
                ));
            }
            sets = product;
        }
        if several {
            grouping.mask = Some(self.computed("grouping", oid::INT4));
            grouping.sets = sets;
        }
        Ok(grouping)
    }

    fn group_entry(
        &mut self,
        ast: &Ast,
        targets: &[Target],
        grouping: &mut Grouping,
    ) -> SqlResult<(Vec<Vec<usize>>, bool)> {
        let mut list = |a: &mut Self, asts: &[Ast]| -> SqlResult<Vec<usize>> {
            asts.iter()
                .map(|ast| {
                    let expr = a.group_value(ast, targets)?;
                    Ok(grouping.key(a, expr))
                })
                .collect()
        };
        match ast {
            Ast::Tuple(members) => Ok((alloc::vec![list(self, members)?], members.is_empty())),
            Ast::Rollup(parts) => {
                let parts = parts
                    .iter()
                    .map(|p| list(self, p))
                    .collect::<SqlResult<Vec<_>>>()?;
                let sets = (0..=parts.len())
                    .rev()
                    .map(|n| parts[..n].concat())
                    .collect();
                Ok((sets, true))
            }
            Ast::Cube(parts) => {
                if parts.len() > 12 {
                    return Err(SqlError::new(
                        SqlState::TOO_MANY_COLUMNS,
                        "CUBE is limited to 12 elements",
                    ));
                }
                let parts = parts
                    .iter()
                    .map(|p| list(self, p))
                    .collect::<SqlResult<Vec<_>>>()?;
                let all = 1usize << parts.len();
                let sets = (0..all)
                    .rev()
                    .map(|bits| {
                        let chosen = parts.iter().enumerate();
                        chosen
                            .filter(|(at, _)| bits >> (parts.len() - 1 - at) & 1 == 1)
                            .flat_map(|(_, part)| part.iter().copied())
                            .collect()
                    })
                    .collect();
                Ok((sets, true))
            }
            Ast::GroupingSets(parts) => Ok((
                parts
                    .iter()
                    .map(|p| list(self, p))
                    .collect::<SqlResult<Vec<_>>>()?,
                true,
            )),
            Ast::Nested(inner) => self.group_entry(inner, targets, grouping),
            other => {
                let expr = self.group_value(other, targets)?;
                Ok((alloc::vec![alloc::vec![grouping.key(self, expr)]], false))
            }
        }
    }

    /// One grouping expression: input columns first, then output names, then
    /// ordinals and expressions.
    fn group_value(&mut self, ast: &Ast, targets: &[Target]) -> SqlResult<Expr> {
        let value = match ast {
            Ast::Identifier(ident) => {
                let name = fold(ident);
                match self.within(Clause::GroupBy, |a| a.resolve_name(&name)) {
                    Ok(value) => Ok(value),
                    Err(error) => match targets.iter().find(|(target, _)| *target == name) {
                        Some((_, value)) => Ok(value.clone()),
                        None => Err(error),
                    },
                }
            }
            other => match ordinal(other)? {
                Some(number) => {
                    let at = checked_ordinal(number, targets.len(), "GROUP BY")?;
                    Ok(targets[at].1.clone())
                }
                None => self.within(Clause::GroupBy, |a| a.expr(other)),
            },
        }?;
        self.refuse_aggregates(&value, Clause::GroupBy)?;
        self.settle(value)
    }

    /// An expression that came from the select list may hold an aggregate.
    fn refuse_aggregates(&mut self, value: &Expr, clause: Clause) -> SqlResult<()> {
        let level = self.levels.len() - 1;
        let held = walk::any(value, &mut |e| match e {
            Expr::Column { index, .. } => self.levels[level]
                .aggregates
                .iter()
                .any(|(var, _)| var == index),
            _ => false,
        });
        if held {
            return Err(error::grouping(format!(
                "aggregate functions are not allowed in {}",
                clause.name()
            )));
        }
        Ok(())
    }

    /// Replaces keys by their values above the aggregation; 42803 for columns
    /// that are no keys.
    pub fn above_groups(&mut self, expr: Expr, grouping: &mut Grouping) -> SqlResult<Expr> {
        let mut failed = None;
        let level = self.levels.len() - 1;
        let out = walk::map(expr, &mut |e| {
            if let Some((var, _)) = grouping.keys.iter().find(|(_, key)| same(key, e)) {
                return Some(Expr::Column {
                    index: *var,
                    type_oid: type_of(e),
                });
            }
            let Expr::Column { index, .. } = e else {
                return None;
            };
            self.vars[*index].leaf?;
            if self.depends_on_keys(*index, grouping) {
                let at = grouping.key(self, e.clone());
                grouping.sets.iter_mut().for_each(|set| set.push(at));
                return Some(Expr::Column {
                    index: grouping.keys[at].0,
                    type_oid: type_of(e),
                });
            }
            let info = &self.vars[*index];
            let name = format!("{}.{}", info.item, info.name);
            failed.get_or_insert_with(|| {
                error::grouping(format!(
                    "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
                ))
            });
            None
        });
        let _ = level;
        match failed {
            Some(error) => Err(error),
            None => Ok(out),
        }
    }

    /// Whether the keys hold the primary key of the column's table.
    fn depends_on_keys(&self, var: Var, grouping: &Grouping) -> bool {
        if !grouping.sets.is_empty() {
            return false;
        }
        let Some(leaf) = self.vars[var].leaf.and_then(|leaf| self.leaves.get(leaf)) else {
            return false;
        };
        let LeafKind::Table { relation, .. } = &leaf.kind else {
            return false;
        };
        let Some(primary) = relation
            .indexes
            .iter()
            .find(|index| index.primary && !index.deferral.deferrable)
        else {
            return false;
        };
        primary.keys.iter().all(|key| {
            usize::try_from(key.attribute - 1)
                .ok()
                .and_then(|at| leaf.vars.get(at))
                .is_some_and(|wanted| {
                    grouping
                        .keys
                        .iter()
                        .any(|(_, e)| matches!(e, Expr::Column { index, .. } if index == wanted))
                })
        })
    }

    /// GROUPING calls in terms of the mask: bit `n - 1 - i` is set when key `i`
    /// is not in the row's set.
    pub fn grouping_values(&mut self, expr: Expr, grouping: &Grouping) -> SqlResult<Expr> {
        let level = self.levels.len() - 1;
        let calls = core::mem::take(&mut self.levels[level].groupings);
        let mut values = Vec::new();
        for (var, args) in &calls {
            let mut sum = crate::coerce::constant(Datum::Int4(0), oid::INT4);
            for arg in args {
                let Some(at) = grouping.keys.iter().position(|(_, key)| same(key, arg)) else {
                    self.levels[level].groupings = calls;
                    return Err(error::grouping(
                        "arguments to GROUPING must be grouping expressions of the associated query level",
                    ));
                };
                let int = |n: i32| crate::coerce::constant(Datum::Int4(n), oid::INT4);
                let bit = match grouping.mask {
                    Some(mask) => {
                        let shift = (grouping.keys.len() - 1 - at) as i32;
                        let shifted = self.operator(">>", self.var(mask), int(shift))?;
                        self.operator("&", shifted, int(1))?
                    }
                    None => int(0),
                };
                let doubled = self.operator("*", sum, int(2))?;
                sum = self.operator("+", doubled, bit)?;
            }
            values.push((*var, sum));
        }
        self.levels[level].groupings = calls;
        Ok(walk::map(expr, &mut |e| match e {
            Expr::Column { index, .. } => values
                .iter()
                .find(|(var, _)| var == index)
                .map(|(_, v)| v.clone()),
            _ => None,
        }))
    }
}
