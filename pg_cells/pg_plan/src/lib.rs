//! Typed expressions and plans as plain data: what the planner makes and the
//! executor runs.
//!
//! A plan owns everything it needs and points into no cell, so it can be kept
//! in a session's cache across a swap of either side. Relations are named by
//! their descriptors ([`Relation`], from the catalog, shared); a plan is stale
//! once [`Plan::catalog_version`] is no longer the catalog's.
//!
//! Rows between operators are slices of datums. [`Expr::Column`] indexes the
//! input row of the operator that holds the expression; for joins the input row
//! is the left row followed by the right one.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod counters;
mod ddl;
mod expr;
mod node;
mod normalized;
mod relation;
mod statement;
mod tag;
mod text;
mod utility;

pub use counters::{Counters, Counts, RowChanges};
pub use ddl::{
    AlterSequence, AlterTable, CommentTarget, ConstraintKind, CreateIndex, CreateSequence,
    CreateTable, CreateView, Ddl, Drop, DropKind, NewColumn, NewConstraint, NewIndexKey,
    QualifiedName, TableChange,
};
pub use expr::{CaseArm, Expr, Quantifier, SubLink, SubLinkKind};
pub use node::{
    Aggregate, AggregateCall, BoundKind, CteId, FrameBound, IndexBound, IndexExprs, IndexScan,
    Join, JoinKind, LockStrength, Node, OnConflict, Rows, ScanDirection, SetOpKind, SortKey,
    TableExprs, TargetColumn, WindowCall, WindowFrame,
};
pub use normalized::{Literal, Normalized};
pub use relation::{
    CheckConstraint, Column, Deferral, ForeignKey, Index, IndexColumn, Relation, RelationKind,
    SequenceInfo,
};
pub use statement::{OutputColumn, Plan};
pub use tag::Verb;
pub use text::{encloses, is_call, unparenthesized};
pub use utility::{
    Copy, CopyFormat, CopyHeader, CopyOptions, CopySource, Discard, ExplainFormat, ExplainOptions,
    FetchDirection, IsolationLevel, Planned, TableLock, TableNames, TransactionCommand,
    TransactionModes, Utility,
};
