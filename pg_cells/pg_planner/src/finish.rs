//! A resolved SELECT to a plan: joins, aggregation, windows, projection,
//! DISTINCT, sort, locks, limit.

use crate::analyzer::{Analyzer, Var};
use crate::build::{bound, distinct, limited, locked, number, project, sorted};
use crate::order::Key;
use crate::order_joins::{Problem, Wish};
use crate::path::{OPERATOR, OrderKey, Path, ROW, Uses};
use crate::select::Block;
use crate::walk::{same, type_of};
use alloc::vec::Vec;
use pg_plan::{Aggregate, AggregateCall, Expr, Node, OutputColumn, Plan, SortKey};
use pg_types::SqlResult;

impl Analyzer<'_> {
    /// Plans a resolved SELECT.
    pub fn finish(&mut self, mut block: Block) -> SqlResult<Plan> {
        let uses = self.uses(&block);
        let want = self.order_wish(&block);
        let limit = match (&block.limit, &block.offset) {
            (Some(limit), None) => number(limit).map(|n| n as f64),
            (Some(limit), Some(offset)) => number(limit)
                .zip(number(offset))
                .map(|(l, o)| (l + o) as f64),
            _ => None,
        };
        let wish = Wish {
            order: &want,
            limit: if block.grouped { None } else { limit },
        };
        let mut path = match self.extremes(&block, &uses)? {
            Some(path) => path,
            None => {
                let problem = Problem {
                    trees: core::mem::take(&mut block.trees),
                    conditions: core::mem::take(&mut block.conditions),
                    semis: core::mem::take(&mut block.semis),
                };
                let path = self.join_all(problem, &uses, wish)?;
                if block.grouped {
                    self.aggregated(path, &mut block)?
                } else {
                    path
                }
            }
        };
        let share = self.all_selectivity(&block.having);
        path = self.filtered(path, core::mem::take(&mut block.having), share)?;
        path = self.windowed(path, core::mem::take(&mut block.windows))?;
        path = self.expanded(path, core::mem::take(&mut block.sets))?;
        self.output_stage(path, block, &want)
    }

    /// Everything the block uses of its FROM, the select list first.
    fn uses(&self, block: &Block) -> Uses {
        let mut uses = Uses::default();
        // Above an aggregation the select list is over its output.
        block.targets.iter().for_each(|(_, value)| uses.add(value));
        block
            .grouping
            .keys
            .iter()
            .for_each(|(_, key)| uses.add(key));
        for (_, call) in &block.aggregates {
            call.args
                .iter()
                .chain(&call.filter)
                .for_each(|e| uses.add(e));
            call.order.iter().for_each(|key| uses.add(&key.expr));
        }
        block.order.iter().for_each(|key| uses.add(&key.expr));
        block.distinct.iter().flatten().for_each(|e| uses.add(e));
        block.having.iter().for_each(|e| uses.add(e));
        for window in &block.windows {
            window
                .call
                .args
                .iter()
                .chain(&window.call.filter)
                .chain(&window.partition)
                .for_each(|e| uses.add(e));
            window.order.iter().for_each(|key| uses.add(&key.expr));
        }
        block.sets.iter().for_each(|(_, call)| uses.add(call));
        block
            .locks
            .iter()
            .flat_map(|lock| &lock.targets)
            .for_each(|(_, var)| uses.add_var(*var));
        self.tree_uses(&block.trees, &mut uses);
        block.conditions.iter().for_each(|e| uses.add(e));
        for semi in &block.semis {
            semi.conditions.iter().for_each(|e| uses.add(e));
            self.tree_uses(&semi.trees, &mut uses);
        }
        uses
    }

    /// What joins and lateral leaves use.
    pub fn tree_uses(&self, trees: &[crate::leaf::Tree], uses: &mut Uses) {
        for tree in trees {
            match tree {
                crate::leaf::Tree::Leaf(leaf) => match &self.leaves[*leaf].kind {
                    crate::leaf::LeafKind::Query { outer, .. } => {
                        outer.iter().for_each(|e| uses.add(e))
                    }
                    crate::leaf::LeafKind::Function { args, .. } => {
                        args.iter().for_each(|e| uses.add(e))
                    }
                    _ => {}
                },
                crate::leaf::Tree::Filter { tree, conditions } => {
                    conditions.iter().for_each(|e| uses.add(e));
                    self.tree_uses(core::slice::from_ref(tree), uses);
                }
                crate::leaf::Tree::Join {
                    left, right, on, ..
                } => {
                    on.iter().for_each(|e| uses.add(e));
                    self.tree_uses(core::slice::from_ref(left), uses);
                    self.tree_uses(core::slice::from_ref(right), uses);
                }
            }
        }
    }

    /// The sort order an index could give.
    fn order_wish(&self, block: &Block) -> Vec<OrderKey> {
        let plain = !block.grouped
            && block.windows.is_empty()
            && block.sets.is_empty()
            && block.distinct.is_none();
        if !plain {
            return Vec::new();
        }
        let key = |key: &Key| match &key.expr {
            Expr::Column { index, .. } => Some((*index, key.descending, key.nulls_first)),
            _ => None,
        };
        block
            .order
            .iter()
            .map(key)
            .collect::<Option<_>>()
            .unwrap_or_default()
    }

    /// GROUP BY and aggregates.
    fn aggregated(&mut self, path: Path, block: &mut Block) -> SqlResult<Path> {
        let grouping = core::mem::take(&mut block.grouping);
        let mut layout: Vec<Var> = grouping.keys.iter().map(|(var, _)| *var).collect();
        let mut groups = 1.0;
        let mut keys = Vec::new();
        for (_, key) in grouping.keys {
            groups *= match &key {
                Expr::Column { index, .. } => self.distinct(*index),
                _ => 200.0,
            };
            keys.push(path.bind(key)?);
        }
        let mut calls = Vec::new();
        for (var, call) in core::mem::take(&mut block.aggregates) {
            layout.push(var);
            calls.push(bound_call(&path, call)?);
        }
        layout.extend(grouping.mask);
        let rows = if keys.is_empty() {
            1.0
        } else {
            groups.min(path.plan.rows)
        };
        let work = path.plan.rows * OPERATOR * (keys.len() + calls.len()) as f64;
        let startup = path.plan.total_cost + work;
        let node = Node::Aggregate(Aggregate {
            input: path.plan,
            keys,
            sets: grouping.sets,
            calls,
            sorted: false,
        });
        Ok(self.path(node, layout, rows, startup, startup + rows * ROW))
    }

    /// Window calls, those that share partition and order together.
    fn windowed(
        &mut self,
        mut path: Path,
        mut windows: Vec<crate::window::Pending>,
    ) -> SqlResult<Path> {
        while !windows.is_empty() {
            let first = windows.remove(0);
            let mut group: Vec<_> = windows
                .extract_if(.., |other| other.shares(&first))
                .collect();
            group.insert(0, first);
            let mut keys = Vec::new();
            let mut partition = Vec::new();
            for expr in &group[0].partition {
                let expr = path.bind(expr.clone())?;
                keys.push(SortKey {
                    expr: expr.clone(),
                    descending: false,
                    nulls_first: false,
                });
                partition.push(expr);
            }
            let mut order = Vec::new();
            for key in &group[0].order {
                order.push(SortKey {
                    expr: path.bind(key.expr.clone())?,
                    ..key.clone()
                });
            }
            keys.extend(order.iter().cloned());
            let mut calls = Vec::new();
            let mut layout = path.layout.clone();
            for pending in group {
                layout.push(pending.var);
                let mut call = pending.call;
                call.args = path.bind_all(call.args)?;
                call.filter = call.filter.map(|f| path.bind(f)).transpose()?;
                calls.push(call);
            }
            let input = sorted(path.plan, keys, None);
            let (rows, startup) = (input.rows, input.startup_cost);
            let total = input.total_cost + rows * OPERATOR * calls.len() as f64;
            let node = Node::Window {
                input,
                calls,
                partition,
                order,
            };
            path = self.path(node, layout, rows, startup, total);
        }
        Ok(path)
    }

    /// Set-returning calls; one that takes another's value comes above it.
    fn expanded(&mut self, mut path: Path, mut sets: Vec<(Var, Expr)>) -> SqlResult<Path> {
        while !sets.is_empty() {
            let waiting: Vec<Var> = sets.iter().map(|(var, _)| *var).collect();
            let ready: Vec<(Var, Expr)> = sets
                .extract_if(.., |(_, call)| {
                    !crate::walk::any(
                        call,
                        &mut |e| matches!(e, Expr::Column { index, .. } if waiting.contains(index)),
                    )
                })
                .collect();
            let mut exprs: Vec<Expr> = path
                .layout
                .iter()
                .enumerate()
                .map(|(index, var)| Expr::Column {
                    index,
                    type_oid: self.vars[*var].type_oid,
                })
                .collect();
            let mut layout = path.layout.clone();
            let mut places = Vec::new();
            for (var, call) in ready {
                places.push(exprs.len());
                exprs.push(path.bind(call)?);
                layout.push(var);
            }
            let rows = path.plan.rows * 100.0;
            let (startup, total) = (path.plan.startup_cost, path.plan.total_cost + rows * ROW);
            let node = Node::ProjectSet {
                input: path.plan,
                exprs,
                sets: places,
            };
            path = self.path(node, layout, rows, startup, total);
        }
        Ok(path)
    }

    /// The select list and what is above it.
    fn output_stage(&mut self, path: Path, block: Block, want: &[OrderKey]) -> SqlResult<Plan> {
        let mut exprs: Vec<Expr> = block
            .targets
            .iter()
            .map(|(_, value)| value.clone())
            .collect();
        let visible = exprs.len();
        let presorted = !want.is_empty() && path.sorted_by(want);
        let mut keys = Vec::new();
        if !presorted || block.ties {
            for key in &block.order {
                keys.push(sort_key(place(&mut exprs, &key.expr), key));
            }
        }
        let mut on_keys = Vec::new();
        for value in block.distinct.iter().flatten() {
            let index = place(&mut exprs, value);
            let key = Key {
                expr: value.clone(),
                descending: false,
                nulls_first: false,
            };
            let key = sort_key(index, &key);
            on_keys.push(key.expr.clone());
            if !keys.iter().any(|k: &SortKey| same(&k.expr, &key.expr)) {
                keys.push(key);
            }
        }
        let mut locks = Vec::new();
        for lock in &block.locks {
            let mut targets = Vec::new();
            for (relation, var) in &lock.targets {
                targets.push((relation.clone(), place(&mut exprs, &self.var(*var))));
            }
            locks.push((targets, lock));
        }
        let columns = block
            .targets
            .iter()
            .map(|(name, value)| self.output(name, value))
            .collect();
        let mut plan = self.projected(path, exprs, columns, visible)?;
        let ties = block.ties.then(|| keys.clone());
        let bounded = if block.distinct.is_some() {
            None
        } else {
            bound(&block.limit, &block.offset, block.ties)
        };
        match &block.distinct {
            None => {
                plan = if presorted {
                    plan
                } else {
                    sorted(plan, keys, bounded)
                }
            }
            Some(on) if on.is_empty() => plan = sorted(distinct(plan, Vec::new()), keys, None),
            Some(_) => plan = distinct(sorted(plan, keys, None), on_keys),
        }
        for (targets, lock) in locks {
            plan = locked(plan, targets, lock);
        }
        Ok(limited(
            plan,
            block.limit.clone(),
            block.offset.clone(),
            ties,
        ))
    }

    /// A projection, left out where the rows are right as they are.
    fn projected(
        &self,
        path: Path,
        exprs: Vec<Expr>,
        columns: Vec<OutputColumn>,
        visible: usize,
    ) -> SqlResult<Plan> {
        let bound = path.bind_all(exprs)?;
        let same_places = bound
            .iter()
            .enumerate()
            .all(|(at, e)| matches!(e, Expr::Column { index, .. } if *index == at));
        let width = path.layout.len();
        if same_places && visible > 0 {
            let mut plan = path.plan;
            plan.columns = columns;
            plan.hidden = width - visible;
            return Ok(plan);
        }
        let hidden = bound.len() - visible;
        let mut plan = project(path.plan, bound, columns);
        plan.hidden = hidden;
        Ok(plan)
    }
}

fn sort_key(index: usize, key: &Key) -> SortKey {
    SortKey {
        expr: Expr::Column {
            index,
            type_oid: type_of(&key.expr),
        },
        descending: key.descending,
        nulls_first: key.nulls_first,
    }
}

fn bound_call(path: &Path, call: AggregateCall) -> SqlResult<AggregateCall> {
    let mut order = Vec::new();
    for key in call.order {
        order.push(SortKey {
            expr: path.bind(key.expr)?,
            ..key
        });
    }
    Ok(AggregateCall {
        args: path.bind_all(call.args)?,
        filter: call.filter.map(|f| path.bind(f)).transpose()?,
        order,
        ..call
    })
}

/// The place of a value among the output's, added if it is not there.
fn place(exprs: &mut Vec<Expr>, value: &Expr) -> usize {
    match exprs.iter().position(|e| same(e, value)) {
        Some(at) => at,
        None => {
            exprs.push(value.clone());
            exprs.len() - 1
        }
    }
}
