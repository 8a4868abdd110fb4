//! Rows of stored catalogs in heap and indexes: finding, adding, changing.
//!
//! Reads use the newest snapshot, as PostgreSQL's do, so that a transaction
//! under repeatable read still meets the schema as it is. Indexes are known by
//! their ids, named in [`ids`].

use crate::error::OrSql;
use crate::row::Row;
use crate::schema::System;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_btree_port::{Cursor, EntryBatch, Inserted};
use pg_buffer_port::{FileId, Fork};
use pg_heap_port::{RowBatch, RowBuf, Tid, UpdateOutcome};
use pg_plan::{Index, Relation};
use pg_txn_port::{Snapshot, Transaction};
use pg_types::{Datum, KeyOrder, Oid, SqlError, SqlResult, SqlState, keycode};

/// Ids of the stored catalogs and of those of their indexes that are used here.
#[allow(missing_docs)] // Named after what they are.
pub mod ids {
    use pg_types::Oid;

    pub const ATTRDEF: Oid = 2604;
    pub const ATTRDEF_BY_COLUMN: Oid = 2656;
    pub const ATTRDEF_BY_OID: Oid = 2657;
    pub const ATTRIBUTE: Oid = 1249;
    pub const ATTRIBUTE_BY_NUMBER: Oid = 2659;
    pub const AUTHID: Oid = 1260;
    pub const AUTHID_BY_NAME: Oid = 2676;
    pub const AUTHID_BY_OID: Oid = 2677;
    pub const CLASS: Oid = 1259;
    pub const CLASS_BY_OID: Oid = 2662;
    pub const CLASS_BY_NAME: Oid = 2663;
    pub const CONSTRAINT: Oid = 2606;
    pub const CONSTRAINT_BY_NAME: Oid = 2664;
    pub const CONSTRAINT_BY_RELATION: Oid = 2665;
    pub const CONSTRAINT_BY_OID: Oid = 2667;
    pub const DATABASE: Oid = 1262;
    pub const DEPEND: Oid = 2608;
    pub const DEPEND_BY_OBJECT: Oid = 2673;
    pub const DEPEND_BY_REFERENCE: Oid = 2674;
    pub const DESCRIPTION: Oid = 2609;
    pub const DESCRIPTION_BY_OBJECT: Oid = 2675;
    pub const INDEX: Oid = 2610;
    pub const INDEX_BY_TABLE: Oid = 2678;
    pub const INDEX_BY_OID: Oid = 2679;
    pub const NAMESPACE: Oid = 2615;
    pub const NAMESPACE_BY_NAME: Oid = 2684;
    pub const NAMESPACE_BY_OID: Oid = 2685;
    pub const REWRITE: Oid = 2618;
    pub const REWRITE_BY_RELATION: Oid = 2693;
    pub const SEQUENCE: Oid = 2224;
    pub const SEQUENCE_BY_OID: Oid = 5002;
    pub const SHDESCRIPTION: Oid = 2396;
    pub const SHDESCRIPTION_BY_OBJECT: Oid = 2397;
    pub const STATISTIC: Oid = 2619;
    pub const STATISTIC_BY_COLUMN: Oid = 2696;
    pub const TYPE: Oid = 1247;
    pub const TYPE_BY_OID: Oid = 2703;
    pub const TYPE_BY_NAME: Oid = 2704;
}

/// The main file of a relation or index.
#[inline]
#[must_use]
pub fn main_file(file: u32) -> FileId {
    FileId::new(file, Fork::Main)
}

/// One look at the catalogs.
pub struct Reader<'a> {
    /// The built-in relations.
    pub system: &'a System,
    snapshot: Arc<Snapshot>,
}

impl<'a> Reader<'a> {
    /// Looks at what is committed now and what `tx` did itself.
    ///
    /// # Errors
    /// When the transaction is lost.
    pub fn new(system: &'a System, tx: &mut Transaction) -> SqlResult<Self> {
        let snapshot = tx.latest_snapshot().sql()?;
        Ok(Reader { system, snapshot })
    }

    /// The rows whose leading columns of an index have these values, in its
    /// order.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn find(&self, index: Oid, key: &[Datum]) -> SqlResult<Vec<Row>> {
        let (table, index) = self
            .system
            .index(index)
            .ok_or_else(|| SqlError::internal("no such system index"))?;
        let mut cursor = Cursor::prefix(key_of(index, key), false);
        let (mut entries, mut row, mut rows) = (EntryBatch::new(), RowBuf::new(), Vec::new());
        let (tree, heap) = (main_file(index.file), main_file(table.file));
        while pg_btree_port::next_batch(tree, &mut cursor, &mut entries).sql()? {
            for tid in &entries.tids {
                let found = pg_heap_port::fetch(&self.snapshot, heap, *tid, &mut row).sql()?;
                if let Some(tid) = found {
                    rows.push(Row::decode(table, tid, &row.bytes)?);
                }
            }
        }
        Ok(rows)
    }

    /// The one row with these values.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn one(&self, index: Oid, key: &[Datum]) -> SqlResult<Option<Row>> {
        Ok(self.find(index, key)?.into_iter().next())
    }

    /// All rows of a catalog.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn scan(&self, table: Oid) -> SqlResult<Vec<Row>> {
        let table = relation(self.system, table)?;
        let (mut batch, mut rows) = (RowBatch::new(), Vec::new());
        let file = main_file(table.file);
        for block in 0..pg_heap_port::blocks(file).sql()? {
            pg_heap_port::scan_block(&self.snapshot, file, block, &mut batch).sql()?;
            for (tid, bytes) in batch.iter() {
                rows.push(Row::decode(table, tid, bytes)?);
            }
        }
        Ok(rows)
    }
}

/// A built-in relation by id.
///
/// # Errors
/// XX000 when there is none: a mistake of this cell.
pub fn relation(system: &System, oid: Oid) -> SqlResult<&Arc<Relation>> {
    system
        .by_oid(oid)
        .ok_or_else(|| SqlError::internal("no such system catalog"))
}

fn key_of(index: &Index, values: &[Datum]) -> Vec<u8> {
    let mut key = Vec::new();
    for (value, column) in values.iter().zip(&index.keys) {
        keycode::encode(&mut key, value, column.type_oid, KeyOrder::ASC);
    }
    key
}

/// The key that a row has in an index.
#[must_use]
pub fn key_of_row(index: &Index, row: &Row) -> Vec<u8> {
    let mut key = Vec::new();
    for column in &index.keys {
        let value = &row.values()[column.attribute as usize - 1];
        keycode::encode(&mut key, value, column.type_oid, KeyOrder::ASC);
    }
    key
}

/// Adds a row.
///
/// # Errors
/// 23505 with the index's name as constraint, when a unique index has its key.
pub fn insert(tx: &mut Transaction, row: &Row) -> SqlResult<Tid> {
    let table = &row.table;
    let tid = pg_heap_port::insert(tx, main_file(table.file), &row.encode()).sql()?;
    for index in &table.indexes {
        insert_entry(tx, index, row, tid)?;
    }
    Ok(tid)
}

fn insert_entry(tx: &mut Transaction, index: &Index, row: &Row, tid: Tid) -> SqlResult<()> {
    let (tree, heap) = (main_file(index.file), main_file(row.table.file));
    let key = key_of_row(index, row);
    match pg_btree_port::insert(tx, tree, heap, &key, tid, index.unique).sql()? {
        Inserted::Done => Ok(()),
        Inserted::Duplicate(_) => Err(SqlError::new(
            SqlState::UNIQUE_VIOLATION,
            format!(
                "duplicate key value violates unique constraint \"{}\"",
                index.name
            ),
        )
        .with_constraint(index.name.as_str())),
    }
}

/// Replaces `old` by `new`, a changed copy of it.
///
/// # Errors
/// As [`insert`]; XX000 when another transaction has changed the row.
pub fn update(tx: &mut Transaction, old: &Row, new: &Row) -> SqlResult<Tid> {
    let table = &new.table;
    let same = |index: &&Arc<Index>| key_of_row(index, old) == key_of_row(index, new);
    let keep = table.indexes.iter().all(|index| same(&index));
    let file = main_file(table.file);
    let outcome = pg_heap_port::update(tx, file, old.tid, &new.encode(), keep).sql()?;
    match outcome {
        UpdateOutcome::Updated { tid, hot: true } => Ok(tid),
        UpdateOutcome::Updated { tid, hot: false } => {
            for index in &table.indexes {
                insert_entry(tx, index, new, tid)?;
            }
            Ok(tid)
        }
        UpdateOutcome::SelfModified | UpdateOutcome::Concurrent { .. } | UpdateOutcome::Deleted => {
            Err(SqlError::internal("tuple concurrently updated"))
        }
    }
}

/// Removes a row.
///
/// # Errors
/// XX000 when another transaction has changed the row.
pub fn delete(tx: &mut Transaction, row: &Row) -> SqlResult<()> {
    match pg_heap_port::delete(tx, main_file(row.table.file), row.tid).sql()? {
        UpdateOutcome::Updated { .. } => Ok(()),
        _ => Err(SqlError::internal("tuple concurrently deleted")),
    }
}
