//! What the steps of short transactions cost, on the host: nanoseconds a call.
//! `cargo run --release -p rows --example row_cost`

use pg_btree_port::{Cursor, EntryBatch};
use pg_buffer_port::FileId;
use pg_heap_port::{RowBatch, RowBuf, Tid, UpdateOutcome};
use pg_txn_port::LockMode;
use rows::*;
use std::time::Instant;

const ROWS: u32 = 40_000;

#[inline(never)]
fn measure(what: &str, times: u32, mut body: impl FnMut(u32)) {
    let start = Instant::now();
    (0..times).for_each(&mut body);
    let each = start.elapsed().as_nanos() / u128::from(times.max(1));
    println!("{what:44} {each:>8} ns");
}

fn row(id: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &[7; 90]].concat()
}

fn main() {
    let _db = Db::with(1 << 30, "buffers=256M log_size=128M");
    let (table, index) = (create_table(100), create_index(101));
    let tids = fill(table, index);
    reads(table, index, &tids);
    changes(table, index, &tids);
}

/// Loads the table, and answers where its rows are.
fn fill(table: FileId, index: FileId) -> Vec<Tid> {
    let mut tx = begin();
    look(&mut tx);
    let mut tids = Vec::new();
    let rows: Vec<Vec<u8>> = (0..ROWS).map(row).collect();
    let slices: Vec<&[u8]> = rows.iter().map(|r| &r[..]).collect();
    let start = Instant::now();
    pg_heap_port::insert_many(&mut tx, table, &slices, &mut tids).expect("rows");
    println!(
        "{:44} {:>8} ns",
        "insert_many, a row",
        start.elapsed().as_nanos() / u128::from(ROWS)
    );
    measure("index insert, ascending", ROWS, |n| {
        add_entry(&mut tx, index, &n.to_be_bytes(), tids[n as usize]);
    });
    tx.commit().expect("committed");
    tids
}

fn reads(table: FileId, index: FileId, tids: &[Tid]) {
    measure("begin, lock, snapshot, commit (reader)", ROWS, |_| {
        let mut tx = begin();
        tx.lock_relation(100, LockMode::AccessShare)
            .expect("a lock");
        look(&mut tx);
        tx.commit().expect("committed");
    });
    let mut tx = begin();
    let snapshot = look(&mut tx);
    let mut batch = RowBatch::new();
    let blocks = pg_heap_port::blocks(table).expect("blocks");
    for round in ["scan, a page, hints missing", "scan, a page"] {
        measure(round, blocks, |block| {
            pg_heap_port::scan_block(&snapshot, table, block, &mut batch).expect("a page");
        });
    }
    let mut buf = RowBuf::new();
    let mut random = Random::new(1);
    measure("fetch by tid", ROWS, |_| {
        let tid = tids[random.below(u64::from(ROWS)) as usize];
        let found = pg_heap_port::fetch(&snapshot, table, tid, &mut buf).expect("a row");
        assert!(found.is_some());
    });
    let mut entries = EntryBatch::new();
    measure("index lookup", ROWS, |_| {
        let id = random.below(u64::from(ROWS)) as u32;
        let mut cursor = Cursor::point(id.to_be_bytes().to_vec());
        pg_btree_port::next_batch(index, &mut cursor, &mut entries).expect("an entry");
        assert_eq!(entries.len(), 1);
    });
}

fn changes(table: FileId, index: FileId, tids: &[Tid]) {
    let (mut buf, mut random) = (RowBuf::new(), Random::new(2));
    let mut tx = begin();
    let mut change = |id: usize, n: u32| {
        let snapshot = look(&mut tx);
        let found = pg_heap_port::fetch(&snapshot, table, tids[id], &mut buf).expect("a row");
        let Some(tid) = found else { return };
        let done = pg_heap_port::update(&mut tx, table, tid, &buf.bytes, true).expect("updated");
        assert!(matches!(done, UpdateOutcome::Updated { .. }));
        if n.is_multiple_of(1024) {
            std::mem::replace(&mut tx, begin())
                .commit()
                .expect("committed");
        }
    };
    measure("command, fetch, update of random rows", 20_000, |n| {
        change(random.below(u64::from(ROWS) - 80) as usize, n);
    });
    measure("command, fetch, update of one row", 20_000, |n| {
        change(ROWS as usize - 1, n)
    });
    tx.commit().expect("committed");
    measure("begin, insert, commit", 20_000, |n| {
        let mut tx = begin();
        look(&mut tx);
        pg_heap_port::insert(&mut tx, table, &row(n)).expect("a row");
        tx.commit().expect("committed");
    });
    let mut tx = begin();
    look(&mut tx);
    measure("insert", ROWS, |n| {
        pg_heap_port::insert(&mut tx, table, &row(n)).expect("a row");
    });
    measure("index insert, random", ROWS, |n| {
        let key = (random.next_u64() as u32).to_be_bytes();
        add_entry(&mut tx, index, &key, tids[n as usize]);
    });
    tx.commit().expect("committed");
}
