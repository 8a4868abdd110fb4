//! [`RowStore`]: tables and indexes as operators see them, under one snapshot.
//!
//! The real one, [`PortStore`], goes through the ports of heap and tree; the
//! tests of operators use one in memory. Files are relation numbers
//! (`pg_plan::Relation::file`), waits end with the statement's cancellation.

#[cfg(test)]
pub mod memory;
mod ports;

pub use pg_btree_port::{Cursor, EntryBatch};
pub use pg_heap_port::{RowBatch, RowBuf, Tid, WaitPolicy};
pub use ports::{PortStore, main};

use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{LockStrength, Relation};
use pg_types::{Datum, Oid, SqlResult};

/// A row's address as a value of type `tid`.
#[must_use]
pub fn tid_datum(tid: Tid) -> Datum {
    Datum::Tid(tid.block, tid.slot)
}

/// A row's address from a value of type `tid`.
#[must_use]
pub fn tid_of(datum: &Datum) -> Option<Tid> {
    match datum {
        Datum::Tid(block, slot) => Some(Tid::new(*block, *slot)),
        _ => None,
    }
}

/// What came of changing or locking a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changed {
    /// It was done; for an update, where the new version lies and whether it
    /// needs no index entries.
    Done {
        /// The new version (the same one for deletes and locks).
        tid: Tid,
        /// Heap-only.
        hot: bool,
    },
    /// This very command changed the row before.
    SelfModified,
    /// Another transaction updated the row and committed.
    Concurrent {
        /// The next version.
        newest: Tid,
    },
    /// Another transaction deleted the row and committed.
    Deleted,
    /// It is locked, and such rows are to be passed over.
    Skipped,
}

/// Tables and indexes.
pub trait RowStore {
    /// Pages of a table.
    ///
    /// # Errors
    /// As the layers below report; so for all methods.
    fn blocks(&mut self, file: u32) -> SqlResult<u32>;
    /// The visible rows of a page, instead of what is in the batch.
    fn scan_block(&mut self, file: u32, block: u32, batch: &mut RowBatch) -> SqlResult<()>;
    /// The same, with the slot of the first version of each row's chain, which
    /// index entries lead to. Nobody may change the table meanwhile.
    fn scan_roots(
        &mut self,
        file: u32,
        block: u32,
        batch: &mut RowBatch,
        roots: &mut Vec<u16>,
    ) -> SqlResult<()>;
    /// The visible version of the row that an index entry leads to.
    fn fetch(&mut self, file: u32, root: Tid, row: &mut RowBuf) -> SqlResult<Option<Tid>>;
    /// The same under a snapshot of this moment, which sees what this command
    /// did as well.
    fn fetch_latest(&mut self, file: u32, root: Tid, row: &mut RowBuf) -> SqlResult<Option<Tid>>;
    /// A version as [`Changed::Concurrent`] named it, whatever the snapshot
    /// says; false when it is gone.
    fn fetch_version(&mut self, file: u32, tid: Tid, row: &mut RowBuf) -> SqlResult<bool>;
    /// A row that an insert met is to be changed, or to stay in its place: above
    /// READ COMMITTED it must be a version that the transaction sees.
    ///
    /// # Errors
    /// 40001 when no version that the entry `root` leads to is seen, or (`version`)
    /// another one.
    fn require_seen(&mut self, file: u32, root: Tid, version: Option<Tid>) -> SqlResult<()>;
    /// Takes a new snapshot for what follows, as READ COMMITTED allows after a
    /// concurrent change was met.
    fn refresh(&mut self) -> SqlResult<()>;
    /// Reads under a snapshot of this moment, which sees what this command did
    /// as well, until it is called with false.
    fn look_now(&mut self, on: bool) -> SqlResult<()>;
    /// A table's descriptor, for foreign keys; it is locked against changes of its
    /// schema, and with `write` for changing rows. None when it was dropped.
    fn relation(&mut self, oid: Oid, write: bool) -> SqlResult<Option<Arc<Relation>>>;
    /// The rows of a built-in view that shows the catalog.
    fn virtual_rows(&mut self, relation: &Relation) -> SqlResult<Vec<Vec<Datum>>>;
    /// Adds a row.
    fn insert(&mut self, file: u32, row: &[u8]) -> SqlResult<Tid>;
    /// Adds rows; their addresses are appended to `tids`.
    fn insert_many(&mut self, file: u32, rows: &[&[u8]], tids: &mut Vec<Tid>) -> SqlResult<()>;
    /// Replaces a row; `keep_keys` says that no indexed value differs.
    fn update(&mut self, file: u32, tid: Tid, row: &[u8], keep_keys: bool) -> SqlResult<Changed>;
    /// Removes a row.
    fn delete(&mut self, file: u32, tid: Tid) -> SqlResult<Changed>;
    /// Locks a row.
    fn lock_row(
        &mut self,
        file: u32,
        tid: Tid,
        strength: LockStrength,
        policy: WaitPolicy,
    ) -> SqlResult<Changed>;
    /// The next entries of an index scan, instead of what is in the batch; false
    /// when it is over.
    fn index_batch(
        &mut self,
        index: u32,
        cursor: &mut Cursor,
        batch: &mut EntryBatch,
    ) -> SqlResult<bool>;
    /// Entries of the batch led to no row that is seen: who keeps the index may
    /// find that nobody will see one there.
    fn index_gone(
        &mut self,
        _index: u32,
        _table: u32,
        _batch: &EntryBatch,
        _gone: &[Tid],
    ) -> SqlResult<()> {
        Ok(())
    }
    /// Whether any version in the chain of `root` counts for a unique index; waits for
    /// transactions that decide.
    fn is_live(&mut self, file: u32, root: Tid) -> SqlResult<bool>;
    /// Adds an entry. With `alone`, so many of the key's first bytes must be no other
    /// entry's: the address of a row in the way is answered and nothing is added; waits
    /// for transactions that decide whether it is.
    fn index_insert(
        &mut self,
        index: u32,
        table: u32,
        key: &[u8],
        tid: Tid,
        alone: Option<usize>,
    ) -> SqlResult<Option<Tid>>;
    /// Rows that an index has under keys that begin with `key`, `most` at most, those that are dead left
    /// out; waits as [`RowStore::index_insert`] does.
    fn index_rows(
        &mut self,
        index: u32,
        table: u32,
        key: &[u8],
        most: usize,
    ) -> SqlResult<Vec<Tid>>;
    /// One of them.
    fn index_conflict(&mut self, index: u32, table: u32, key: &[u8]) -> SqlResult<Option<Tid>> {
        Ok(self.index_rows(index, table, key, 1)?.pop())
    }
}
