//! min and max of an indexed column: the first row of the index.

use crate::analyzer::{Analyzer, Var};
use crate::leaf::{LeafKind, Tree};
use crate::order::Key;
use crate::path::{Path, ROW, Uses};
use crate::select::Block;
use crate::walk::any;
use alloc::vec::Vec;
use pg_builtins::{AggregateKind, Body, function_by_oid};
use pg_plan::{AggregateCall, Expr, Node, SubLink, SubLinkKind};
use pg_types::{Datum, SqlResult, oid};

impl Analyzer<'_> {
    /// The aggregates of a block as subqueries, when all are min or max of
    /// columns that lead an index of the only table.
    pub fn extremes(&mut self, block: &Block, uses: &Uses) -> SqlResult<Option<Path>> {
        let [Tree::Leaf(leaf)] = block.trees.as_slice() else {
            return Ok(None);
        };
        let fitting = block.grouped
            && block.grouping.keys.is_empty()
            && block.grouping.mask.is_none()
            && block.semis.is_empty()
            && !block.aggregates.is_empty()
            && !block
                .conditions
                .iter()
                .any(|c| any(c, &mut |e| matches!(e, Expr::Outer { .. })));
        if !fitting {
            return Ok(None);
        }
        let LeafKind::Table { relation, .. } = &self.leaves[*leaf].kind else {
            return Ok(None);
        };
        let vars = &self.leaves[*leaf].vars;
        let leads = |var: Var| {
            relation.indexes.iter().any(|index| {
                let first = index
                    .keys
                    .first()
                    .and_then(|key| usize::try_from(key.attribute - 1).ok());
                index.valid
                    && index.predicate.is_none()
                    && first.and_then(|at| vars.get(at)) == Some(&var)
            })
        };
        let wanted: Option<Vec<(Var, bool)>> = block
            .aggregates
            .iter()
            .map(|(_, call)| extreme(call).filter(|(var, _)| leads(*var)))
            .collect();
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let mut exprs = Vec::new();
        for (var, last) in wanted {
            let Some(link) = self.first_row(*leaf, block, var, last)? else {
                return Ok(None);
            };
            exprs.push(link);
        }
        let layout: Vec<Var> = block.aggregates.iter().map(|(var, _)| *var).collect();
        let _ = uses;
        let input = Self::bare(Node::Nothing { filter: None }, Vec::new(), 1.0);
        Ok(Some(self.path(
            Node::Project { input, exprs },
            layout,
            1.0,
            0.0,
            ROW,
        )))
    }

    /// `(SELECT var FROM leaf WHERE ... AND var IS NOT NULL ORDER BY var LIMIT 1)`.
    fn first_row(
        &mut self,
        leaf: usize,
        block: &Block,
        var: Var,
        last: bool,
    ) -> SqlResult<Option<Expr>> {
        let value = self.var(var);
        let type_oid = self.vars[var].type_oid;
        let mut conditions = block.conditions.clone();
        conditions.push(Expr::IsNull {
            input: value.clone().into(),
            negated: true,
        });
        let inner = Block {
            trees: alloc::vec![Tree::Leaf(leaf)],
            conditions,
            targets: alloc::vec![(self.vars[var].name.clone(), value.clone())],
            order: alloc::vec![Key {
                expr: value,
                descending: last,
                nulls_first: last
            }],
            limit: Some(crate::coerce::constant(Datum::Int8(1), oid::INT8)),
            ..Block::default()
        };
        let plan = crate::build::stripped(self.finish(inner)?);
        let indexed = {
            let mut node = &*plan.node;
            loop {
                match node {
                    Node::Limit { input, .. } | Node::Project { input, .. } => node = &input.node,
                    Node::IndexScan(_) => break true,
                    _ => break false,
                }
            }
        };
        Ok(indexed.then(|| {
            Expr::SubLink(
                SubLink {
                    kind: SubLinkKind::Scalar,
                    plan,
                    outer: Vec::new(),
                    type_oid,
                }
                .into(),
            )
        }))
    }
}

/// The variable of a plain min (false) or max (true).
fn extreme(call: &AggregateCall) -> Option<(Var, bool)> {
    let last = match function_by_oid(call.function)?.body {
        Body::Aggregate(AggregateKind::Min) => false,
        Body::Aggregate(AggregateKind::Max) => true,
        _ => return None,
    };
    let [Expr::Column { index, .. }] = call.args.as_slice() else {
        return None;
    };
    (!call.distinct && call.filter.is_none()).then_some((*index, last))
}
