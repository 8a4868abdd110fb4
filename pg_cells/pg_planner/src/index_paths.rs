//! Scans through indexes: which conditions and orders they serve, what they cost.

use crate::access::Request;
use crate::analyzer::{Analyzer, Var};
use crate::index_only;
use crate::matching::{Comparison, bare_var, comparison, key_array, key_value, usable};
use crate::path::{INDEX_ROW, KEY_LOOKUP, OPERATOR, OrderKey, Path, RANDOM_PAGE, ROW, bind};
use crate::stats;
use crate::walk::{conjunction, same};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{BoundKind, Expr, Index, IndexBound, IndexScan, Node, Relation, ScanDirection};
use pg_types::{Oid, SqlResult};

/// What an index can do for some conditions.
#[derive(Default)]
struct Matched {
    equal: Vec<Expr>,
    any: Option<Expr>,
    lower: Option<IndexBound>,
    upper: Option<IndexBound>,
    /// Places of the conditions that the bounds cover.
    covered: Vec<usize>,
}

/// A key of an index, over variables.
#[derive(Clone, Copy)]
enum Key<'e> {
    Column(Var),
    Computed(&'e Expr),
}

impl Key<'_> {
    fn is(self, expr: &Expr) -> bool {
        match (self, expr) {
            (Key::Column(var), _) => bare_var(expr) == Some(var),
            (Key::Computed(key), _) if same(key, expr) => true,
            (Key::Computed(_), Expr::Relabel { input, .. }) => self.is(input),
            _ => false,
        }
    }
}

impl Analyzer<'_> {
    /// The scans through indexes that serve a condition or an order.
    pub fn index_scans(
        &mut self,
        leaf: usize,
        relation: &Arc<Relation>,
        vars: &[Var],
        target: (Var, bool),
        request: &Request<'_>,
    ) -> SqlResult<Vec<Path>> {
        let unusual = |index: &Arc<Index>| {
            index.predicate.is_some() || index.keys.iter().any(|k| k.attribute == 0)
        };
        let facts = match relation.indexes.iter().any(unusual) {
            true => Some(self.index_facts(leaf, relation, vars)),
            false => None,
        };
        let mut paths = Vec::new();
        for (at, index) in relation.indexes.iter().enumerate() {
            let facts = facts.as_ref().and_then(|all| all.get(at));
            let covers = facts.is_none_or(|f| f.covers(request.conditions));
            if let (false, Some(facts)) = (covers, facts) {
                self.note_unproved(facts, request.conditions);
            } else if index.valid && !index.keys.is_empty() {
                let keys = facts.map_or(&[][..], |f| &f.keys);
                paths.extend(self.index_scan(relation, (index, keys), vars, target, request)?);
            }
        }
        Ok(paths)
    }

    /// A scan through an index, when it serves a condition or an order.
    fn index_scan(
        &self,
        relation: &Arc<Relation>,
        (index, computed): (&Arc<Index>, &[Option<Expr>]),
        vars: &[Var],
        (row_id, target): (Var, bool),
        request: &Request<'_>,
    ) -> SqlResult<Option<Path>> {
        let Some(matched) = self.match_index(index, computed, vars, request) else {
            return Ok(None);
        };
        let bound = !matched.covered.is_empty();
        if request.allowed.is_some() && !bound {
            return Ok(None);
        }
        let covered = matched.covered.iter();
        let covered: Vec<&Expr> = covered.map(|at| &request.conditions[*at]).collect();
        let rest = not_covered(request, &matched.covered);
        let (columns, layout, with_id) =
            self.scan_columns(vars, (row_id, target), request.uses, &covered);
        let covered: Vec<Expr> = covered.into_iter().cloned().collect();
        let (rows, pages) = stats::size(relation);
        let unique = index.unique && matched.equal.len() == index.keys.len();
        let fetched = match unique {
            true => 1.0,
            false => (rows * self.all_selectivity(&covered)).max(1.0),
        };
        let given = fetched * self.all_selectivity(&rest);
        let is_lookup = unique && request.allowed.is_none();
        let index_only = !with_id && index_only::covers(index, &columns);
        let (read, leaves) = match index_only {
            true => (
                index_only::unseen(relation),
                index_only::leaf_cost(index, fetched),
            ),
            false => (1.0, 0.0),
        };
        let (startup, total) = index_cost(fetched, pages, is_lookup, rest.len(), read);
        let (order, fixed) = index_order(index, vars, &matched);
        // Values of other leaves stay variables here; the join binds them.
        let filter = match (conjunction(rest), request.allowed) {
            (Some(filter), None) => Some(bind(filter, &layout)?),
            (filter, _) => filter,
        };
        let scan = IndexScan {
            relation: relation.clone(),
            index: index.clone(),
            equal: matched.equal,
            any: matched.any,
            lower: matched.lower,
            upper: matched.upper,
            direction: ScanDirection::Forward,
            columns,
            row_id: with_id,
            filter,
            index_only,
        };
        let mut path = self.path(
            Node::IndexScan(scan),
            layout,
            given,
            startup,
            total + leaves,
        );
        path.order = order;
        path.fixed = fixed;
        Ok(Some(path))
    }

    /// The conditions an index serves: equality on the first keys, then a list
    /// or a range on the next.
    fn match_index(
        &self,
        index: &Index,
        computed: &[Option<Expr>],
        vars: &[Var],
        request: &Request<'_>,
    ) -> Option<Matched> {
        let mut out = Matched::default();
        let allowed = |var: Var| request.allowed.is_some_and(|list| list.contains(&var));
        for (place, key) in index.keys.iter().enumerate() {
            let at = usize::try_from(key.attribute - 1).ok();
            let var = match at.and_then(|at| vars.get(at)) {
                Some(var) => Key::Column(*var),
                None => match computed.get(place) {
                    Some(Some(expr)) => Key::Computed(expr),
                    _ => break,
                },
            };
            if let Some((at, value)) = self.find(
                var,
                key.type_oid,
                Comparison::Equal,
                vars,
                request,
                &allowed,
            ) {
                out.equal.push(value);
                out.covered.push(at);
                continue;
            }
            if let Some((at, array)) =
                self.find(var, key.type_oid, Comparison::In, vars, request, &allowed)
            {
                out.any = Some(array);
                out.covered.push(at);
                break;
            }
            let bound = |kind: Comparison, bound_kind: BoundKind| {
                self.find(var, key.type_oid, kind, vars, request, &allowed)
                    .map(|(at, value)| {
                        (
                            at,
                            IndexBound {
                                value,
                                kind: bound_kind,
                            },
                        )
                    })
            };
            let lower = bound(Comparison::Greater, BoundKind::Exclusive)
                .or_else(|| bound(Comparison::GreaterEqual, BoundKind::Inclusive));
            let upper = bound(Comparison::Less, BoundKind::Exclusive)
                .or_else(|| bound(Comparison::LessEqual, BoundKind::Inclusive));
            for (at, found) in lower.into_iter() {
                out.lower = Some(found);
                out.covered.push(at);
            }
            for (at, found) in upper.into_iter() {
                out.upper = Some(found);
                out.covered.push(at);
            }
            break;
        }
        Some(out)
    }

    /// A condition of a kind on a variable: its place and the value it compares
    /// with, as the key has it.
    fn find(
        &self,
        var: Key<'_>,
        key: Oid,
        kind: Comparison,
        own: &[Var],
        request: &Request<'_>,
        allowed: &dyn Fn(Var) -> bool,
    ) -> Option<(usize, Expr)> {
        request
            .conditions
            .iter()
            .enumerate()
            .find_map(|(at, condition)| {
                let found = comparison(condition)?;
                let sides = [
                    (found.kind, found.left, found.right),
                    (found.kind.turned(), found.right, found.left),
                ];
                sides.into_iter().find_map(|(this, column, value)| {
                    let matches = this == kind && var.is(column) && usable(value, own, allowed);
                    let turned_in =
                        found.kind == Comparison::In && core::ptr::eq(column, found.right);
                    if !matches || turned_in {
                        return None;
                    }
                    let value = match kind {
                        Comparison::In => key_array(value, key)?,
                        _ => key_value(value, key)?,
                    };
                    Some((at, value))
                })
            })
    }
}

/// How rows come out of an index, and which variables have one value.
fn index_order(index: &Index, vars: &[Var], matched: &Matched) -> (Vec<OrderKey>, Vec<Var>) {
    let var = |attribute: i16| {
        usize::try_from(attribute - 1)
            .ok()
            .and_then(|at| vars.get(at))
            .copied()
    };
    let fixed: Vec<Var> = index.keys[..matched.equal.len()]
        .iter()
        .filter_map(|key| var(key.attribute))
        .collect();
    if matched.any.is_some() {
        return (Vec::new(), fixed);
    }
    let order = index.keys[matched.equal.len()..]
        .iter()
        .map_while(|key| Some((var(key.attribute)?, key.descending, key.nulls_first)))
        .collect();
    (order, fixed)
}

/// The same scan against the key order.
pub fn backward(mut path: Path) -> Option<Path> {
    let Node::IndexScan(scan) = &mut *path.plan.node else {
        return None;
    };
    if scan.any.is_some() {
        return None;
    }
    scan.direction = ScanDirection::Backward;
    for (_, descending, nulls_first) in &mut path.order {
        *descending = !*descending;
        *nulls_first = !*nulls_first;
    }
    Some(path)
}

/// What a scan through an index costs until its first row, and in all: `fetched`
/// rows of a table of `pages` pages, `conditions` looked at for each; of the rows'
/// pages the share `read` is read. One that looks a single row up by its key costs
/// the same however small the table is.
fn index_cost(
    fetched: f64,
    pages: f64,
    is_lookup: bool,
    conditions: usize,
    read: f64,
) -> (f64, f64) {
    let (startup, heap) = match is_lookup {
        true => (KEY_LOOKUP * 0.5, KEY_LOOKUP * 0.5),
        false => (RANDOM_PAGE * 0.25, fetched.min(pages * 2.0) * RANDOM_PAGE),
    };
    let rows = fetched * (INDEX_ROW + ROW + OPERATOR * conditions as f64);
    (startup, startup + rows + heap * read)
}

/// The conditions that an index does not serve.
fn not_covered(request: &Request<'_>, covered: &[usize]) -> Vec<Expr> {
    let all = request.conditions.iter().enumerate();
    let rest = all.filter(|(at, _)| !covered.contains(at));
    rest.map(|(_, condition)| condition.clone()).collect()
}
