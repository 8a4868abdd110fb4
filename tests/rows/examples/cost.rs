//! What the steps of short transactions cost, on the host: nanoseconds a call.
//! `cargo run --release -p rows --example cost`

use pg_btree_port::{Cursor, EntryBatch};
use pg_heap_port::{RowBatch, RowBuf, UpdateOutcome};
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

fn main() {
    let _db = Db::with(1 << 30, "buffers=256M log_size=128M");
    let (table, index) = (create_table(100), create_index(101));
    let row = |id: u32| [&id.to_be_bytes()[..], &[7; 90]].concat();
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
    drop(tx);
    for (what, same) in [("hot update", false), ("hot update of one row", true)] {
        let mut tx = begin();
        measure(&format!("{what}, lookup apart"), 20_000, |n| {
            let id = if same {
                7
            } else {
                random.below(u64::from(ROWS)) as usize
            };
            let snapshot = look(&mut tx);
            let found = pg_heap_port::fetch(&snapshot, table, tids[id], &mut buf).expect("a row");
            let Some(tid) = found else { return };
            let done =
                pg_heap_port::update(&mut tx, table, tid, &buf.bytes, true).expect("updated");
            assert!(matches!(done, UpdateOutcome::Updated { .. }));
            if n % 8 == 0 {
                std::mem::replace(&mut tx, begin())
                    .commit()
                    .expect("committed");
            }
        });
        tx.commit().expect("committed");
    }
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
