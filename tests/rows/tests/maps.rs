//! The maps of a table: what they say survives, is never too much, and saves work.

use pg_btree_port::{Cursor, EntryBatch};
use pg_buffer_port::{MiniTx, PageId};
use pg_heap_port::{RowBuf, Tid, VacuumReport};
use pg_page::maps::{free_space, visibility};
use pg_txn_port::{LockMode, LockTarget, Snapshot, TxnError};
use rows::*;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::thread;
use std::time::Duration;

const TABLE: u32 = 100;

fn vacuum(table: FileId, indexes: &[FileId]) -> VacuumReport {
    let mut tx = begin();
    tx.lock_relation(TABLE, LockMode::ShareUpdateExclusive)
        .unwrap();
    let (dead, report) = pg_heap_port::vacuum_collect(&tx, table).unwrap();
    for index in indexes {
        pg_btree_port::remove(&tx, *index, &dead).unwrap();
    }
    pg_heap_port::vacuum_finish(&tx, table, &dead).unwrap();
    tx.commit().unwrap();
    report
}

fn truncate(table: FileId) -> u32 {
    let mut tx = begin();
    tx.try_lock_relation(TABLE, LockMode::AccessExclusive)
        .unwrap();
    let cut = pg_heap_port::vacuum_truncate(&tx, table, LockTarget::relation(TABLE)).unwrap();
    tx.commit().unwrap();
    cut
}

/// Adds rows `ids` with `len` bytes each.
fn fill(table: FileId, index: FileId, ids: core::ops::Range<u32>, len: usize) -> Vec<Tid> {
    let mut tx = begin();
    look(&mut tx);
    let rows: Vec<Vec<u8>> = ids
        .map(|id| {
            let mut row = id.to_be_bytes().to_vec();
            row.resize(len, 1);
            row
        })
        .collect();
    let rows: Vec<&[u8]> = rows.iter().map(|r| &r[..]).collect();
    let mut tids = Vec::new();
    pg_heap_port::insert_many(&mut tx, table, &rows, &mut tids).unwrap();
    for (row, tid) in rows.iter().zip(&tids) {
        add_entry(&mut tx, index, &row[..4], *tid);
    }
    tx.commit().unwrap();
    tids
}

fn delete(table: FileId, tids: &[Tid]) {
    let mut tx = begin();
    look(&mut tx);
    for tid in tids {
        pg_heap_port::delete(&mut tx, table, *tid).unwrap();
    }
    tx.commit().unwrap();
}

/// The keys that a scan of the index alone gives, and how often it had to look at
/// the table.
fn index_only(snapshot: &Snapshot, index: FileId, table: FileId) -> (Vec<u32>, usize) {
    let cursor = Cursor::new(Bound::Unbounded, Bound::Unbounded, false);
    let mut cursor = cursor.index_only(table);
    cursor.reads = snapshot.reads().cloned();
    let (mut batch, mut row) = (EntryBatch::new(), RowBuf::new());
    let (mut keys, mut looks) = (Vec::new(), 0);
    while pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap() {
        assert_eq!(batch.all_visible.len(), batch.len());
        for at in 0..batch.len() {
            let key = u32::from_be_bytes(batch.key(at).unwrap().try_into().unwrap());
            let seen = batch.all_visible[at] || {
                looks += 1;
                let found = pg_heap_port::fetch(snapshot, table, batch.tids[at], &mut row);
                found.unwrap().is_some()
            };
            if seen {
                keys.push(key);
            }
        }
    }
    (keys, looks)
}

fn marked(table: FileId) -> u32 {
    pg_heap_port::count_all_visible(table).unwrap()
}

#[test]
fn a_change_takes_the_mark_and_a_lock_does_not() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let tids = fill(table, index, 0..400, 200);
    let pages = pg_heap_port::blocks(table).unwrap();
    assert_eq!(marked(table), 0);
    assert_eq!(index_only(&look(&mut begin()), index, table).1, 400);
    vacuum(table, &[index]);
    assert_eq!(marked(table), pages);
    let (keys, looks) = index_only(&look(&mut begin()), index, table);
    assert_eq!((keys, looks), ((0..400).collect(), 0));
    check_heap(table);

    let mut tx = begin();
    look(&mut tx);
    let on = |block: u32| *tids.iter().find(|t| t.block == block).unwrap();
    let (lock, wait) = (
        pg_heap_port::RowLock::Update,
        pg_heap_port::WaitPolicy::Wait,
    );
    pg_heap_port::lock_row(&mut tx, table, on(0), lock, wait).unwrap();
    assert_eq!(marked(table), pages);
    pg_heap_port::delete(&mut tx, table, on(1)).unwrap();
    assert_eq!(marked(table), pages - 1);
    let mut row = RowBuf::new();
    let snapshot = tx.snapshot().unwrap();
    pg_heap_port::fetch(&snapshot, table, on(2), &mut row).unwrap();
    pg_heap_port::update(&mut tx, table, on(2), &row.bytes, false).unwrap();
    // The new version lies on a page that had room.
    assert!(marked(table) <= pages - 2);
    // A mark is no part of the transaction: taken away before it has committed,
    // and not given back when it is rolled back.
    let before = marked(table);
    tx.rollback();
    assert_eq!(marked(table), before);
    check_heap(table);
    let (keys, looks) = index_only(&look(&mut begin()), index, table);
    assert_eq!(keys, (0..400).collect::<Vec<_>>());
    assert!(looks > 0 && looks < 400);
    vacuum(table, &[index]);
    assert_eq!(marked(table), pg_heap_port::blocks(table).unwrap());
}

#[test]
fn rows_that_a_snapshot_does_not_see_keep_their_page_unmarked() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let mut old = begin_repeatable();
    let before = look(&mut old);
    let mut writer = begin();
    look(&mut writer);
    // An id that runs: the snapshot's horizon stays below.
    let first = pg_heap_port::insert(&mut writer, table, &7u32.to_be_bytes()).unwrap();
    add_entry(&mut writer, index, &7u32.to_be_bytes(), first);
    vacuum(table, &[index]);
    assert_eq!(marked(table), 0, "its maker runs");
    writer.commit().unwrap();
    vacuum(table, &[index]);
    assert_eq!(marked(table), 0, "somebody does not see it");
    assert_eq!(index_only(&before, index, table).0, []);
    old.rollback();
    vacuum(table, &[index]);
    assert_eq!(marked(table), 1);

    // A deleted row that somebody still sees.
    let mut old = begin_repeatable();
    let before = look(&mut old);
    delete(table, &[first]);
    vacuum(table, &[index]);
    assert_eq!(marked(table), 0);
    assert_eq!(index_only(&before, index, table).0, [7]);
    assert_eq!(index_only(&look(&mut begin()), index, table).0, []);
}

#[test]
fn a_vacuum_passes_over_what_everyone_sees() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let tids = fill(table, index, 0..4000, 200);
    let pages = pg_heap_port::blocks(table).unwrap();
    assert!(pages > 80, "{pages} pages");
    let first = vacuum(table, &[index]);
    assert_eq!((first.skipped, first.live), (0, 4000));
    // All but the last page.
    let second = vacuum(table, &[index]);
    assert_eq!(second.skipped, pages - 1);
    assert_eq!(second.in_use, pages);
    assert!((3800..4200).contains(&second.live), "{}", second.live);
    // A change in the middle is found.
    delete(table, &[tids[2000]]);
    let third = vacuum(table, &[index]);
    assert_eq!(third.skipped, pages - 2);
    assert_eq!(third.removed, 1);
    assert_eq!(check_index(index), 3999);
    assert_eq!(marked(table), pages);
}

#[test]
fn room_is_found_after_a_start_and_by_many_at_once() {
    let _alone = alone();
    let db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let tids = fill(table, index, 0..4000, 200);
    let pages = pg_heap_port::blocks(table).unwrap();
    // Every second page is emptied.
    let gone: Vec<Tid> = tids.iter().copied().filter(|t| t.block % 2 == 0).collect();
    delete(table, &gone);
    vacuum(table, &[index]);
    pg_wal_port::flush(pg_wal_port::insert_position()).unwrap();
    let _db = db.power_cut(1).unwrap();
    let rows = gone.len() as u32 / 4;
    thread::scope(|scope| {
        for who in 1..=4 {
            scope.spawn(move || {
                fill(
                    table,
                    index,
                    who * 10_000..who * 10_000 + rows * 9 / 10,
                    200,
                )
            });
        }
    });
    assert_eq!(
        pg_heap_port::blocks(table).unwrap(),
        pages,
        "the room was used"
    );
    let count = contents(&look(&mut begin()), table).len() as u32;
    assert_eq!(count, 4000 - gone.len() as u32 + 4 * (rows * 9 / 10));
    check_heap(table);
}

#[test]
fn a_map_that_promises_too_much_is_corrected() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    fill(table, index, 0..2000, 200);
    let pages = pg_heap_port::blocks(table).unwrap();
    vacuum(table, &[index]);
    // The map of another life: everything is free.
    let map = FileId::new(TABLE, Fork::FreeSpace);
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PageId::new(map, 0)).unwrap();
    for block in 0..pages {
        mtx.write(slot, free_space::place(block).1, &[255]);
    }
    mtx.commit().unwrap();
    swap(&pg_heap::CELL);
    for n in 0..pages {
        fill(table, index, 10_000 + n * 100..10_000 + n * 100 + 100, 200);
    }
    let page = pg_buffer_port::read_page(PageId::new(map, 0)).unwrap();
    let wrong = (0..pages).filter(|b| page[free_space::place(*b).1] == 255);
    assert_eq!(wrong.count(), 0);
    drop(page);
    let count = contents(&look(&mut begin()), table).len() as u32;
    assert_eq!(count, 2000 + pages * 100);
}

#[test]
fn empty_pages_at_the_end_are_cut_off_and_the_maps_with_them() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let tids = fill(table, index, 0..4000, 200);
    let pages = pg_heap_port::blocks(table).unwrap();
    vacuum(table, &[index]);
    let keep = pages / 3;
    let gone: Vec<Tid> = tids.iter().copied().filter(|t| t.block >= keep).collect();
    delete(table, &gone);
    let report = vacuum(table, &[index]);
    assert_eq!(report.in_use, keep);
    // They are still to be cut off when another vacuum passes over them.
    let report = vacuum(table, &[index]);
    assert_eq!((report.in_use, report.skipped), (keep, pages - 1));
    assert_eq!(truncate(table), pages - keep);
    assert_eq!(pg_heap_port::blocks(table).unwrap(), keep);
    assert_eq!(marked(table), keep);
    check_heap(table);
    // The pages that come again are not marked, and their rows are looked at.
    let mut writer = begin();
    look(&mut writer);
    let mut added = 0;
    while pg_heap_port::blocks(table).unwrap() <= keep + 2 {
        let id = 50_000u32 + added;
        let mut row = id.to_be_bytes().to_vec();
        row.resize(200, 2);
        let tid = pg_heap_port::insert(&mut writer, table, &row).unwrap();
        add_entry(&mut writer, index, &id.to_be_bytes(), tid);
        added += 1;
    }
    let (keys, _) = index_only(&look(&mut begin()), index, table);
    assert_eq!(keys.len(), 4000 - gone.len());
    writer.commit().unwrap();
    let (keys, _) = index_only(&look(&mut begin()), index, table);
    assert_eq!(keys.len(), 4000 - gone.len() + added as usize);
    assert_eq!(truncate(table), 0);
    check_heap(table);
}

#[test]
fn who_cuts_a_table_gives_way() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let tids = fill(table, index, 0..4000, 200);
    delete(table, &tids);
    vacuum(table, &[index]);
    let mut tx = begin();
    tx.try_lock_relation(TABLE, LockMode::AccessExclusive)
        .unwrap();
    let target = LockTarget::relation(TABLE);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut tx = begin();
            tx.lock_relation(TABLE, LockMode::AccessShare)
        });
        while !tx.is_waited_for(target).unwrap() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(pg_heap_port::vacuum_truncate(&tx, table, target), Ok(0));
        tx.unlock(target, LockMode::AccessExclusive).unwrap();
        assert_eq!(reader.join().unwrap(), Ok(()));
    });
    let mut reader = begin();
    reader.lock_relation(TABLE, LockMode::AccessShare).unwrap();
    let refused = tx.try_lock_relation(TABLE, LockMode::AccessExclusive);
    assert_eq!(refused, Err(TxnError::LockNotAvailable));
    drop(reader);
    assert!(truncate(table) > 0);
    assert_eq!(pg_heap_port::blocks(table).unwrap(), 0);
}

/// What a slot held before must not be seen through an entry that was read before
/// the slot was given to another row.
#[test]
fn a_scan_that_stands_still_sees_no_other_row() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let tids = fill(table, index, 0..2000, 200);
    delete(table, &tids[..1000]);
    let mut tx = begin_repeatable();
    let snapshot = look(&mut tx);
    let cursor = Cursor::new(Bound::Unbounded, Bound::Unbounded, false);
    let mut cursor = cursor.index_only(table);
    let mut batch = EntryBatch::new();
    assert!(pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap());
    assert!(batch.all_visible.iter().all(|seen| !seen));
    // The entries in hand lead to rows that go now, and their pages are marked.
    vacuum(table, &[index]);
    assert_eq!(marked(table), pg_heap_port::blocks(table).unwrap());
    let mut row = RowBuf::new();
    for (at, tid) in batch.tids.iter().enumerate() {
        let seen = pg_heap_port::fetch(&snapshot, table, *tid, &mut row).unwrap();
        assert_eq!(seen, None, "entry {at}");
    }
}

/// Writers, a vacuum and readers of the index alone: each reader sees each row once.
#[test]
fn readers_of_the_index_alone_see_each_row_once() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    let all: BTreeSet<u32> = (0..300).collect();
    fill(table, index, 0..300, 300);
    let until = task_port::now() + 2_000_000_000;
    let fetched = thread::scope(|scope| {
        for who in 0..2u64 {
            scope.spawn(move || {
                let mut random = Random::new(who);
                while task_port::now() < until {
                    move_row(table, index, random.below(300) as u32);
                }
            });
        }
        scope.spawn(move || {
            while task_port::now() < until {
                vacuum(table, &[index]);
            }
        });
        let reader = scope.spawn(|| {
            let (mut scans, mut saved) = (0, 0);
            while task_port::now() < until {
                let mut tx = begin_repeatable();
                let (keys, looks) = index_only(&look(&mut tx), index, table);
                assert_eq!(keys.len(), 300);
                assert!(all.iter().eq(keys.iter()));
                scans += 1;
                saved += usize::from(looks < 300);
            }
            (scans, saved)
        });
        reader.join().unwrap()
    });
    assert!(fetched.0 > 10 && fetched.1 > 0, "{fetched:?}");
    check_heap(table);
    check_index(index);
}

/// Gives a row a new version with an entry of its own.
fn move_row(table: FileId, index: FileId, id: u32) {
    let mut tx = begin();
    tx.set_lock_timeout(1);
    let snapshot = look(&mut tx);
    let found = lookup(&snapshot, index, table, &id.to_be_bytes());
    assert_eq!(found.len(), 1);
    let (tid, row) = &found[0];
    match pg_heap_port::update(&mut tx, table, *tid, row, false) {
        Ok(pg_heap_port::UpdateOutcome::Updated { tid, .. }) => {
            add_entry(&mut tx, index, &id.to_be_bytes(), tid);
            tx.commit().unwrap();
        }
        _ => tx.rollback(),
    }
}

#[test]
fn the_maps_do_not_reach_beyond_the_table() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(TABLE), create_index(101));
    fill(table, index, 0..400, 200);
    vacuum(table, &[index]);
    let map = FileId::new(TABLE, Fork::Visibility);
    assert_eq!(pg_buffer_port::blocks(map), Ok(1));
    let page = pg_buffer_port::read_page(PageId::new(map, 0)).unwrap();
    let pages = pg_heap_port::blocks(table).unwrap();
    assert!(visibility::is_set(&page, pages - 1) && !visibility::is_set(&page, pages));
    drop(page);
    // A bit too many is found by the check.
    for block in [pages, 40_000] {
        let (_, byte, bit) = visibility::place(block);
        let mut mtx = MiniTx::begin(0);
        let slot = mtx.latch(PageId::new(map, 0)).unwrap();
        let old = mtx.page(slot)[byte];
        mtx.write(slot, byte, &[old | bit]);
        mtx.commit().unwrap();
        let report = pg_heap_port::check(table).unwrap();
        assert_eq!(report.findings.len(), 1, "{block}");
        assert_eq!(report.findings[0].what, pg_heap_port::Fault::AllVisible);
        let mut mtx = MiniTx::begin(0);
        let slot = mtx.latch(PageId::new(map, 0)).unwrap();
        mtx.write(slot, byte, &[old]);
        mtx.commit().unwrap();
    }
    check_heap(table);
}
