//! One join: nested loop, index nested loop or hash, by estimated cost.

use crate::access::Request;
use crate::analyzer::{Analyzer, Var};
use crate::matching::{Comparison, comparison};
use crate::path::{INDEX_ROW, OPERATOR, Path, RANDOM_PAGE, ROW, Uses, bind, bind_inner};
use crate::walk::{any, conjunction, type_of};
use alloc::vec::Vec;
use pg_builtins::common_type;
use pg_plan::{Expr, Join, JoinKind, Node};
use pg_types::SqlResult;

/// The inner side of a join.
pub enum Side {
    /// Any path.
    Path(Path),
    /// A table's path; the leaf may also be probed through an index.
    Leaf(usize, Path, Vec<Expr>),
    /// A leaf that takes values from the outer side, with its own conditions.
    Lateral(usize, Vec<Expr>),
}

impl Side {
    fn path(&self) -> Option<&Path> {
        match self {
            Side::Path(path) | Side::Leaf(_, path, _) => Some(path),
            Side::Lateral(..) => None,
        }
    }
}

/// How many rows a join gives.
pub fn join_rows(kind: JoinKind, left: f64, right: f64, share: f64) -> f64 {
    let pairs = left * right * share;
    let rows = match kind {
        JoinKind::Inner => pairs,
        JoinKind::Left => pairs.max(left),
        JoinKind::Right => pairs.max(right),
        JoinKind::Full => pairs.max(left).max(right),
        JoinKind::Semi => left * (right * share).min(1.0),
        JoinKind::Anti => left * (1.0 - (right * share).min(0.9)),
    };
    rows.max(1.0)
}

impl Analyzer<'_> {
    /// Joins two sides.
    pub fn join_sides(
        &mut self,
        kind: JoinKind,
        left: Path,
        right: Side,
        conditions: Vec<Expr>,
        uses: &Uses,
    ) -> SqlResult<Path> {
        let share = self.all_selectivity(&conditions);
        let right = match right {
            Side::Lateral(leaf, own) => {
                return self.lateral_join(kind, left, leaf, &own, conditions, share);
            }
            right => right,
        };
        let Some(inner) = right.path().cloned() else {
            return Err(pg_types::SqlError::internal("a join without an inner side"));
        };
        let rows = join_rows(kind, left.plan.rows, inner.plan.rows, share);
        let hash = self.hash_keys(&left, &inner, &conditions)?;
        let (l, r) = (&left.plan, &inner.plan);
        let hash_cost = if hash.0.is_empty() {
            f64::INFINITY
        } else {
            l.total_cost + r.total_cost + (r.rows + l.rows) * OPERATOR * 2.0 + rows * ROW
        };
        let loop_cost = l.total_cost + r.total_cost + l.rows * r.rows * OPERATOR + rows * ROW;
        let indexable = !matches!(kind, JoinKind::Full | JoinKind::Right);
        if let (Side::Leaf(leaf, _, own), true) = (&right, indexable) {
            let probe = self.probe(*leaf, own, &conditions, &left.layout, uses)?;
            if let Some((path, frame)) = probe {
                let cost = l.total_cost + l.rows * path.plan.total_cost + rows * ROW;
                if cost < hash_cost.min(loop_cost) {
                    return self.index_loop(kind, left, path, frame, rows, cost);
                }
            }
        }
        if hash_cost <= loop_cost {
            return self.hash_join(kind, left, inner, hash, rows, hash_cost);
        }
        let condition = conjunction(conditions);
        self.nested_loop(kind, left, inner, condition, Vec::new(), rows, loop_cost)
    }

    /// Splits conditions into hashable equalities (left, right) and the rest.
    #[allow(clippy::type_complexity)] // Pairs of keys and what is left.
    fn hash_keys(
        &mut self,
        left: &Path,
        right: &Path,
        conditions: &[Expr],
    ) -> SqlResult<(Vec<(Expr, Expr)>, Vec<Expr>)> {
        let within = |e: &Expr, layout: &[Var]| {
            crate::select::uses_vars(e)
                && !any(
                    e,
                    &mut |e| matches!(e, Expr::Column { index, .. } if !layout.contains(index)),
                )
        };
        let mut keys = Vec::new();
        let mut rest = Vec::new();
        for condition in conditions {
            let pair = comparison(condition)
                .filter(|f| f.kind == Comparison::Equal)
                .and_then(|f| {
                    if within(f.left, &left.layout) && within(f.right, &right.layout) {
                        Some((f.left.clone(), f.right.clone()))
                    } else if within(f.right, &left.layout) && within(f.left, &right.layout) {
                        Some((f.right.clone(), f.left.clone()))
                    } else {
                        None
                    }
                });
            match pair {
                Some((l, r)) if !crate::walk::is_volatile(condition) => {
                    let (l, r) = if type_of(&l) == type_of(&r) {
                        (l, r)
                    } else {
                        match common_type(&[type_of(&l), type_of(&r)], "JOIN") {
                            Ok(to) => (self.implicit(l, to)?, self.implicit(r, to)?),
                            Err(_) => {
                                rest.push(condition.clone());
                                continue;
                            }
                        }
                    };
                    keys.push((bind(l, &left.layout)?, bind(r, &right.layout)?));
                }
                _ => rest.push(condition.clone()),
            }
        }
        Ok((keys, rest))
    }

    fn hash_join(
        &mut self,
        kind: JoinKind,
        left: Path,
        right: Path,
        (keys, rest): (Vec<(Expr, Expr)>, Vec<Expr>),
        rows: f64,
        cost: f64,
    ) -> SqlResult<Path> {
        // The inner side is kept in memory: the smaller one, where they may
        // change places.
        let (left, right, keys) = if kind == JoinKind::Inner && left.plan.rows < right.plan.rows {
            (right, left, keys.into_iter().map(|(l, r)| (r, l)).collect())
        } else {
            (left, right, keys)
        };
        let startup = right.plan.total_cost + left.plan.startup_cost;
        let condition = conjunction(rest);
        let mut path = self.join_node(
            kind,
            left,
            right,
            condition,
            Vec::new(),
            keys,
            (rows, startup, cost),
        )?;
        path.order.clear();
        Ok(path)
    }

    #[allow(clippy::too_many_arguments)] // The parts of a join, all decided by the caller.
    fn nested_loop(
        &mut self,
        kind: JoinKind,
        left: Path,
        right: Path,
        condition: Option<Expr>,
        outer: Vec<Expr>,
        rows: f64,
        cost: f64,
    ) -> SqlResult<Path> {
        let startup = left.plan.startup_cost + right.plan.startup_cost;
        self.join_node(
            kind,
            left,
            right,
            condition,
            outer,
            Vec::new(),
            (rows, startup, cost),
        )
    }

    #[allow(clippy::too_many_arguments)] // As above.
    fn join_node(
        &mut self,
        kind: JoinKind,
        left: Path,
        right: Path,
        condition: Option<Expr>,
        outer: Vec<Expr>,
        hash_keys: Vec<(Expr, Expr)>,
        (rows, startup, cost): (f64, f64, f64),
    ) -> SqlResult<Path> {
        let both: Vec<Var> = left.layout.iter().chain(&right.layout).copied().collect();
        let condition = condition.map(|c| bind(c, &both)).transpose()?;
        let layout = match kind {
            JoinKind::Semi | JoinKind::Anti => left.layout.clone(),
            _ => both,
        };
        let mut fixed = left.fixed;
        if kind == JoinKind::Inner {
            fixed.extend(right.fixed);
        }
        let node = Node::Join(Join {
            kind,
            left: left.plan,
            right: right.plan,
            hash_keys,
            condition,
            outer,
        });
        let mut path = self.path(node, layout, rows, startup, cost);
        path.order = if kind == JoinKind::Full {
            Vec::new()
        } else {
            left.order
        };
        path.fixed = fixed;
        Ok(path)
    }

    /// The cheapest index scan of a leaf that takes values from the outer rows;
    /// what is handed in over variables.
    fn probe(
        &mut self,
        leaf: usize,
        own: &[Expr],
        conditions: &[Expr],
        outer: &[Var],
        uses: &Uses,
    ) -> SqlResult<Option<(Path, Vec<Expr>)>> {
        let mut all = own.to_vec();
        all.extend(conditions.iter().cloned());
        // Subqueries in conditions have frames that stand in the outer row.
        if all
            .iter()
            .any(|c| any(c, &mut |e| matches!(e, Expr::SubLink(_))))
        {
            return Ok(None);
        }
        let request = Request {
            conditions: &all,
            uses,
            allowed: Some(outer),
        };
        let paths = self.probe_paths(leaf, &request)?;
        let best = paths
            .into_iter()
            .min_by(|a, b| a.plan.total_cost.total_cmp(&b.plan.total_cost));
        let Some(mut path) = best else {
            return Ok(None);
        };
        let layout = path.layout.clone();
        let mut frame = Vec::new();
        let Node::IndexScan(scan) = &mut *path.plan.node else {
            return Ok(None);
        };
        let mut inner = |e: Expr| bind_inner(e, &layout, &mut frame);
        scan.equal = core::mem::take(&mut scan.equal)
            .into_iter()
            .map(&mut inner)
            .collect();
        scan.any = scan.any.take().map(&mut inner);
        for bound in scan.lower.iter_mut().chain(scan.upper.iter_mut()) {
            let value = core::mem::replace(&mut bound.value, Expr::Row(Vec::new()));
            bound.value = inner(value);
        }
        scan.filter = scan.filter.take().map(&mut inner);
        if frame.is_empty() {
            return Ok(None);
        }
        Ok(Some((path, frame)))
    }

    fn index_loop(
        &mut self,
        kind: JoinKind,
        left: Path,
        right: Path,
        frame: Vec<Expr>,
        rows: f64,
        cost: f64,
    ) -> SqlResult<Path> {
        let outer = frame
            .into_iter()
            .map(|e| bind(e, &left.layout))
            .collect::<SqlResult<_>>()?;
        self.nested_loop(kind, left, right, None, outer, rows, cost)
    }

    fn lateral_join(
        &mut self,
        kind: JoinKind,
        left: Path,
        leaf: usize,
        own: &[Expr],
        conditions: Vec<Expr>,
        share: f64,
    ) -> SqlResult<Path> {
        let (right, frame) = self.lateral_path(leaf, own)?;
        let outer = frame
            .into_iter()
            .map(|e| bind(e, &left.layout))
            .collect::<SqlResult<_>>()?;
        let rows = join_rows(kind, left.plan.rows, right.plan.rows, share);
        let cost =
            left.plan.total_cost + left.plan.rows * right.plan.total_cost.max(ROW) + rows * ROW;
        self.nested_loop(
            kind,
            left,
            right,
            conjunction(conditions),
            outer,
            rows,
            cost,
        )
    }

    /// What one probe of a leaf through an index would cost, at a glance; for
    /// choosing the order of joins.
    pub fn probe_cost(&self, leaf: usize, conditions: &[&Expr]) -> Option<f64> {
        let crate::leaf::LeafKind::Table { relation, .. } = &self.leaves[leaf].kind else {
            return None;
        };
        let vars = &self.leaves[leaf].vars;
        let (rows, _) = crate::stats::size(relation);
        let served = |attribute: i16| {
            let var = usize::try_from(attribute - 1)
                .ok()
                .and_then(|at| vars.get(at))
                .copied()?;
            conditions.iter().find(|condition| {
                comparison(condition).is_some_and(|f| {
                    f.kind == Comparison::Equal
                        && (crate::matching::bare_var(f.left) == Some(var)
                            || crate::matching::bare_var(f.right) == Some(var))
                })
            })
        };
        let costs = relation
            .indexes
            .iter()
            .filter(|index| index.valid && index.predicate.is_none())
            .filter_map(|index| {
                let first: Vec<&&Expr> = index
                    .keys
                    .iter()
                    .map_while(|key| served(key.attribute))
                    .collect();
                if first.is_empty() {
                    return None;
                }
                let share: f64 = first.iter().map(|c| self.selectivity(c)).product();
                let unique = index.unique && first.len() == index.keys.len();
                let fetched = if unique { 1.0 } else { (rows * share).max(1.0) };
                Some(RANDOM_PAGE * 0.25 + fetched * (RANDOM_PAGE + INDEX_ROW + ROW))
            });
        costs.min_by(f64::total_cmp)
    }
}
