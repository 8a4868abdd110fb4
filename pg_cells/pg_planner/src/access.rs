//! Access paths: how a leaf's rows are read. Those through indexes are in
//! `index_paths`.

use crate::analyzer::{Analyzer, Var};
use crate::leaf::{Leaf, LeafKind};
use crate::path::{OPERATOR, Path, ROW, SEQ_PAGE, Uses, bind, bind_inner};
use crate::stats;
use crate::walk::conjunction;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Expr, Node, Relation};
use pg_types::{SqlError, SqlResult};

/// A request for the paths of a leaf.
pub struct Request<'r> {
    /// Conditions on the leaf (and, for an inner side, with allowed others).
    pub conditions: &'r [Expr],
    /// What is used above.
    pub uses: &'r Uses,
    /// Variables of other leaves that values may use: an inner side.
    pub allowed: Option<&'r [Var]>,
}

impl Analyzer<'_> {
    /// The paths of a leaf, at least one; its conditions are applied.
    pub fn leaf_paths(&mut self, leaf: usize, request: &Request<'_>) -> SqlResult<Vec<Path>> {
        let Leaf { kind, vars, .. } = self.leaves[leaf].clone();
        let filter = conjunction(request.conditions.to_vec());
        let share = self.all_selectivity(request.conditions);
        match kind {
            LeafKind::Table {
                relation,
                row_id,
                target,
            } => {
                let mut paths =
                    alloc::vec![self.seq_scan(&relation, &vars, row_id, target, request, share)?];
                paths.extend(self.index_scans(
                    leaf,
                    &relation,
                    &vars,
                    (row_id, target),
                    request,
                )?);
                Ok(paths)
            }
            LeafKind::Virtual { relation } => {
                let filter = filter.map(|f| bind(f, &vars)).transpose()?;
                let rows = 100.0;
                let node = Node::VirtualScan { relation, filter };
                Ok(alloc::vec![self.path(
                    node,
                    vars,
                    rows * share,
                    0.0,
                    rows * ROW
                )])
            }
            LeafKind::Query { plan, outer } if outer.is_empty() => {
                let mut path = self.path(Node::Nothing { filter: None }, vars, plan.rows, 0.0, 0.0);
                let columns = core::mem::take(&mut path.plan.columns);
                path.plan = crate::build::stripped(plan);
                path.plan.columns = columns;
                Ok(alloc::vec![self.filtered(
                    path,
                    request.conditions.to_vec(),
                    share
                )?])
            }
            LeafKind::Function {
                function,
                args,
                ordinality,
                types,
            } if !args.iter().any(crate::select::uses_vars) => {
                let rows = set_rows(&args);
                let node = Node::FunctionScan {
                    function,
                    args,
                    ordinality,
                    types,
                };
                let path = self.path(node, vars, rows, 0.0, rows * ROW);
                Ok(alloc::vec![self.filtered(
                    path,
                    request.conditions.to_vec(),
                    share
                )?])
            }
            _ => Err(SqlError::unsupported("this order of lateral items")),
        }
    }

    /// The inner side of a lateral join: its path, and what it is handed.
    pub fn lateral_path(
        &mut self,
        leaf: usize,
        conditions: &[Expr],
    ) -> SqlResult<(Path, Vec<Expr>)> {
        let Leaf { kind, vars, .. } = self.leaves[leaf].clone();
        let mut frame;
        let mut path = match kind {
            LeafKind::Query { plan, outer } => {
                frame = outer;
                let mut path = self.path(Node::Nothing { filter: None }, vars, plan.rows, 0.0, 0.0);
                let columns = core::mem::take(&mut path.plan.columns);
                path.plan = crate::build::stripped(plan);
                path.plan.columns = columns;
                path
            }
            LeafKind::Function {
                function,
                args,
                ordinality,
                types,
            } => {
                frame = Vec::new();
                let rows = set_rows(&args);
                let args = args
                    .into_iter()
                    .map(|arg| bind_inner(arg, &[], &mut frame))
                    .collect();
                let node = Node::FunctionScan {
                    function,
                    args,
                    ordinality,
                    types,
                };
                self.path(node, vars, rows, 0.0, rows * ROW)
            }
            _ => return Err(SqlError::internal("a lateral leaf that is none")),
        };
        if let Some(condition) = conjunction(conditions.to_vec()) {
            let condition = bind_inner(condition, &path.layout, &mut frame);
            let node = Node::Filter {
                input: path.plan.clone(),
                condition,
            };
            path.plan.node = node.into();
            path.plan.rows = (path.plan.rows * self.all_selectivity(conditions)).max(1.0);
        }
        Ok((path, frame))
    }

    /// The columns a scan gives: places in the descriptor, their variables,
    /// whether the row id follows.
    pub fn scan_columns(
        &self,
        vars: &[Var],
        (row_id, target): (Var, bool),
        uses: &Uses,
        consumed: &[&Expr],
    ) -> (Vec<usize>, Vec<Var>, bool) {
        if target {
            let mut layout = vars.to_vec();
            layout.push(row_id);
            return ((0..vars.len()).collect(), layout, true);
        }
        let mut layout = uses.wanted(vars, consumed);
        let columns = layout
            .iter()
            .filter_map(|var| vars.iter().position(|v| v == var))
            .collect();
        let with_id = uses.beyond(row_id, &[]) > 0;
        if with_id {
            layout.push(row_id);
        }
        (columns, layout, with_id)
    }

    fn seq_scan(
        &self,
        relation: &Arc<Relation>,
        vars: &[Var],
        row_id: Var,
        target: bool,
        request: &Request<'_>,
        share: f64,
    ) -> SqlResult<Path> {
        let (columns, layout, row_id) =
            self.scan_columns(vars, (row_id, target), request.uses, &[]);
        let filter = conjunction(request.conditions.to_vec())
            .map(|f| bind(f, &layout))
            .transpose()?;
        let (rows, pages) = stats::size(relation);
        let total =
            pages * SEQ_PAGE + rows * ROW + rows * OPERATOR * request.conditions.len() as f64;
        let node = Node::SeqScan {
            relation: relation.clone(),
            columns,
            row_id,
            filter,
        };
        Ok(self.path(node, layout, rows * share, 0.0, total))
    }
}

/// Rows of a set-returning function: of two constant bounds their distance.
fn set_rows(args: &[Expr]) -> f64 {
    let number = |e: &Expr| match e {
        Expr::Const { value, .. } => value.as_i64(),
        _ => None,
    };
    match args {
        [low, high] => match (number(low), number(high)) {
            (Some(low), Some(high)) if high >= low => (high - low) as f64 + 1.0,
            _ => 1000.0,
        },
        [
            Expr::Const {
                value: pg_types::Datum::Array(array),
                ..
            },
        ] => array.items.len() as f64,
        _ => 100.0,
    }
}

impl Analyzer<'_> {
    /// The index scans of a table leaf that take values from other leaves.
    pub fn probe_paths(&mut self, leaf: usize, request: &Request<'_>) -> SqlResult<Vec<Path>> {
        let Leaf {
            kind:
                LeafKind::Table {
                    relation,
                    row_id,
                    target,
                },
            vars,
            ..
        } = self.leaves[leaf].clone()
        else {
            return Ok(Vec::new());
        };
        self.index_scans(leaf, &relation, &vars, (row_id, target), request)
    }
}
