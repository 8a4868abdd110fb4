//! The trait behind the port.

use crate::{CheckReport, Cursor, DeadTids, EntryBatch, FileId, IndexError, Inserted, MiniTx, Tid};
use alloc::vec::Vec;
use pg_txn_port::Transaction;
use port::{Component, Port};

/// The door of the indexes.
pub static BTREE: Port<dyn IndexAccess> = Port::new("pg_btree");

/// The index store. The functions of this crate tell what the methods do.
pub trait IndexAccess: Component {
    /// See [`crate::create`].
    ///
    /// # Errors
    /// As there; so for all methods.
    fn create(&self, mtx: &mut MiniTx, file: FileId) -> Result<(), IndexError>;
    /// See [`crate::insert_alone`].
    fn insert(
        &self,
        tx: &mut Transaction,
        file: FileId,
        heap_file: FileId,
        key: &[u8],
        tid: Tid,
        alone: Option<usize>,
    ) -> Result<Inserted, IndexError>;
    /// See [`crate::next_batch`].
    fn next_batch(
        &self,
        file: FileId,
        cursor: &mut Cursor,
        batch: &mut EntryBatch,
    ) -> Result<bool, IndexError>;
    /// See [`crate::kill`].
    fn kill(
        &self,
        file: FileId,
        heap_file: FileId,
        batch: &EntryBatch,
        gone: &[Tid],
    ) -> Result<(), IndexError>;
    /// See [`crate::bulk_build`].
    fn bulk_build(
        &self,
        file: FileId,
        entries: &mut dyn FnMut(&mut Vec<u8>) -> Option<Tid>,
    ) -> Result<u64, IndexError>;
    /// See [`crate::remove`].
    fn remove(&self, tx: &Transaction, file: FileId, dead: &DeadTids) -> Result<u64, IndexError>;
    /// See [`crate::check`].
    fn check(&self, file: FileId) -> Result<CheckReport, IndexError>;
}
