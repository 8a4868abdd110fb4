//! The leaves and the tree of a FROM clause, after names are resolved and
//! before the order of joins is chosen.

use crate::analyzer::Var;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Expr, JoinKind, Plan, Relation};
use pg_types::Oid;

/// What a FROM item reads.
#[derive(Clone, Debug)]
pub enum LeafKind {
    /// A table.
    Table {
        /// It.
        relation: Arc<Relation>,
        /// The variable of the row id.
        row_id: Var,
        /// Its system columns and all columns are wanted in descriptor order
        /// (the target of an update).
        target: bool,
    },
    /// A built-in view.
    Virtual {
        /// It.
        relation: Arc<Relation>,
    },
    /// A planned query.
    Query {
        /// It.
        plan: Plan,
        /// What it is handed, when lateral.
        outer: Vec<Expr>,
    },
    /// A set-returning or plain function.
    Function {
        /// Its id.
        function: Oid,
        /// Its arguments.
        args: Vec<Expr>,
        /// WITH ORDINALITY.
        ordinality: bool,
        /// Types of its columns, ordinality excluded.
        types: Vec<Oid>,
    },
}

/// A FROM item.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// What it reads.
    pub kind: LeafKind,
    /// The variables of its columns, in order.
    pub vars: Vec<Var>,
}

/// The tree of a FROM clause.
#[derive(Clone, Debug)]
pub enum Tree {
    /// A leaf, by number.
    Leaf(usize),
    /// The rows of a tree for which conditions hold: a subquery that became
    /// part of the query around it.
    Filter {
        /// The rows.
        tree: Box<Tree>,
        /// The conditions' conjuncts.
        conditions: Vec<Expr>,
    },
    /// A join. Semi and anti joins come from EXISTS and IN.
    Join {
        /// Its kind; never `Right` (turned round) for inner planning.
        kind: JoinKind,
        /// Left.
        left: Box<Tree>,
        /// Right.
        right: Box<Tree>,
        /// The condition's conjuncts.
        on: Vec<Expr>,
    },
}

impl Tree {
    /// The leaves below, by number.
    pub fn leaves(&self, out: &mut Vec<usize>) {
        match self {
            Tree::Leaf(leaf) => out.push(*leaf),
            Tree::Filter { tree, .. } => tree.leaves(out),
            Tree::Join { left, right, .. } => {
                left.leaves(out);
                right.leaves(out);
            }
        }
    }
}
