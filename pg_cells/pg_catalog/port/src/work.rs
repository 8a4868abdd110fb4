//! What a change of the schema leaves to the executor.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Expr, Relation};
use pg_types::Oid;

/// Work on the rows of a table, to be done in the same transaction after
/// [`crate::Catalog::apply`], with a new command. The descriptors are of the
/// state after the change.
#[derive(Clone, Debug)]
pub enum RowWork {
    /// Fill an index, whose file holds an empty tree.
    BuildIndex {
        /// Its table.
        table: Arc<Relation>,
        /// The index, one of the table's.
        index: Oid,
        /// Its computed keys, one for each key column (`None`: the column).
        keys: Vec<Option<Expr>>,
        /// Its condition.
        predicate: Option<Expr>,
    },
    /// Check every row, or write all rows anew.
    ChangeRows {
        /// The table as it was, with the file that holds the rows.
        before: Arc<Relation>,
        /// The table as it is now.
        after: Arc<Relation>,
        /// Conditions with the constraints' names, over the row as it was.
        checks: Vec<(String, Expr)>,
        /// Places of columns in which no NULL may be.
        not_null: Vec<usize>,
        /// New values over the old row, by place; other columns stay. Present
        /// when `after` has another file, empty, with empty indexes.
        rewrite: Option<Vec<(usize, Expr)>>,
    },
    /// Every row of the table must have its partner.
    CheckForeignKey {
        /// The table.
        table: Arc<Relation>,
        /// The constraint, one of the table's foreign keys.
        constraint: Oid,
    },
}
