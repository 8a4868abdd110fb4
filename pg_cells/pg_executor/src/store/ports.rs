//! [`PortStore`]: the row store of the running system.

use super::{Changed, Cursor, EntryBatch, RowBatch, RowBuf, RowStore, Tid, WaitPolicy};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_btree_port::{FileId, Inserted};
use pg_buffer_port::Fork;
use pg_catalog_port::CATALOG;
use pg_executor_port::SharedTransaction;
use pg_executor_port::errors::{heap_error, index_error, port_error, txn_error};
use pg_heap_port::{Liveness, LockOutcome, RowLock, UpdateOutcome};
use pg_plan::{LockStrength, Relation};
use pg_txn_port::{Isolation, LockMode, Snapshot, TxnError};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

/// Tables and indexes through their ports, for one statement of a transaction.
pub struct PortStore<'a, 't> {
    tx: &'a SharedTransaction<'t>,
    snapshot: Arc<Snapshot>,
    /// The statement's snapshot while another one is in use.
    put_aside: Option<Arc<Snapshot>>,
}

/// The file that holds a relation's rows or entries.
#[must_use]
pub fn main(file: u32) -> FileId {
    FileId::new(file, Fork::Main)
}

fn lock_of(strength: LockStrength) -> RowLock {
    match strength {
        LockStrength::KeyShare => RowLock::KeyShare,
        LockStrength::Share => RowLock::Share,
        LockStrength::NoKeyUpdate => RowLock::NoKeyUpdate,
        LockStrength::Update => RowLock::Update,
    }
}

fn changed(outcome: UpdateOutcome) -> Changed {
    match outcome {
        UpdateOutcome::Updated { tid, hot } => Changed::Done { tid, hot },
        UpdateOutcome::SelfModified => Changed::SelfModified,
        UpdateOutcome::Concurrent { newest } => Changed::Concurrent { newest },
        UpdateOutcome::Deleted => Changed::Deleted,
    }
}

impl<'a, 't> PortStore<'a, 't> {
    /// A store that reads under `snapshot`.
    #[must_use]
    pub fn new(tx: &'a SharedTransaction<'t>, snapshot: Arc<Snapshot>) -> Self {
        PortStore {
            tx,
            snapshot,
            put_aside: None,
        }
    }

    /// The snapshot it reads under now.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}

impl RowStore for PortStore<'_, '_> {
    fn blocks(&mut self, file: u32) -> SqlResult<u32> {
        if let Some(reads) = self.snapshot.reads() {
            reads.file(main(file).0).map_err(txn_error)?;
        }
        pg_heap_port::blocks(main(file)).map_err(heap_error)
    }

    fn scan_block(&mut self, file: u32, block: u32, batch: &mut RowBatch) -> SqlResult<()> {
        pg_heap_port::scan_block(&self.snapshot, main(file), block, batch).map_err(heap_error)
    }

    fn scan_roots(
        &mut self,
        file: u32,
        block: u32,
        batch: &mut RowBatch,
        roots: &mut Vec<u16>,
    ) -> SqlResult<()> {
        self.scan_block(file, block, batch)?;
        let mut of_slots = Vec::new();
        pg_heap_port::roots(main(file), block, &mut of_slots).map_err(heap_error)?;
        let root = |tid: Tid| of_slots.get(usize::from(tid.slot)).copied().unwrap_or(0);
        roots.clear();
        roots.extend(batch.iter().map(|(tid, _)| root(tid)));
        match roots.contains(&0) {
            false => Ok(()),
            true => Err(SqlError::new(
                SqlState::DATA_CORRUPTED,
                format!("a row in block {block} of file {file} belongs to no chain"),
            )),
        }
    }

    fn fetch(&mut self, file: u32, root: Tid, row: &mut RowBuf) -> SqlResult<Option<Tid>> {
        pg_heap_port::fetch(&self.snapshot, main(file), root, row).map_err(heap_error)
    }

    fn fetch_latest(&mut self, file: u32, root: Tid, row: &mut RowBuf) -> SqlResult<Option<Tid>> {
        let latest = self.tx.borrow_mut().latest_snapshot().map_err(txn_error)?;
        pg_heap_port::fetch(&latest, main(file), root, row).map_err(heap_error)
    }

    fn fetch_version(&mut self, file: u32, tid: Tid, row: &mut RowBuf) -> SqlResult<bool> {
        pg_heap_port::fetch_any(main(file), tid, row).map_err(heap_error)
    }

    fn require_seen(&mut self, file: u32, root: Tid, version: Option<Tid>) -> SqlResult<()> {
        if self.tx.borrow().isolation() == Isolation::ReadCommitted {
            return Ok(());
        }
        let own = self
            .tx
            .borrow_mut()
            .snapshot_with_own()
            .map_err(txn_error)?;
        let seen = pg_heap_port::fetch(&own, main(file), root, &mut RowBuf::new());
        let seen = seen.map_err(heap_error)?;
        match seen.is_some() && version.is_none_or(|v| seen == Some(v)) {
            true => Ok(()),
            false => Err(txn_error(TxnError::Serialization)),
        }
    }

    fn refresh(&mut self) -> SqlResult<()> {
        self.tx.borrow_mut().start_command().map_err(txn_error)?;
        self.snapshot = self.tx.borrow_mut().snapshot().map_err(txn_error)?;
        Ok(())
    }

    fn look_now(&mut self, on: bool) -> SqlResult<()> {
        if on {
            let latest = self.tx.borrow_mut().latest_snapshot().map_err(txn_error)?;
            let own = core::mem::replace(&mut self.snapshot, latest);
            self.put_aside.get_or_insert(own);
        } else if let Some(own) = self.put_aside.take() {
            self.snapshot = own;
        }
        Ok(())
    }

    fn relation(&mut self, oid: Oid, write: bool) -> SqlResult<Option<Arc<Relation>>> {
        let mode = match write {
            true => LockMode::RowExclusive,
            false => LockMode::RowShare,
        };
        let mut tx = self.tx.borrow_mut();
        tx.lock_relation(oid, mode).map_err(txn_error)?;
        let catalog = CATALOG.enter().map_err(port_error)?;
        catalog.relation_by_oid(&mut tx, oid)
    }

    fn virtual_rows(&mut self, relation: &Relation) -> SqlResult<Vec<Vec<Datum>>> {
        let catalog = CATALOG.enter().map_err(port_error)?;
        catalog.virtual_rows(&mut self.tx.borrow_mut(), relation)
    }

    fn insert(&mut self, file: u32, row: &[u8]) -> SqlResult<Tid> {
        pg_heap_port::insert(&mut self.tx.borrow_mut(), main(file), row).map_err(heap_error)
    }

    fn insert_many(&mut self, file: u32, rows: &[&[u8]], tids: &mut Vec<Tid>) -> SqlResult<()> {
        pg_heap_port::insert_many(&mut self.tx.borrow_mut(), main(file), rows, tids)
            .map_err(heap_error)
    }

    fn update(&mut self, file: u32, tid: Tid, row: &[u8], keep_keys: bool) -> SqlResult<Changed> {
        pg_heap_port::update(&mut self.tx.borrow_mut(), main(file), tid, row, keep_keys)
            .map(changed)
            .map_err(heap_error)
    }

    fn delete(&mut self, file: u32, tid: Tid) -> SqlResult<Changed> {
        pg_heap_port::delete(&mut self.tx.borrow_mut(), main(file), tid)
            .map(changed)
            .map_err(heap_error)
    }

    fn lock_row(
        &mut self,
        file: u32,
        tid: Tid,
        strength: LockStrength,
        policy: WaitPolicy,
    ) -> SqlResult<Changed> {
        let outcome = pg_heap_port::lock_row(
            &mut self.tx.borrow_mut(),
            main(file),
            tid,
            lock_of(strength),
            policy,
        )
        .map_err(heap_error)?;
        Ok(match outcome {
            LockOutcome::Locked => Changed::Done { tid, hot: false },
            LockOutcome::Skipped => Changed::Skipped,
            LockOutcome::SelfModified => Changed::SelfModified,
            LockOutcome::Concurrent { newest } => Changed::Concurrent { newest },
            LockOutcome::Deleted => Changed::Deleted,
        })
    }

    fn index_batch(
        &mut self,
        index: u32,
        cursor: &mut Cursor,
        batch: &mut EntryBatch,
    ) -> SqlResult<bool> {
        if let (Some(reads), None) = (self.snapshot.reads(), &cursor.reads) {
            cursor.reads = Some(reads.clone());
        }
        pg_btree_port::next_batch(main(index), cursor, batch).map_err(index_error)
    }

    fn index_gone(
        &mut self,
        index: u32,
        table: u32,
        batch: &EntryBatch,
        gone: &[Tid],
    ) -> SqlResult<()> {
        pg_btree_port::kill(main(index), main(table), batch, gone).map_err(index_error)
    }

    fn is_live(&mut self, file: u32, root: Tid) -> SqlResult<bool> {
        loop {
            let live = pg_heap_port::liveness(&self.tx.borrow(), main(file), root);
            match live.map_err(heap_error)? {
                Liveness::Live => return Ok(true),
                Liveness::Dead => return Ok(false),
                Liveness::InProgress(xid) => {
                    self.tx.borrow().wait_for(xid).map_err(txn_error)?;
                }
            }
        }
    }

    fn index_insert(
        &mut self,
        index: u32,
        table: u32,
        key: &[u8],
        tid: Tid,
        alone: Option<usize>,
    ) -> SqlResult<Option<Tid>> {
        let done = pg_btree_port::insert_alone(
            &mut self.tx.borrow_mut(),
            main(index),
            main(table),
            key,
            tid,
            alone,
        )
        .map_err(index_error)?;
        Ok(match done {
            Inserted::Done => None,
            Inserted::Duplicate(other) => Some(other),
        })
    }

    fn index_rows(
        &mut self,
        index: u32,
        table: u32,
        key: &[u8],
        most: usize,
    ) -> SqlResult<Vec<Tid>> {
        let (mut batch, mut rows) = (EntryBatch::new(), Vec::new());
        'again: loop {
            rows.clear();
            let mut cursor = Cursor::prefix(key.to_vec(), false);
            while pg_btree_port::next_batch(main(index), &mut cursor, &mut batch)
                .map_err(index_error)?
            {
                for &tid in &batch.tids {
                    match pg_heap_port::liveness(&self.tx.borrow(), main(table), tid)
                        .map_err(heap_error)?
                    {
                        Liveness::Live => {
                            rows.push(tid);
                            if rows.len() >= most {
                                return Ok(rows);
                            }
                        }
                        Liveness::Dead => {}
                        Liveness::InProgress(xid) => {
                            self.tx.borrow().wait_for(xid).map_err(txn_error)?;
                            continue 'again;
                        }
                    }
                }
            }
            return Ok(rows);
        }
    }
}
