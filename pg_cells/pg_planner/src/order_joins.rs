//! The order of joins: FROM flattened, conditions pushed to where they belong,
//! and joins chosen greedily by cost. Greedy, because sixty tables must not
//! take longer to plan than to join; with few items every start is tried.

use crate::access::{Request, backward};
use crate::analyzer::{Analyzer, Var};
use crate::join::{Side, join_rows};
use crate::leaf::{LeafKind, Tree};
use crate::path::{OPERATOR, OrderKey, Path, ROW, Uses, is_never, is_true};
use crate::select::Semi;
use crate::walk::{self, any};
use alloc::vec::Vec;
use pg_builtins::function_by_oid;
use pg_plan::{Expr, JoinKind, Node};
use pg_types::{SqlError, SqlResult, SqlState};

/// A set of the block's leaves.
type Mask = u128;

/// With so few items every start is tried.
const ALL_STARTS: usize = 8;

/// A FROM list to be joined.
pub struct Problem {
    /// FROM.
    pub trees: Vec<Tree>,
    /// Conditions.
    pub conditions: Vec<Expr>,
    /// Semi and anti joins.
    pub semis: Vec<Semi>,
}

/// What is wanted of the joined rows beside being right.
#[derive(Clone, Copy, Default)]
pub struct Wish<'w> {
    /// A sort order that saves a sort.
    pub order: &'w [OrderKey],
    /// Only so many rows are taken.
    pub limit: Option<f64>,
}

/// The leaves of a block as bits.
pub struct Bits(Vec<usize>);

impl Bits {
    fn of_leaf(&self, leaf: usize) -> Mask {
        self.0.iter().position(|have| *have == leaf).map_or(0, |bit| 1 << bit)
    }

    fn of_tree(&self, tree: &Tree) -> Mask {
        let mut leaves = Vec::new();
        tree.leaves(&mut leaves);
        leaves.into_iter().fold(0, |mask, leaf| mask | self.of_leaf(leaf))
    }

    fn of_expr(&self, a: &Analyzer<'_>, expr: &Expr) -> Mask {
        let mut mask = 0;
        any(expr, &mut |e| {
            if let Expr::Column { index, .. } = e {
                mask |= a.vars[*index].leaf.map_or(0, |leaf| self.of_leaf(leaf));
            }
            false
        });
        mask
    }
}

/// An item of the flattened FROM list.
struct Item {
    mask: Mask,
    needs: Mask,
    side: Option<Side>,
    leaf: Option<usize>,
    rows: f64,
    cost: f64,
}

struct Pending {
    kind: JoinKind,
    side: Side,
    needs: Mask,
    conditions: Vec<Expr>,
}

/// An estimate while orders are compared.
#[derive(Clone, Copy)]
struct Estimate {
    mask: Mask,
    rows: f64,
    cost: f64,
}

impl Analyzer<'_> {
    /// Joins a block's FROM list.
    pub fn join_all(&mut self, problem: Problem, uses: &Uses, wish: Wish<'_>) -> SqlResult<Path> {
        let mut leaves = Vec::new();
        problem.trees.iter().for_each(|tree| tree.leaves(&mut leaves));
        problem.semis.iter().flat_map(|s| &s.trees).for_each(|tree| tree.leaves(&mut leaves));
        if leaves.len() > Mask::BITS as usize {
            return Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "too many tables in FROM (maximum 128)"));
        }
        let bits = Bits(leaves);
        self.deeper(|a| a.join_list(problem, uses, wish, &bits))
    }

    fn join_list(&mut self, problem: Problem, uses: &Uses, wish: Wish<'_>, bits: &Bits) -> SqlResult<Path> {
        let Problem { trees, mut conditions, semis } = problem;
        let mut units = Vec::new();
        for tree in trees {
            self.flatten(tree, &mut units, &mut conditions, bits);
        }
        conditions.retain(|c| !is_true(c));
        if conditions.iter().any(is_never) {
            return Ok(self.empty_path(&units, uses));
        }
        let mut loose: Vec<(Mask, Expr)> =
            conditions.into_iter().map(|c| (bits.of_expr(self, &c), c)).collect();
        let single = units.len() == 1 && semis.is_empty();
        let mut items = Vec::new();
        for unit in units {
            let mask = bits.of_tree(&unit);
            let own: Vec<Expr> = loose.extract_if(.., |(m, _)| *m != 0 && *m & !mask == 0).map(|(_, c)| c).collect();
            items.push(self.item(unit, mask, own, uses, bits, if single { wish } else { Wish::default() })?);
        }
        let mut pending = Vec::new();
        for semi in semis {
            pending.push(self.pending_join(semi, uses, bits)?);
        }
        let mut path = self.run(items, &mut loose, pending, uses)?;
        let rest: Vec<Expr> = loose.into_iter().map(|(_, c)| c).collect();
        let share = self.all_selectivity(&rest);
        path = self.filtered(path, rest, share)?;
        Ok(path)
    }

    /// Takes inner joins apart; outer joins that cannot give their extra rows
    /// become inner ones.
    fn flatten(&mut self, tree: Tree, units: &mut Vec<Tree>, conditions: &mut Vec<Expr>, bits: &Bits) {
        match tree {
            Tree::Filter { tree, conditions: more } => {
                conditions.extend(more);
                self.flatten(*tree, units, conditions, bits);
            }
            Tree::Join { kind: JoinKind::Inner, left, right, on } => {
                conditions.extend(on);
                self.flatten(*left, units, conditions, bits);
                self.flatten(*right, units, conditions, bits);
            }
            Tree::Join { kind: JoinKind::Left, left, right, on } => {
                let nullable = bits.of_tree(&right);
                if conditions.iter().any(|c| self.refuses_nulls(c, nullable, bits)) {
                    let tree = Tree::Join { kind: JoinKind::Inner, left, right, on };
                    self.flatten(tree, units, conditions, bits);
                } else {
                    units.push(Tree::Join { kind: JoinKind::Left, left, right, on });
                }
            }
            other => units.push(other),
        }
    }

    /// Whether a condition is never true when the leaves of `mask` give NULLs.
    fn refuses_nulls(&self, condition: &Expr, mask: Mask, bits: &Bits) -> bool {
        match condition {
            Expr::IsNull { input, negated: true } => self.null_in_null_out(input, mask, bits),
            Expr::And(list) => list.iter().any(|c| self.refuses_nulls(c, mask, bits)),
            Expr::Or(list) => list.iter().all(|c| self.refuses_nulls(c, mask, bits)),
            Expr::Quantified { left, quantifier: pg_plan::Quantifier::Any, .. } => {
                self.null_in_null_out(left, mask, bits)
            }
            other => self.null_in_null_out(other, mask, bits),
        }
    }

    fn null_in_null_out(&self, expr: &Expr, mask: Mask, bits: &Bits) -> bool {
        match expr {
            Expr::Column { .. } => bits.of_expr(self, expr) & mask != 0,
            Expr::Call { function, args, .. } => {
                function_by_oid(*function).is_some_and(|f| f.strict)
                    && args.iter().any(|arg| self.null_in_null_out(arg, mask, bits))
            }
            Expr::Relabel { input, .. } | Expr::CastViaText { input, .. } | Expr::ApplyTypmod { input, .. } => {
                self.null_in_null_out(input, mask, bits)
            }
            Expr::Not(input) => self.null_in_null_out(input, mask, bits),
            _ => false,
        }
    }

    /// No rows at all, with the columns that the operators above expect.
    fn empty_path(&self, units: &[Tree], uses: &Uses) -> Path {
        let mut leaves = Vec::new();
        units.iter().for_each(|tree| tree.leaves(&mut leaves));
        let mut layout: Vec<Var> = Vec::new();
        for leaf in leaves {
            let leaf = &self.leaves[leaf];
            match leaf.kind {
                LeafKind::Table { target: true, row_id, .. } => {
                    layout.extend(&leaf.vars);
                    layout.push(row_id);
                }
                LeafKind::Table { row_id, .. } => {
                    layout.extend(uses.wanted(&leaf.vars, &[]));
                    layout.push(row_id);
                }
                _ => layout.extend(&leaf.vars),
            }
        }
        let never = crate::coerce::constant(pg_types::Datum::Bool(false), pg_types::oid::BOOL);
        self.path(Node::Nothing { filter: Some(never) }, layout, 1.0, 0.0, 0.0)
    }

    fn item(
        &mut self,
        unit: Tree,
        mask: Mask,
        own: Vec<Expr>,
        uses: &Uses,
        bits: &Bits,
        wish: Wish<'_>,
    ) -> SqlResult<Item> {
        let (side, leaf, needs) = match unit {
            Tree::Leaf(leaf) => {
                let needs = self.lateral_needs(leaf, bits);
                if let Some(needs) = needs {
                    (Side::Lateral(leaf, own), None, needs & !mask)
                } else {
                    let path = self.best_path(leaf, &own, uses, wish)?;
                    (Side::Leaf(leaf, path, own), Some(leaf), 0)
                }
            }
            tree => (Side::Path(self.outer_join(tree, own, uses, bits)?), None, 0),
        };
        let (rows, cost) = match &side {
            Side::Path(path) | Side::Leaf(_, path, _) => (path.plan.rows, path.plan.total_cost),
            Side::Lateral(..) => (10.0, 1.0),
        };
        Ok(Item { mask, needs, side: Some(side), leaf, rows, cost })
    }

    /// The leaves a lateral leaf takes values from; `None` when it is none.
    fn lateral_needs(&self, leaf: usize, bits: &Bits) -> Option<Mask> {
        match &self.leaves[leaf].kind {
            LeafKind::Query { outer, .. } if !outer.is_empty() => {
                Some(outer.iter().fold(0, |mask, e| mask | bits.of_expr(self, e)))
            }
            LeafKind::Function { args, .. } if args.iter().any(crate::select::uses_vars) => {
                Some(args.iter().fold(0, |mask, e| mask | bits.of_expr(self, e)))
            }
            _ => None,
        }
    }

    /// The cheapest path of a leaf, minding what is wished.
    fn best_path(&mut self, leaf: usize, own: &[Expr], uses: &Uses, wish: Wish<'_>) -> SqlResult<Path> {
        let request = Request { conditions: own, uses, allowed: None };
        let mut paths = self.leaf_paths(leaf, &request)?;
        if !wish.order.is_empty() {
            let turned: Vec<Path> = paths.iter().filter_map(|path| backward(path.clone())).collect();
            paths.extend(turned);
        }
        let cost = |path: &Path| {
            let plan = &path.plan;
            let share = wish.limit.map_or(1.0, |n| (n / plan.rows.max(1.0)).min(1.0));
            if wish.order.is_empty() || path.sorted_by(wish.order) {
                plan.startup_cost + (plan.total_cost - plan.startup_cost) * share
            } else {
                plan.total_cost + plan.rows * libm::log2(plan.rows.max(2.0)) * OPERATOR * 2.0
            }
        };
        paths
            .into_iter()
            .min_by(|a, b| cost(a).total_cmp(&cost(b)))
            .ok_or_else(|| SqlError::internal("a leaf without a path"))
    }

    /// An outer join with the conditions above it.
    fn outer_join(&mut self, tree: Tree, above: Vec<Expr>, uses: &Uses, bits: &Bits) -> SqlResult<Path> {
        let Tree::Join { kind, left, right, on } = tree else {
            return Err(SqlError::internal("an outer join that is none"));
        };
        let (in_left, in_right) = (bits.of_tree(&left), bits.of_tree(&right));
        let mut above = above;
        let mut on = on;
        let of = |a: &Analyzer<'_>, list: &mut Vec<Expr>, mask: Mask| -> Vec<Expr> {
            list.extract_if(.., |c| {
                let used = bits.of_expr(a, c);
                used != 0 && used & !mask == 0 && !walk::is_volatile(c)
            })
            .collect()
        };
        let left_own = if kind == JoinKind::Left { of(self, &mut above, in_left) } else { Vec::new() };
        let right_own = if kind == JoinKind::Left { of(self, &mut on, in_right) } else { Vec::new() };
        let problem = Problem { trees: alloc::vec![*left], conditions: left_own, semis: Vec::new() };
        let left = self.join_list(problem, uses, Wish::default(), bits)?;
        let right = self.side(*right, in_right, right_own, uses, bits)?;
        let path = self.join_sides(kind, left, right, on, uses)?;
        let share = self.all_selectivity(&above);
        self.filtered(path, above, share)
    }

    /// The inner side of an outer, semi or anti join.
    fn side(&mut self, tree: Tree, mask: Mask, mut own: Vec<Expr>, uses: &Uses, bits: &Bits) -> SqlResult<Side> {
        match tree {
            Tree::Filter { tree, conditions } => {
                let inside = conditions.iter().all(|c| bits.of_expr(self, c) != 0);
                own.extend(conditions);
                match *tree {
                    Tree::Leaf(leaf) if inside => self.side(Tree::Leaf(leaf), mask, own, uses, bits),
                    tree => {
                        let problem = Problem { trees: alloc::vec![tree], conditions: own, semis: Vec::new() };
                        Ok(Side::Path(self.join_list(problem, uses, Wish::default(), bits)?))
                    }
                }
            }
            Tree::Leaf(_) => {
                let item = self.item(tree, mask, own, uses, bits, Wish::default())?;
                item.side.ok_or_else(|| SqlError::internal("an item without a side"))
            }
            tree => {
                let problem = Problem { trees: alloc::vec![tree], conditions: own, semis: Vec::new() };
                Ok(Side::Path(self.join_list(problem, uses, Wish::default(), bits)?))
            }
        }
    }

    fn pending_join(&mut self, semi: Semi, uses: &Uses, bits: &Bits) -> SqlResult<Pending> {
        let Semi { kind, mut trees, mut conditions } = semi;
        let mask = trees.iter().fold(0, |mask, tree| mask | bits.of_tree(tree));
        let own: Vec<Expr> = conditions
            .extract_if(.., |c| {
                let used = bits.of_expr(self, c);
                used != 0 && used & !mask == 0
            })
            .collect();
        let needs = conditions.iter().fold(0, |m, c| m | bits.of_expr(self, c)) & !mask;
        let side = match (trees.pop(), trees.is_empty()) {
            (Some(tree), true) => self.side(tree, mask, own, uses, bits)?,
            (last, _) => {
                trees.extend(last);
                let problem = Problem { trees, conditions: own, semis: Vec::new() };
                Side::Path(self.join_list(problem, uses, Wish::default(), bits)?)
            }
        };
        Ok(Pending { kind, side, needs, conditions })
    }

    /// Joins the items in a good order.
    fn run(
        &mut self,
        mut items: Vec<Item>,
        loose: &mut Vec<(Mask, Expr)>,
        mut pending: Vec<Pending>,
        uses: &Uses,
    ) -> SqlResult<Path> {
        let order = self.choose_order(&items, loose)?;
        let mut mask = 0;
        let mut path: Option<Path> = None;
        for at in order {
            let item = &mut items[at];
            let Some(side) = item.side.take() else {
                continue;
            };
            mask |= item.mask;
            path = Some(match (path, side) {
                (None, Side::Path(path) | Side::Leaf(_, path, _)) => path,
                (None, side) => {
                    let one = self.path(Node::Nothing { filter: None }, Vec::new(), 1.0, 0.0, ROW);
                    self.join_sides(JoinKind::Inner, one, side, Vec::new(), uses)?
                }
                (Some(path), side) => {
                    let now: Vec<Expr> =
                        loose.extract_if(.., |(m, _)| *m != 0 && *m & !mask == 0).map(|(_, c)| c).collect();
                    self.join_sides(JoinKind::Inner, path, side, now, uses)?
                }
            });
            let ready: Vec<Pending> = pending.extract_if(.., |p| p.needs & !mask == 0).collect();
            for semi in ready {
                if let Some(left) = path.take() {
                    path = Some(self.join_sides(semi.kind, left, semi.side, semi.conditions, uses)?);
                }
            }
        }
        let mut path = match path {
            Some(path) => path,
            None => self.path(Node::Nothing { filter: None }, Vec::new(), 1.0, 0.0, ROW),
        };
        for semi in pending {
            path = self.join_sides(semi.kind, path, semi.side, semi.conditions, uses)?;
        }
        Ok(path)
    }

    /// The cheapest of the greedy orders.
    fn choose_order(&self, items: &[Item], loose: &[(Mask, Expr)]) -> SqlResult<Vec<usize>> {
        if items.len() <= 1 {
            return Ok((0..items.len()).collect());
        }
        let mut starts: Vec<usize> = (0..items.len()).filter(|at| items[*at].needs == 0).collect();
        starts.sort_by(|a, b| items[*a].rows.total_cmp(&items[*b].rows));
        if items.len() > ALL_STARTS {
            starts.truncate(1);
        }
        let shares: Vec<f64> = loose.iter().map(|(_, c)| self.selectivity(c)).collect();
        let mut best: Option<(f64, Vec<usize>)> = None;
        for start in starts {
            if let Some((cost, order)) = self.greedy(items, loose, &shares, start) {
                if best.as_ref().is_none_or(|(have, _)| cost < *have) {
                    best = Some((cost, order));
                }
            }
        }
        match best {
            Some((_, order)) => Ok(order),
            // Lateral items that need only what encloses the block.
            None if items.iter().all(|item| item.needs == 0) => Ok((0..items.len()).collect()),
            None => Err(SqlError::unsupported("this nesting of lateral items")),
        }
    }

    fn greedy(
        &self,
        items: &[Item],
        loose: &[(Mask, Expr)],
        shares: &[f64],
        start: usize,
    ) -> Option<(f64, Vec<usize>)> {
        let mut order = alloc::vec![start];
        let mut now = Estimate { mask: items[start].mask, rows: items[start].rows, cost: items[start].cost };
        while order.len() < items.len() {
            let mut best: Option<(bool, Estimate, usize)> = None;
            for (at, item) in items.iter().enumerate() {
                if order.contains(&at) || item.needs & !now.mask != 0 {
                    continue;
                }
                let (connected, next) = self.step(now, item, loose, shares);
                let better = best.as_ref().is_none_or(|(have, estimate, _)| {
                    (connected && !have)
                        || connected == *have && next.cost + next.rows < estimate.cost + estimate.rows
                });
                if better {
                    best = Some((connected, next, at));
                }
            }
            let (_, next, at) = best?;
            now = next;
            order.push(at);
        }
        Some((now.cost, order))
    }

    fn step(&self, now: Estimate, item: &Item, loose: &[(Mask, Expr)], shares: &[f64]) -> (bool, Estimate) {
        let mask = now.mask | item.mask;
        let mut share = 1.0;
        let mut joining: Vec<&Expr> = Vec::new();
        for ((used, condition), one) in loose.iter().zip(shares) {
            if used & !mask == 0 && used & !now.mask != 0 && used & item.mask != 0 {
                share *= one;
                joining.push(condition);
            }
        }
        let connected = !joining.is_empty() || item.needs != 0;
        let rows = join_rows(JoinKind::Inner, now.rows, item.rows, share);
        let hash = item.cost + (now.rows + item.rows) * OPERATOR * 2.0;
        let looped = item.cost + now.rows * item.rows * OPERATOR;
        let mut cost = if joining.is_empty() { looped } else { hash.min(looped) };
        if let (Some(leaf), false) = (item.leaf, joining.is_empty()) {
            if let Some(probe) = self.probe_cost(leaf, &joining) {
                cost = cost.min(now.rows * probe);
            }
        }
        (connected, Estimate { mask, rows, cost: now.cost + cost + rows * ROW })
    }
}
