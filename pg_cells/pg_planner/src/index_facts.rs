//! What the planner must know of indexes with computed keys or a condition: both
//! over the variables of the leaf that is scanned.

use crate::analyzer::{Analyzer, Clause, Var};
use crate::implication::{has_param, implied};
use crate::walk::{self, conjuncts};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Expr, Relation};

/// Of one index.
#[derive(Clone, Debug, Default)]
pub struct IndexFacts {
    /// Its computed keys; `None` where the key is a column.
    pub keys: Vec<Option<Expr>>,
    /// The conjuncts of its condition; `None` when there is none.
    pub predicate: Option<Vec<Expr>>,
    /// Its texts could not be understood: it is not used.
    broken: bool,
}

impl IndexFacts {
    /// Whether all rows for which `conditions` hold have an entry.
    pub fn covers(&self, conditions: &[Expr]) -> bool {
        let all = |parts: &Vec<Expr>| parts.iter().all(|part| implied(conditions, part));
        !self.broken && self.predicate.as_ref().is_none_or(all)
    }
}

/// Of the indexes of a leaf's table, in their order.
pub type LeafFacts = Arc<[IndexFacts]>;

impl Analyzer<'_> {
    /// The facts of a leaf's indexes; found out once.
    pub fn index_facts(
        &mut self,
        leaf: usize,
        relation: &Arc<Relation>,
        vars: &[Var],
    ) -> LeafFacts {
        if let Some((_, known)) = self.facts.iter().find(|(of, _)| *of == leaf) {
            return known.clone();
        }
        let mut all = Vec::with_capacity(relation.indexes.len());
        for index in &relation.indexes {
            let mut facts = IndexFacts::default();
            let mut read = |a: &mut Self, text: &str| {
                let expr = a.row_text(relation, text, Clause::Index);
                let expr = expr.map(|expr| over_vars(expr, vars));
                facts.broken |= expr.is_err();
                expr.ok()
            };
            let keys = index.keys.iter().map(|key| {
                let text = key.expression.as_deref()?;
                read(self, text)
            });
            let keys = keys.collect();
            let predicate = index.predicate.as_deref().and_then(|text| read(self, text));
            facts.keys = keys;
            facts.predicate = predicate.map(|condition| {
                let mut parts = Vec::new();
                conjuncts(condition, &mut parts);
                parts
            });
            all.push(facts);
        }
        let all: LeafFacts = all.into();
        self.facts.push((leaf, all.clone()));
        all
    }

    /// Notes that a partial index might serve if the values of parameters were
    /// known: conditions speak of what its condition speaks of.
    pub fn note_unproved(&mut self, facts: &IndexFacts, conditions: &[Expr]) {
        let Some(parts) = &facts.predicate else {
            return;
        };
        let var = |e: &Expr| match e {
            Expr::Column { index, .. } => Some(*index),
            _ => None,
        };
        let mut used = Vec::new();
        for part in parts {
            walk::any(part, &mut |e| {
                used.extend(var(e));
                false
            });
        }
        let speaks = |c: &Expr| walk::any(c, &mut |e| var(e).is_some_and(|v| used.contains(&v)));
        self.wants_values |= conditions.iter().any(|c| has_param(c) && speaks(c));
    }
}

fn over_vars(expr: Expr, vars: &[Var]) -> Expr {
    walk::map(expr, &mut |e| match e {
        Expr::Column { index, type_oid } => vars.get(*index).map(|var| Expr::Column {
            index: *var,
            type_oid: *type_oid,
        }),
        _ => None,
    })
}
