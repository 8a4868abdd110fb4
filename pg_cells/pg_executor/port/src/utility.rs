//! Commands that touch all rows of a table.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Expr, Index, IndexExprs, Node, Plan, Relation, TargetColumn};
use pg_types::Datum;

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
    /// Pages that were cut off its end.
    pub cut: u32,
    /// Pages that everyone sees all rows of.
    pub all_visible: u32,
    /// Rows that stay.
    pub live: u64,
    /// Versions removed.
    pub removed: u64,
    /// Deleted versions that someone may still see.
    pub kept_dead: u64,
}

/// A plan that stores a query's rows in a table, its columns in order: CREATE
/// TABLE AS, once the table is there. The query's columns are of the table's
/// types.
#[must_use]
pub fn insert_plan(relation: &Arc<Relation>, rows: Plan) -> Plan {
    let mut index = 0;
    let mut values = Vec::with_capacity(relation.desc.len());
    for attr in relation.desc.attrs() {
        let type_oid = attr.type_oid;
        let value = if attr.dropped {
            Expr::Const {
                value: Datum::Null,
                type_oid,
            }
        } else {
            index += 1;
            Expr::Column {
                index: index - 1,
                type_oid,
            }
        };
        values.push(TargetColumn {
            value,
            not_null: attr.not_null && !attr.dropped,
        });
    }
    Plan {
        columns: Vec::new(),
        hidden: 0,
        rows: rows.rows,
        startup_cost: rows.startup_cost,
        total_cost: rows.total_cost,
        catalog_version: rows.catalog_version,
        wants_values: false,
        params: rows.params.clone(),
        node: Box::new(Node::Insert {
            relation: relation.clone(),
            input: rows,
            values,
            checks: Vec::new(),
            index_exprs: Vec::new(),
            on_conflict: None,
            reached: Vec::new(),
            returning: None,
        }),
    }
}
