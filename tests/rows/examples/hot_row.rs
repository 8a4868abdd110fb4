//! What it takes to find and update one row, again and again, while a reader under
//! repeatable read looks at how it was: counts, no times.
//! `cargo run --release -p rows --example hot_row [UPDATES] [keys]`; with `keys`
//! each update needs index entries of its own. For instructions run two lengths
//! under `valgrind --tool=cachegrind --cache-sim=no`.

use pg_btree_port::{Cursor, EntryBatch};
use pg_heap_port::{RowBuf, UpdateOutcome};
use rows::*;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let updates = arguments.next().and_then(|n| n.parse().ok());
    let updates: u32 = updates.unwrap_or(10_000);
    let keep_keys = arguments.next().is_none();
    let _db = Db::with(1 << 30, "buffers=64M log_size=128M");
    let (table, index) = (create_table(100), create_index(101));
    let mut tx = begin();
    look(&mut tx);
    let first = pg_heap_port::insert(&mut tx, table, &[7; 100]).expect("a row");
    pg_btree_port::insert(&mut tx, index, table, b"key", first, true).expect("an entry");
    tx.commit().expect("committed");
    let mut reader = begin_repeatable();
    let snapshot = look(&mut reader);
    let mut looked_at = 0;
    for n in 1..=updates {
        looked_at = update(table, index, keep_keys);
        if n.is_multiple_of((updates / 5).max(1)) {
            let pages = |file| pg_buffer_port::blocks(file).expect("pages");
            println!(
                "after {n:>6} updates: {looked_at:>6} entries to find the row, {:>6} in the \
                 index, {:>4} pages of it, {:>5} of the table",
                check_index(index),
                pages(index),
                pages(table),
            );
        }
    }
    let seen = lookup(&snapshot, index, table, b"key");
    assert_eq!((seen.len(), looked_at > 0), (1, true));
}

/// Answers how many entries led to the row.
fn update(table: FileId, index: FileId, keep_keys: bool) -> usize {
    let mut tx = begin();
    let snapshot = look(&mut tx);
    let (mut cursor, mut batch) = (Cursor::point(b"key".to_vec()), EntryBatch::new());
    let (mut row, mut found, mut looked_at) = (RowBuf::new(), None, 0);
    while pg_btree_port::next_batch(index, &mut cursor, &mut batch).expect("entries") {
        for tid in &batch.tids {
            looked_at += 1;
            let seen = pg_heap_port::fetch(&snapshot, table, *tid, &mut row).expect("a row");
            found = found.or(seen);
        }
    }
    let tid = found.expect("the row");
    match pg_heap_port::update(&mut tx, table, tid, &row.bytes, keep_keys).expect("updated") {
        UpdateOutcome::Updated { tid, hot: false } => {
            pg_btree_port::insert(&mut tx, index, table, b"key", tid, true).expect("an entry");
        }
        UpdateOutcome::Updated { .. } => {}
        other => panic!("{other:?}"),
    }
    tx.commit().expect("committed");
    looked_at
}
