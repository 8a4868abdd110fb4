//! Rows of the catalogs that are not stored: functions, operators, casts and
//! their like out of the tables of `pg_builtins`, and a few fixed facts.
//!
//! When users can create such objects, their rows go to a table of their own
//! (a file with the catalog's id as number, as the stored catalogs have) and
//! are appended here; the built-in part stays where it is.

pub mod classes;
mod functions;
mod small;

use crate::Catalogs;
use crate::row::Row;
use crate::schema::PG_CATALOG;
use crate::sequence::position;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Relation, RelationKind};
use pg_txn_port::Transaction;
use pg_types::{Datum, SqlResult};

impl Catalogs {
    /// See [`pg_catalog_port::Catalog::virtual_rows`].
    ///
    /// # Errors
    /// As there.
    pub fn rows_of(&self, tx: &mut Transaction, relation: &Relation) -> SqlResult<Vec<Vec<Datum>>> {
        if relation.kind == RelationKind::Sequence {
            let now = position(relation.file)?;
            return Ok(alloc::vec![alloc::vec![
                Datum::Int8(now.value),
                Datum::Int8(i64::from(now.stock)),
                Datum::Bool(now.called),
            ]]);
        }
        let Some(table) = self.system.by_oid(relation.oid) else {
            return Ok(Vec::new());
        };
        let rows = match table.schema_oid {
            PG_CATALOG => match self.activity_rows(tx, table)? {
                Some(rows) => rows,
                None => builtin(table),
            },
            _ => self.information_rows(tx, table)?,
        };
        Ok(rows.into_iter().map(Row::into_values).collect())
    }
}

/// The rows of a built-in relation.
fn builtin(table: &Arc<Relation>) -> Vec<Row> {
    match table.name.as_str() {
        "pg_proc" => functions::procs(table),
        "pg_aggregate" => functions::aggregates(table),
        "pg_operator" => functions::operators(table),
        "pg_cast" => functions::casts(table),
        "pg_opclass" => classes::classes(table),
        "pg_opfamily" => classes::families(table),
        "pg_am" => small::access_methods(table),
        "pg_language" => small::languages(table),
        "pg_collation" => small::collations(table),
        "pg_tablespace" => small::tablespaces(table),
        _ => Vec::new(),
    }
}
