//! Outer, semi and anti joins: what is pushed below them, and which are inner joins.

use crate::analyzer::Analyzer;
use crate::join::Side;
use crate::leaf::Tree;
use crate::order_joins::{Bits, Mask, Problem, Wish};
use crate::path::{Path, Uses};
use crate::select::Semi;
use crate::walk::{self};
use alloc::vec::Vec;
use pg_builtins::function_by_oid;
use pg_plan::{Expr, JoinKind};
use pg_types::{SqlError, SqlResult};

/// A semi or anti join that waits for the leaves it needs.
pub struct Pending {
    pub kind: JoinKind,
    pub side: Side,
    pub needs: Mask,
    pub conditions: Vec<Expr>,
}

impl Analyzer<'_> {
    /// Whether a condition is never true when the leaves of `mask` give NULLs.
    pub fn refuses_nulls(&self, condition: &Expr, mask: Mask, bits: &Bits) -> bool {
        match condition {
            Expr::IsNull {
                input,
                negated: true,
            } => self.null_in_null_out(input, mask, bits),
            Expr::And(list) => list.iter().any(|c| self.refuses_nulls(c, mask, bits)),
            Expr::Or(list) => list.iter().all(|c| self.refuses_nulls(c, mask, bits)),
            Expr::Quantified {
                left,
                quantifier: pg_plan::Quantifier::Any,
                ..
            } => self.null_in_null_out(left, mask, bits),
            other => self.null_in_null_out(other, mask, bits),
        }
    }

    /// Whether a value is NULL when the leaves of `mask` give NULLs.
    pub fn null_in_null_out(&self, expr: &Expr, mask: Mask, bits: &Bits) -> bool {
        match expr {
            Expr::Column { .. } => bits.of_expr(self, expr) & mask != 0,
            Expr::Call { function, args, .. } => {
                function_by_oid(*function).is_some_and(|f| f.strict)
                    && args
                        .iter()
                        .any(|arg| self.null_in_null_out(arg, mask, bits))
            }
            Expr::Relabel { input, .. }
            | Expr::CastViaText { input, .. }
            | Expr::ApplyTypmod { input, .. } => self.null_in_null_out(input, mask, bits),
            Expr::Not(input) => self.null_in_null_out(input, mask, bits),
            _ => false,
        }
    }

    /// An outer join with the conditions above it.
    pub fn outer_join(
        &mut self,
        tree: Tree,
        above: Vec<Expr>,
        uses: &Uses,
        bits: &Bits,
    ) -> SqlResult<Path> {
        let Tree::Join {
            kind,
            left,
            right,
            on,
        } = tree
        else {
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
        let left_own = if kind == JoinKind::Left {
            of(self, &mut above, in_left)
        } else {
            Vec::new()
        };
        let right_own = if kind == JoinKind::Left {
            of(self, &mut on, in_right)
        } else {
            Vec::new()
        };
        let problem = Problem {
            trees: alloc::vec![*left],
            conditions: left_own,
            semis: Vec::new(),
        };
        let left = self.join_list(problem, uses, Wish::default(), bits)?;
        let right = self.side(*right, in_right, right_own, uses, bits)?;
        let path = self.join_sides(kind, left, right, on, uses)?;
        let share = self.all_selectivity(&above);
        self.filtered(path, above, share)
    }

    /// The inner side of an outer, semi or anti join.
    pub fn side(
        &mut self,
        tree: Tree,
        mask: Mask,
        mut own: Vec<Expr>,
        uses: &Uses,
        bits: &Bits,
    ) -> SqlResult<Side> {
        match tree {
            Tree::Filter { tree, conditions } => {
                let inside = conditions.iter().all(|c| bits.of_expr(self, c) != 0);
                own.extend(conditions);
                match *tree {
                    Tree::Leaf(leaf) if inside => {
                        self.side(Tree::Leaf(leaf), mask, own, uses, bits)
                    }
                    tree => {
                        let problem = Problem {
                            trees: alloc::vec![tree],
                            conditions: own,
                            semis: Vec::new(),
                        };
                        Ok(Side::Path(self.join_list(
                            problem,
                            uses,
                            Wish::default(),
                            bits,
                        )?))
                    }
                }
            }
            Tree::Leaf(_) => {
                let item = self.item(tree, mask, own, uses, bits, Wish::default())?;
                item.side
                    .ok_or_else(|| SqlError::internal("an item without a side"))
            }
            tree => {
                let problem = Problem {
                    trees: alloc::vec![tree],
                    conditions: own,
                    semis: Vec::new(),
                };
                Ok(Side::Path(self.join_list(
                    problem,
                    uses,
                    Wish::default(),
                    bits,
                )?))
            }
        }
    }

    /// A semi or anti join with its inner side planned.
    pub fn pending_join(&mut self, semi: Semi, uses: &Uses, bits: &Bits) -> SqlResult<Pending> {
        let Semi {
            kind,
            mut trees,
            mut conditions,
        } = semi;
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
                let problem = Problem {
                    trees,
                    conditions: own,
                    semis: Vec::new(),
                };
                Side::Path(self.join_list(problem, uses, Wish::default(), bits)?)
            }
        };
        Ok(Pending {
            kind,
            side,
            needs,
            conditions,
        })
    }
}
