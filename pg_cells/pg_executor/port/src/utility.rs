//! Commands that touch all rows of a table.

use alloc::string::String;
use alloc::sync::Arc;
use pg_plan::{Expr, Index, IndexExprs, Relation, TargetColumn};

/// An index to be filled.
#[derive(Clone, Copy, Debug)]
pub struct IndexBuild<'a> {
    /// Its table.
    pub relation: &'a Arc<Relation>,
    /// The index.
    pub index: &'a Arc<Index>,
    /// Its expressions and condition, if it has any.
    pub exprs: Option<&'a IndexExprs>,
}

/// What to do with every row of a table.
#[derive(Clone, Copy, Debug)]
pub struct TableChangeRows<'a> {
    /// The table as it is.
    pub relation: &'a Arc<Relation>,
    /// Conditions that must not be false for any row, over the row as it is,
    /// with the constraints' names (ADD CHECK, VALIDATE).
    pub checks: &'a [(String, Expr)],
    /// Columns that must not be NULL in any row (SET NOT NULL).
    pub not_null: &'a [usize],
    /// The table as it will be, with an empty file of its own, and its rows over
    /// the present ones (ALTER COLUMN TYPE, ADD COLUMN with a volatile default).
    /// Indexes of the new table are filled as well.
    pub rewrite: Option<RowExprs<'a>>,
}

/// New rows over old ones.
#[derive(Clone, Copy, Debug)]
pub struct RowExprs<'a> {
    /// The table to write.
    pub relation: &'a Arc<Relation>,
    /// Its columns over the old row, in descriptor order.
    pub values: &'a [TargetColumn],
    /// The expressions of its indexes.
    pub index_exprs: &'a [IndexExprs],
}

/// What a vacuum did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VacuumResult {
    /// Pages of the table.
    pub pages: u32,
    /// Rows that stay.
    pub live: u64,
    /// Versions removed.
    pub removed: u64,
    /// Deleted versions that someone may still see.
    pub kept_dead: u64,
}
