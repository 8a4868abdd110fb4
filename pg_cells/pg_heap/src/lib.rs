//! The row store: versions of rows on slotted pages, after PostgreSQL's heap.
//! `README.md` beside it tells the rules that no single file shows.
//!
//! - `visibility`: which version a snapshot sees
//! - `page`: a heap page's layout, and the changes of one
//! - `read`: fetch, scan, liveness
//! - `serial`: what reading tells of serializable transactions
//! - `insert`, `modify`, `lock`: changes of rows
//! - `verdict`: whether a row may be changed, or who is in the way
//! - `prune`, `vacuum`, `truncate`: getting rid of versions that nobody sees, and
//!   of the pages that they leave
//! - `space`, `free_space`: where the next row goes
//! - `all_visible`: which pages need not be looked at
//! - `map_file`: the files of the two maps
//! - `check`: what must hold on every page
//!
//! Stateless: [`space`] is a memory of where room was, which a new version
//! builds again.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod all_visible;
pub mod check;
mod free_space;
mod insert;
mod lock;
mod map_file;
mod modify;
mod page;
mod prune;
mod read;
mod serial;
mod space;
mod truncate;
mod vacuum;
mod verdict;
mod visibility;

use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_heap_port::{
    CheckReport, DeadTids, FileId, HEAP, HeapAccess, HeapError, Liveness, LockOutcome, RowBatch,
    RowBuf, RowLock, Tid, UpdateOutcome, VacuumReport, WaitPolicy,
};
use pg_txn_port::{LockTarget, Reads, Snapshot, Transaction};
use port::{Birth, BirthError, Component, CrashKind};
use space::Space;

/// What this cell says of itself.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_heap_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&HEAP, Box::new(Heap::default()));
    Ok(())
}

/// The provider.
#[derive(Default)]
struct Heap {
    space: Space,
}

impl Component for Heap {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl HeapAccess for Heap {
    fn insert(&self, tx: &mut Transaction, file: FileId, row: &[u8]) -> Result<Tid, HeapError> {
        insert::insert(&self.space, tx, file, row)
    }

    fn insert_many(
        &self,
        tx: &mut Transaction,
        file: FileId,
        rows: &[&[u8]],
        tids: &mut Vec<Tid>,
    ) -> Result<(), HeapError> {
        insert::insert_many(&self.space, tx, file, rows, tids)
    }

    fn fetch(
        &self,
        snapshot: &Snapshot,
        file: FileId,
        tid: Tid,
        row: &mut RowBuf,
    ) -> Result<Option<Tid>, HeapError> {
        read::fetch(snapshot, file, tid, row)
    }

    fn fetch_exact(
        &self,
        snapshot: &Snapshot,
        file: FileId,
        tid: Tid,
        row: &mut RowBuf,
    ) -> Result<bool, HeapError> {
        read::fetch_exact(snapshot, file, tid, row)
    }

    fn fetch_any(&self, file: FileId, tid: Tid, row: &mut RowBuf) -> Result<bool, HeapError> {
        read::fetch_any(file, tid, row)
    }

    fn scan_block(
        &self,
        snapshot: &Snapshot,
        file: FileId,
        block: u32,
        rows: &mut RowBatch,
    ) -> Result<(), HeapError> {
        read::scan_block(snapshot, file, block, rows)
    }

    fn roots(&self, file: FileId, block: u32, roots: &mut Vec<u16>) -> Result<(), HeapError> {
        read::roots(file, block, roots)
    }

    fn update(
        &self,
        tx: &mut Transaction,
        file: FileId,
        tid: Tid,
        row: &[u8],
        keep_index_keys: bool,
    ) -> Result<UpdateOutcome, HeapError> {
        modify::update(&self.space, tx, file, tid, row, keep_index_keys)
    }

    fn delete(
        &self,
        tx: &mut Transaction,
        file: FileId,
        tid: Tid,
    ) -> Result<UpdateOutcome, HeapError> {
        modify::delete(tx, file, tid)
    }

    fn lock_row(
        &self,
        tx: &mut Transaction,
        file: FileId,
        tid: Tid,
        lock: RowLock,
        policy: WaitPolicy,
    ) -> Result<LockOutcome, HeapError> {
        lock::lock_row(tx, file, tid, lock, policy)
    }

    fn liveness(&self, tx: &Transaction, file: FileId, tid: Tid) -> Result<Liveness, HeapError> {
        read::liveness(tx, file, tid)
    }

    fn find_dead(&self, file: FileId, tids: &[Tid], dead: &mut Vec<Tid>) -> Result<(), HeapError> {
        read::find_dead(file, tids, dead)
    }

    fn prune(&self, file: FileId, block: u32) -> Result<bool, HeapError> {
        vacuum::prune_block(&self.space, file, block)
    }

    fn vacuum_collect(
        &self,
        tx: &Transaction,
        file: FileId,
    ) -> Result<(DeadTids, VacuumReport), HeapError> {
        vacuum::collect(&self.space, tx, file)
    }

    fn vacuum_finish(
        &self,
        tx: &Transaction,
        file: FileId,
        dead: &DeadTids,
    ) -> Result<(), HeapError> {
        vacuum::finish(&self.space, tx, file, dead)
    }

    fn vacuum_truncate(
        &self,
        tx: &Transaction,
        file: FileId,
        table: LockTarget,
    ) -> Result<u32, HeapError> {
        truncate::truncate(&self.space, tx, file, table)
    }

    fn all_visible(
        &self,
        file: FileId,
        tids: &[Tid],
        reads: Option<&Reads>,
        seen: &mut Vec<bool>,
    ) -> Result<(), HeapError> {
        all_visible::look(file, tids, reads, seen)
    }

    fn count_all_visible(&self, file: FileId) -> Result<u32, HeapError> {
        all_visible::count(file)
    }

    fn check(&self, file: FileId) -> Result<CheckReport, HeapError> {
        check::file(file)
    }
}
