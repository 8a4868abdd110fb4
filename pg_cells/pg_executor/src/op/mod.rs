//! Operators: what a plan's nodes become. Rows are pulled: [`Operator::next`]
//! moves to the next row, [`Operator::row`] shows it until the next move, so a
//! row is copied only where it is kept.
//!
//! [`Builder`] makes the tree from a `pg_plan::Plan`. Each operator has a file
//! of its own; operators that change tables are in `modify`.

pub mod aggregate;
pub mod append;
pub mod cte;
pub mod decode;
pub mod distinct;
pub mod filter;
pub mod function_scan;
pub mod hash_join;
pub mod index_only_scan;
pub mod index_scan;
pub mod instrument;
pub mod limit;
pub mod lock_rows;
pub mod modify;
pub mod nested_loop;
pub mod project;
pub mod project_set;
pub mod seq_scan;
pub mod set_op;
pub mod sort;
pub mod values;
pub mod virtual_scan;
pub mod window;

use crate::env::Env;
use crate::expr::{compile_all, compile_option};
use alloc::boxed::Box;
use alloc::vec::Vec;
use cte::{CteNames, CteSlot};
use pg_executor_port::Detail;
use pg_plan::{Join, Node, Plan};
use pg_types::{Datum, SqlResult};

/// A running operator.
pub trait Operator: Send {
    /// Moves to the next row; false at the end.
    ///
    /// # Errors
    /// Whatever evaluation, tables or limits report; the query is over then.
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool>;

    /// The current row, after [`Operator::next`] gave true.
    fn row(&self) -> &[Datum];

    /// Columns of its rows.
    fn width(&self) -> usize;

    /// Starts again from the first row, under the environment's present outer
    /// values. A new operator needs no reset.
    ///
    /// # Errors
    /// As [`Operator::next`].
    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()>;

    /// Rows changed so far, of an operator that changes a table.
    fn affected(&self) -> u64 {
        0
    }

    /// What it has to tell of its work so far, for EXPLAIN ANALYZE.
    fn detail(&self) -> Detail {
        Detail::None
    }
}

/// An operator in a tree.
pub type Input = Box<dyn Operator>;

/// Makes operators from plans.
#[derive(Default)]
pub struct Builder {
    /// The common table expressions met so far.
    pub(crate) ctes: Vec<CteSlot>,
    /// Widths of the working tables of recursive unions.
    pub(crate) working: Vec<usize>,
    pub(crate) names: CteNames,
    /// Measure each operator, for EXPLAIN ANALYZE.
    pub(crate) instrument: bool,
    pub(crate) measured: usize,
}

impl Builder {
    /// The operator for a plan's topmost node.
    ///
    /// # Errors
    /// When an expression in it cannot be compiled.
    pub fn build(&mut self, plan: &Plan) -> SqlResult<Input> {
        if !self.instrument {
            return self.build_node(&plan.node);
        }
        let number = self.measured;
        self.measured += 1;
        let input = self.build_node(&plan.node)?;
        Ok(Box::new(instrument::Measured::new(input, number)))
    }

    /// A table: one line or two for each kind of node.
    ///
    /// A dispatch table, so longer than a function should be.
    fn build_node(&mut self, node: &Node) -> SqlResult<Input> {
        Ok(match node {
            Node::Nothing { filter } => {
                Box::new(values::Nothing::new(compile_option(filter.as_ref(), self)?))
            }
            Node::Values(rows) => Box::new(values::Values::compile(rows, self)?),
            Node::SeqScan {
                relation,
                columns,
                row_id,
                filter,
            } => {
                let filter = compile_option(filter.as_ref(), self)?;
                Box::new(seq_scan::SeqScan::new(relation, columns, *row_id, filter))
            }
            Node::IndexScan(scan) if scan.index_only => {
                Box::new(index_only_scan::IndexOnlyScan::compile(scan, self)?)
            }
            Node::IndexScan(scan) => Box::new(index_scan::IndexScan::compile(scan, self)?),
            Node::VirtualScan { relation, filter } => {
                let filter = compile_option(filter.as_ref(), self)?;
                Box::new(virtual_scan::VirtualScan::new(relation, filter))
            }
            Node::FunctionScan {
                function,
                args,
                ordinality,
                types,
            } => Box::new(function_scan::FunctionScan::compile(
                *function,
                args,
                *ordinality,
                types,
                self,
            )?),
            Node::ProjectSet { input, exprs, sets } => {
                Box::new(project_set::ProjectSet::compile(input, exprs, sets, self)?)
            }
            Node::Filter { input, condition } => {
                let input = self.build(input)?;
                Box::new(filter::Filter::new(
                    input,
                    crate::expr::compile(condition, self)?,
                ))
            }
            Node::Project { input, exprs } => {
                let input = self.build(input)?;
                Box::new(project::Project::new(input, compile_all(exprs, self)?))
            }
            Node::Join(join) => self.build_join(join)?,
            Node::Sort { input, keys, bound } => {
                Box::new(sort::Sort::compile(input, keys, bound.as_ref(), self)?)
            }
            Node::Limit {
                input,
                limit,
                offset,
                ties,
            } => Box::new(limit::Limit::compile(
                input,
                limit.as_ref(),
                offset.as_ref(),
                ties.as_deref(),
                self,
            )?),
            Node::Aggregate(aggregate) => aggregate::build(aggregate, self)?,
            Node::Window {
                input,
                calls,
                partition,
                order,
            } => Box::new(window::Window::compile(
                input, calls, partition, order, self,
            )?),
            Node::Distinct { input, keys } => distinct::build(input, keys, self)?,
            Node::Append(plans) => {
                let inputs = plans
                    .iter()
                    .map(|p| self.build(p))
                    .collect::<SqlResult<Vec<_>>>()?;
                Box::new(append::Append::new(inputs))
            }
            Node::SetOp {
                kind,
                all,
                left,
                right,
            } => set_op::build(*kind, *all, left, right, self)?,
            Node::With { ctes, body } => Box::new(cte::With::compile(ctes, body, self)?),
            Node::RecursiveUnion {
                id,
                initial,
                step,
                all,
            } => Box::new(cte::RecursiveUnion::compile(
                *id, initial, step, *all, self,
            )?),
            Node::CteScan { id } => cte::scan(*id, self)?,
            Node::LockRows {
                input,
                targets,
                strength,
                nowait,
                skip_locked,
            } => {
                let input = self.build(input)?;
                let wait = lock_rows::Policy::new(*nowait, *skip_locked);
                Box::new(lock_rows::LockRows::new(input, targets, *strength, wait))
            }
            Node::Insert { .. } | Node::Update { .. } | Node::Delete { .. } => {
                modify::build(node, self)?
            }
        })
    }

    fn build_join(&mut self, join: &Join) -> SqlResult<Input> {
        if join.hash_keys.is_empty() {
            Ok(Box::new(nested_loop::NestedLoop::compile(join, self)?))
        } else {
            Ok(Box::new(hash_join::HashJoin::compile(join, self)?))
        }
    }
}
