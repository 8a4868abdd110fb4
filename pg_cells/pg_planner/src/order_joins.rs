//! The order of joins: FROM flattened, conditions pushed to where they belong,
//! and joins chosen greedily by cost. Greedy, because sixty tables must not
//! take longer to plan than to join; with few items every start is tried.

use crate::access::Request;
use crate::analyzer::{Analyzer, Var};
use crate::index_paths::backward;
use crate::join::Side;
use crate::leaf::{LeafKind, Tree};
use crate::outer_joins::Pending;
use crate::path::{OPERATOR, OrderKey, Path, ROW, Uses, is_never, is_true};
use crate::select::Semi;
use crate::walk::any;
use alloc::vec::Vec;
use pg_plan::{Expr, JoinKind, Node};
use pg_types::{SqlError, SqlResult, SqlState};

/// A set of the block's leaves.
pub type Mask = u128;

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
    /// The bit of a leaf.
    pub fn of_leaf(&self, leaf: usize) -> Mask {
        self.0
            .iter()
            .position(|have| *have == leaf)
            .map_or(0, |bit| 1 << bit)
    }

    /// The bits of a tree.
    pub fn of_tree(&self, tree: &Tree) -> Mask {
        let mut leaves = Vec::new();
        tree.leaves(&mut leaves);
        leaves
            .into_iter()
            .fold(0, |mask, leaf| mask | self.of_leaf(leaf))
    }

    /// The bits of the leaves an expression uses.
    pub fn of_expr(&self, a: &Analyzer<'_>, expr: &Expr) -> Mask {
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
pub struct Item {
    pub mask: Mask,
    pub needs: Mask,
    pub side: Option<Side>,
    pub leaf: Option<usize>,
    pub rows: f64,
    pub cost: f64,
}

impl Analyzer<'_> {
    /// Joins a block's FROM list.
    pub fn join_all(&mut self, problem: Problem, uses: &Uses, wish: Wish<'_>) -> SqlResult<Path> {
        let mut leaves = Vec::new();
        problem
            .trees
            .iter()
            .for_each(|tree| tree.leaves(&mut leaves));
        problem
            .semis
            .iter()
            .flat_map(|s| &s.trees)
            .for_each(|tree| tree.leaves(&mut leaves));
        if leaves.len() > Mask::BITS as usize {
            return Err(SqlError::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                "too many tables in FROM (maximum 128)",
            ));
        }
        let bits = Bits(leaves);
        self.deeper(|a| a.join_list(problem, uses, wish, &bits))
    }

    /// Joins a FROM list of this block, or a part of it.
    pub fn join_list(
        &mut self,
        problem: Problem,
        uses: &Uses,
        wish: Wish<'_>,
        bits: &Bits,
    ) -> SqlResult<Path> {
        let Problem {
            trees,
            mut conditions,
            semis,
        } = problem;
        let mut units = Vec::new();
        for tree in trees {
            self.flatten(tree, &mut units, &mut conditions, bits);
        }
        conditions.retain(|c| !is_true(c));
        if conditions.iter().any(is_never) {
            return Ok(self.empty_path(&units, uses));
        }
        let mut loose: Vec<(Mask, Expr)> = conditions
            .into_iter()
            .map(|c| (bits.of_expr(self, &c), c))
            .collect();
        let single = units.len() == 1 && semis.is_empty();
        let mut items = Vec::new();
        for unit in units {
            let mask = bits.of_tree(&unit);
            let own: Vec<Expr> = loose
                .extract_if(.., |(m, _)| *m != 0 && *m & !mask == 0)
                .map(|(_, c)| c)
                .collect();
            items.push(self.item(
                unit,
                mask,
                own,
                uses,
                bits,
                if single { wish } else { Wish::default() },
            )?);
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
    fn flatten(
        &mut self,
        tree: Tree,
        units: &mut Vec<Tree>,
        conditions: &mut Vec<Expr>,
        bits: &Bits,
    ) {
        match tree {
            Tree::Filter {
                tree,
                conditions: more,
            } => {
                conditions.extend(more);
                self.flatten(*tree, units, conditions, bits);
            }
            Tree::Join {
                kind: JoinKind::Inner,
                left,
                right,
                on,
            } => {
                conditions.extend(on);
                self.flatten(*left, units, conditions, bits);
                self.flatten(*right, units, conditions, bits);
            }
            Tree::Join {
                kind: JoinKind::Left,
                left,
                right,
                on,
            } => {
                let nullable = bits.of_tree(&right);
                if conditions
                    .iter()
                    .any(|c| self.refuses_nulls(c, nullable, bits))
                {
                    let tree = Tree::Join {
                        kind: JoinKind::Inner,
                        left,
                        right,
                        on,
                    };
                    self.flatten(tree, units, conditions, bits);
                } else {
                    units.push(Tree::Join {
                        kind: JoinKind::Left,
                        left,
                        right,
                        on,
                    });
                }
            }
            other => units.push(other),
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
                LeafKind::Table {
                    target: true,
                    row_id,
                    ..
                } => {
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
        self.path(
            Node::Nothing {
                filter: Some(never),
            },
            layout,
            1.0,
            0.0,
            0.0,
        )
    }

    /// An item with its path and the conditions on it alone.
    pub fn item(
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
        Ok(Item {
            mask,
            needs,
            side: Some(side),
            leaf,
            rows,
            cost,
        })
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
    fn best_path(
        &mut self,
        leaf: usize,
        own: &[Expr],
        uses: &Uses,
        wish: Wish<'_>,
    ) -> SqlResult<Path> {
        let request = Request {
            conditions: own,
            uses,
            allowed: None,
        };
        let mut paths = self.leaf_paths(leaf, &request)?;
        if !wish.order.is_empty() {
            let turned: Vec<Path> = paths
                .iter()
                .filter_map(|path| backward(path.clone()))
                .collect();
            paths.extend(turned);
        }
        let cost = |path: &Path| {
            let plan = &path.plan;
            let share = wish
                .limit
                .map_or(1.0, |n| (n / plan.rows.max(1.0)).min(1.0));
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
                    let now: Vec<Expr> = loose
                        .extract_if(.., |(m, _)| *m != 0 && *m & !mask == 0)
                        .map(|(_, c)| c)
                        .collect();
                    self.join_sides(JoinKind::Inner, path, side, now, uses)?
                }
            });
            let ready: Vec<Pending> = pending.extract_if(.., |p| p.needs & !mask == 0).collect();
            for semi in ready {
                if let Some(left) = path.take() {
                    path =
                        Some(self.join_sides(semi.kind, left, semi.side, semi.conditions, uses)?);
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
}
