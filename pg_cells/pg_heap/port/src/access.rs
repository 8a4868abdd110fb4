//! The trait behind the port.

use crate::{
    CheckReport, DeadTids, FileId, HeapError, Liveness, LockOutcome, RowBatch, RowBuf, RowLock,
    Tid, UpdateOutcome, WaitPolicy,
};
use alloc::vec::Vec;
use pg_txn_port::{LockTarget, Reads, Snapshot, Transaction};
use port::{Component, Port};

/// The door of the heap.
pub static HEAP: Port<dyn HeapAccess> = Port::new("pg_heap");

/// What a vacuum saw of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VacuumReport {
    /// Pages.
    pub pages: u32,
    /// Pages that were not looked at, because everyone sees all of them.
    pub skipped: u32,
    /// Pages up to the last one that is not empty, as far as was looked: those
    /// behind it are worth [`crate::vacuum_truncate`].
    pub in_use: u32,
    /// Rows that stay, for `pg_class.reltuples`; estimated where pages were not
    /// looked at.
    pub live: u64,
    /// Versions that were removed.
    pub removed: u64,
    /// Deleted versions that someone may still see.
    pub kept_dead: u64,
    /// Free bytes left in all pages.
    pub free_bytes: u64,
}

/// The row store. The functions of this crate tell what the methods do.
pub trait HeapAccess: Component {
    /// See [`crate::insert`].
    ///
    /// # Errors
    /// As there; so for all methods.
    fn insert(&self, tx: &mut Transaction, file: FileId, row: &[u8]) -> Result<Tid, HeapError>;
    /// See [`crate::insert_many`].
    fn insert_many(
        &self,
        tx: &mut Transaction,
        file: FileId,
        rows: &[&[u8]],
        tids: &mut Vec<Tid>,
    ) -> Result<(), HeapError>;
    /// See [`crate::fetch`].
    fn fetch(
        &self,
        snapshot: &Snapshot,
        file: FileId,
        tid: Tid,
        row: &mut RowBuf,
    ) -> Result<Option<Tid>, HeapError>;
    /// See [`crate::fetch_exact`].
    fn fetch_exact(
        &self,
        snapshot: &Snapshot,
        file: FileId,
        tid: Tid,
        row: &mut RowBuf,
    ) -> Result<bool, HeapError>;
    /// See [`crate::fetch_any`].
    fn fetch_any(&self, file: FileId, tid: Tid, row: &mut RowBuf) -> Result<bool, HeapError>;
    /// See [`crate::scan_block`].
    fn scan_block(
        &self,
        snapshot: &Snapshot,
        file: FileId,
        block: u32,
        rows: &mut RowBatch,
    ) -> Result<(), HeapError>;
    /// See [`crate::roots`].
    fn roots(&self, file: FileId, block: u32, roots: &mut Vec<u16>) -> Result<(), HeapError>;
    /// See [`crate::update`].
    fn update(
        &self,
        tx: &mut Transaction,
        file: FileId,
        tid: Tid,
        row: &[u8],
        keep_index_keys: bool,
    ) -> Result<UpdateOutcome, HeapError>;
    /// See [`crate::delete`].
    fn delete(
        &self,
        tx: &mut Transaction,
        file: FileId,
        tid: Tid,
    ) -> Result<UpdateOutcome, HeapError>;
    /// See [`crate::lock_row`].
    fn lock_row(
        &self,
        tx: &mut Transaction,
        file: FileId,
        tid: Tid,
        lock: RowLock,
        policy: WaitPolicy,
    ) -> Result<LockOutcome, HeapError>;
    /// See [`crate::liveness`].
    fn liveness(&self, tx: &Transaction, file: FileId, tid: Tid) -> Result<Liveness, HeapError>;
    /// See [`crate::find_dead`].
    fn find_dead(&self, file: FileId, tids: &[Tid], dead: &mut Vec<Tid>) -> Result<(), HeapError>;
    /// See [`crate::prune`].
    fn prune(&self, file: FileId, block: u32) -> Result<bool, HeapError>;
    /// See [`crate::vacuum_collect`].
    fn vacuum_collect(
        &self,
        tx: &Transaction,
        file: FileId,
    ) -> Result<(DeadTids, VacuumReport), HeapError>;
    /// See [`crate::vacuum_finish`].
    fn vacuum_finish(
        &self,
        tx: &Transaction,
        file: FileId,
        dead: &DeadTids,
    ) -> Result<(), HeapError>;
    /// See [`crate::vacuum_truncate`].
    fn vacuum_truncate(
        &self,
        tx: &Transaction,
        file: FileId,
        table: LockTarget,
    ) -> Result<u32, HeapError>;
    /// See [`crate::all_visible`].
    fn all_visible(
        &self,
        file: FileId,
        tids: &[Tid],
        reads: Option<&Reads>,
        seen: &mut Vec<bool>,
    ) -> Result<(), HeapError>;
    /// See [`crate::count_all_visible`].
    fn count_all_visible(&self, file: FileId) -> Result<u32, HeapError>;
    /// See [`crate::check`].
    fn check(&self, file: FileId) -> Result<CheckReport, HeapError>;
}
