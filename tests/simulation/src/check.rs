//! What must hold when nothing is going on: after a start, and after a life.

use crate::txn::Txn;
use crate::work::{drop_files, make_files};
use crate::world::{CATALOG, FIRST_TABLE, Stop, Table, World, lock};
use crate::{log, must, row, say};
use pg_btree_port::{Cursor, EntryBatch};
use pg_buffer_port::FileId;
use pg_heap_port::RowBuf;
use pg_txn_port::{LockMode, TXN};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::atomic::Ordering;

/// Everything is as the model says; what was not known is known now. Files that
/// belong to nothing are removed, as a database does at its start.
///
/// # Errors
/// The system's.
pub fn everything(world: &World) -> Result<(), Stop> {
    let files = pg_buffer_port::files()?;
    let exists = |file: FileId| files.iter().any(|(f, _)| *f == file);
    if !exists(CATALOG.by_group()) || pg_buffer_port::blocks(CATALOG.by_group())? == 0 {
        // The very first start was cut short: nothing can have been committed.
        must!(lock(&world.model).commits == 0, "the catalog is gone");
        drop_files(CATALOG)?;
        make_files(CATALOG)?;
        let end = pg_wal_port::insert_position();
        pg_wal_port::flush(end).map_err(Stop::Log)?;
    }
    let mut txn = Txn::begin(world, true)?;
    let catalog = txn.scan(CATALOG)?;
    let tables: Vec<Table> = catalog.keys().map(|id| Table(*id)).collect();
    for table in tables.iter().copied().chain([CATALOG]) {
        for file in table.files() {
            must!(
                exists(file) || table == CATALOG,
                "{file:?} of {table:?} is missing"
            );
        }
        sound(&mut txn, table)?;
    }
    txn.settle();
    drop(txn);
    say!("tables {tables:?}");
    let exists = |table: u32| tables.contains(&Table(table)) || table == CATALOG.0;
    lock(&world.model).retain(exists);
    let highest = files.iter().map(|(f, _)| u64::from(f.relation())).max();
    let next = highest.unwrap_or(0).max(FIRST_TABLE) / 4 * 4 + 4;
    world.next_table.store(next, Ordering::SeqCst);
    *lock(&world.tables) = tables;
    remove_orphans(world)?;
    extents()
}

/// A table and its indexes agree with the model, and with each other.
fn sound(txn: &mut Txn<'_>, table: Table) -> Result<(), Stop> {
    let rows = txn.scan(table)?;
    let report = pg_heap_port::check(table.heap())?;
    must!(report.is_clean(), "{table:?}: {:?}", report.findings);
    for (index, by_id) in [(table.by_id(), true), (table.by_group(), false)] {
        let report = pg_btree_port::check(index)?;
        must!(report.is_clean(), "index {index:?}: {:?}", report.findings);
        let snapshot = txn.tx.snapshot()?;
        let cursor = Cursor::new(Bound::Unbounded, Bound::Unbounded, false);
        let mut cursor = cursor.index_only(table.heap());
        let (mut batch, mut buffer) = (EntryBatch::new(), RowBuf::new());
        let mut ids = BTreeSet::new();
        while pg_btree_port::next_batch(index, &mut cursor, &mut batch)? {
            for (at, tid) in batch.tids.iter().enumerate() {
                let seen = pg_heap_port::fetch(&snapshot, table.heap(), *tid, &mut buffer)?;
                let said = batch.all_visible.get(at) == Some(&true);
                must!(
                    seen.is_some() || !said,
                    "index {index:?}: not everyone sees {tid}"
                );
                if seen.is_none() {
                    continue;
                }
                let bytes = &buffer.bytes;
                let key = match by_id {
                    true => row::id_key(row::id(bytes)),
                    false => row::group_key(row::group(bytes)),
                };
                must!(
                    batch.key(at) == Some(&key[..]),
                    "index {index:?}: {tid} leads to a row of another key"
                );
                let new = ids.insert(row::id(bytes));
                must!(new, "index {index:?}: row {} twice", row::id(bytes));
            }
        }
        must!(
            ids.iter().eq(rows.keys()),
            "index {index:?} leads to {ids:?}, the table has {:?}",
            rows.keys()
        );
    }
    Ok(())
}

/// Files of tables that no catalog row names.
fn remove_orphans(world: &World) -> Result<(), Stop> {
    let known: BTreeSet<FileId> = {
        let tables = lock(&world.tables);
        let all = tables.iter().copied().chain([CATALOG]);
        all.flat_map(Table::all_files).collect()
    };
    for (file, _) in pg_buffer_port::files()? {
        let own = file == pg_txn_port::commit_log::CONTROL_FILE
            || file == pg_txn_port::commit_log::COMMIT_LOG_FILE;
        if !own && !known.contains(&file) {
            say!("orphan {file:?}");
            let mut mtx = pg_buffer_port::MiniTx::begin(0);
            pg_buffer_port::drop_file(&mut mtx, file)?;
            mtx.commit()?;
        }
    }
    Ok(())
}

/// Every extent belongs to a file that exists, or is free.
fn extents() -> Result<(), Stop> {
    let pages = pg_wal_port::superblock().map_or(1, |s| s.extent_pages);
    let used: u64 = pg_buffer_port::files()?
        .iter()
        .map(|(_, blocks)| u64::from(blocks.div_ceil(pages).max(1)))
        .sum();
    let stats = pg_buffer_port::stats()?;
    must!(
        used + stats.free_extents == stats.extents,
        "{used} extents in use, {} free, {} in all",
        stats.free_extents,
        stats.extents
    );
    Ok(())
}

/// What serializable transactions have seen fits one order of them.
pub fn serializable(world: &World) {
    let mut model = lock(&world.model);
    let seen = std::mem::take(&mut model.serial);
    if let Some(cycle) = crate::serial::cycle(&model, &seen) {
        let saw: Vec<_> = cycle.iter().map(|no| (no, seen.get(no))).collect();
        log::fail(format_args!(
            "a cycle of serializable transactions: {saw:?}"
        ));
    }
}

/// Nobody holds anything any more: pages, locks, ids.
pub fn at_rest(world: &World) {
    let unpinned = || pg_buffer_port::pins().is_ok_and(|pins| pins == 0);
    if !world.await_rest(unpinned) {
        let pins = pg_buffer_port::pins();
        log::fail(format_args!("pins at rest: {pins:?}"));
    }
    let unknown = lock(&world.model).has_unknown();
    if unknown {
        // Their locks and ids stay until the next start.
        return;
    }
    match TXN.enter() {
        Ok(manager) => {
            let (horizon, next) = (manager.horizon(), manager.next_xid());
            must!(horizon == next, "ids run at rest: {horizon:?} of {next:?}");
        }
        Err(error) => log::fail(format_args!("{error:?}")),
    }
    let Ok(mut txn) = Txn::begin(world, false) else {
        return;
    };
    for table in lock(&world.tables).iter().chain([&CATALOG]) {
        let free = txn.tx.try_lock_relation(table.0, LockMode::AccessExclusive);
        must!(free.is_ok(), "{table:?} is locked at rest: {free:?}");
    }
}
