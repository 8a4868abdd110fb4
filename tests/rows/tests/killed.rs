//! Entries of dead rows: killed by who comes by, passed over by scans, and out of
//! the leaf before it splits.

use pg_btree_port::{Cursor, EntryBatch, Inserted, Tid};
use pg_heap_port::UpdateOutcome;
use pg_txn_port::Transaction;
use rows::*;
use std::ops::Bound;

fn add(tx: &mut Transaction, table: FileId, index: FileId, n: u32) -> Tid {
    let row = n.to_be_bytes();
    let tid = pg_heap_port::insert(tx, table, &row).unwrap();
    let done = pg_btree_port::insert(tx, index, table, &row, tid, false).unwrap();
    assert_eq!(done, Inserted::Done);
    tid
}

fn all(index: FileId) -> Vec<Tid> {
    let found = entries(index, Bound::Unbounded, Bound::Unbounded, false);
    found.into_iter().map(|e| e.1).collect()
}

/// Tells of all entries of the first page that they led nowhere.
fn tell(table: FileId, index: FileId) {
    let mut cursor = Cursor::new(Bound::Unbounded, Bound::Unbounded, false);
    let mut batch = EntryBatch::new();
    assert!(pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap());
    pg_btree_port::kill(index, table, &batch, &batch.tids).unwrap();
}

#[test]
fn only_what_is_dead_to_everyone_is_killed() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(100), create_index(101));
    let mut tx = begin();
    look(&mut tx);
    let tids: Vec<Tid> = (0..300).map(|n| add(&mut tx, table, index, n)).collect();
    tx.commit().unwrap();
    let mut reader = begin_repeatable();
    look(&mut reader);
    let mut tx = begin();
    look(&mut tx);
    for tid in tids.iter().step_by(2) {
        let done = pg_heap_port::delete(&mut tx, table, *tid).unwrap();
        assert_eq!(
            done,
            UpdateOutcome::Updated {
                tid: *tid,
                hot: false
            }
        );
    }
    // Its maker may still roll it back.
    tell(table, index);
    assert_eq!(all(index).len(), 300);
    tx.commit().unwrap();
    // The reader sees them.
    tell(table, index);
    assert_eq!(all(index).len(), 300);
    drop(reader);
    tell(table, index);
    let odd: Vec<Tid> = tids.iter().copied().skip(1).step_by(2).collect();
    assert_eq!(all(index), odd);
    let mut back = entries(index, Bound::Unbounded, Bound::Unbounded, true);
    back.reverse();
    assert!(back.into_iter().map(|e| e.1).eq(odd.iter().copied()));
    // They are there until somebody needs the room.
    assert_eq!(check_index(index), 300);
    let mut tx = begin();
    look(&mut tx);
    let before = pg_buffer_port::blocks(index).unwrap();
    // 580 entries of this size fill a page.
    let mut n = 1_000;
    while n < 1_290 {
        add(&mut tx, table, index, n);
        n += 1;
    }
    let count = check_index(index);
    assert!((400..500).contains(&count), "{count} entries");
    assert_eq!(pg_buffer_port::blocks(index).unwrap(), before);
    assert_eq!(all(index).len(), odd.len() + n as usize - 1_000);
    assert_eq!(check_index(index), all(index).len() as u64);
    tx.commit().unwrap();
}

/// The index is not unique, and nobody kills: entries of equal keys, and those of
/// one page of the table, are asked for all the same.
#[test]
fn versions_of_rows_do_not_split_pages_beside_a_reader() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(100), create_index(101));
    let mut tx = begin();
    look(&mut tx);
    let mut tids: Vec<Tid> = (0..100).map(|n| add(&mut tx, table, index, n)).collect();
    tx.commit().unwrap();
    let mut reader = begin_repeatable();
    let seen = contents(&look(&mut reader), table);
    let mut random = Random::new(3);
    for _ in 0..10_000 {
        let at = random.below(100) as usize;
        let row = (at as u32).to_be_bytes();
        let mut tx = begin();
        look(&mut tx);
        let done = pg_heap_port::update(&mut tx, table, tids[at], &row, false).unwrap();
        let UpdateOutcome::Updated { tid, .. } = done else {
            panic!("{done:?}");
        };
        pg_btree_port::insert(&mut tx, index, table, &row, tid, false).unwrap();
        tx.commit().unwrap();
        tids[at] = tid;
    }
    let pages = pg_buffer_port::blocks(index).unwrap();
    assert!(pages <= 4, "{pages} pages");
    assert_eq!(contents(&look(&mut reader), table), seen);
    assert_eq!(contents(&look(&mut begin()), table), seen);
    for n in [0u32, 57, 99] {
        let key = n.to_be_bytes();
        let old = lookup(&look(&mut reader), index, table, &key);
        let new = lookup(&look(&mut begin()), index, table, &key);
        assert_eq!((old.len(), new.len()), (1, 1));
        assert_eq!(new[0].0, tids[n as usize]);
    }
    check_index(index);
    check_heap(table);
}
