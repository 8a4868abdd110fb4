//! Beside a reader that has been looking for long, what it does not see goes: rows
//! that are updated often stay as short and as near as without it.

use pg_btree_port::Inserted;
use pg_heap_port::{RowBuf, Tid, UpdateOutcome};
use pg_txn_port::Transaction;
use rows::*;

const ROWS: u32 = 20;

struct Table {
    table: FileId,
    index: FileId,
}

impl Table {
    /// Rows of an id and a count, with a unique index on the id.
    fn new() -> Self {
        let made = Table {
            table: create_table(100),
            index: create_index(101),
        };
        let mut tx = begin();
        look(&mut tx);
        for id in 0..ROWS {
            let row = row(id, 0);
            let tid = pg_heap_port::insert(&mut tx, made.table, &row).unwrap();
            made.add(&mut tx, id, tid);
        }
        tx.commit().unwrap();
        made
    }

    fn add(&self, tx: &mut Transaction, id: u32, tid: Tid) {
        let key = id.to_be_bytes();
        let done = pg_btree_port::insert(tx, self.index, self.table, &key, tid, true).unwrap();
        assert_eq!(done, Inserted::Done);
    }

    /// Counts a row up. Answers how many entries were looked at to find it.
    fn count(&self, id: u32, keep_keys: bool) -> usize {
        let mut tx = begin();
        let snapshot = look(&mut tx);
        let key = id.to_be_bytes();
        let mut cursor = pg_btree_port::Cursor::point(key.to_vec());
        let mut batch = pg_btree_port::EntryBatch::new();
        let mut buffer = RowBuf::new();
        let (mut found, mut looked_at) = (None, 0);
        while pg_btree_port::next_batch(self.index, &mut cursor, &mut batch).unwrap() {
            for tid in &batch.tids {
                looked_at += 1;
                let seen = pg_heap_port::fetch(&snapshot, self.table, *tid, &mut buffer).unwrap();
                found = found.or(seen.map(|tid| (tid, count_of(&buffer.bytes))));
            }
        }
        let (tid, count) = found.expect("the row is there");
        let new = row(id, count + 1);
        match pg_heap_port::update(&mut tx, self.table, tid, &new, keep_keys).unwrap() {
            UpdateOutcome::Updated { hot: true, .. } => {}
            UpdateOutcome::Updated { tid, hot: false } => self.add(&mut tx, id, tid),
            other => panic!("{other:?}"),
        }
        tx.commit().unwrap();
        looked_at
    }

    fn pages(&self) -> (u32, u32) {
        let blocks = |file| pg_buffer_port::blocks(file).unwrap();
        (blocks(self.table), blocks(self.index))
    }

    /// Every reader sees each row once, with its own count, by both ways.
    fn check(&self, reader: &mut Transaction, count: impl Fn(u32) -> u32) {
        let snapshot = look(reader);
        let expected: Vec<Vec<u8>> = (0..ROWS).map(|id| row(id, count(id))).collect();
        assert_eq!(contents(&snapshot, self.table), expected);
        for id in 0..ROWS {
            let found = lookup(&snapshot, self.index, self.table, &id.to_be_bytes());
            let found: Vec<Vec<u8>> = found.into_iter().map(|f| f.1).collect();
            assert_eq!(found, [row(id, count(id))]);
        }
    }
}

fn row(id: u32, count: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &count.to_be_bytes(), &[7; 60]].concat()
}

fn count_of(row: &[u8]) -> u32 {
    u32::from_be_bytes(row[4..8].try_into().unwrap())
}

#[test]
fn a_row_counted_up_beside_a_reader_stays_on_its_page() {
    let _alone = alone();
    let _db = Db::new();
    let table = Table::new();
    let mut reader = begin_repeatable();
    table.check(&mut reader, |_| 0);
    let before = table.pages();
    for n in 0..10_000 {
        assert_eq!(table.count(n % ROWS, true), 1, "update {n}");
    }
    assert_eq!(table.pages(), before);
    assert_eq!(check_index(table.index), u64::from(ROWS));
    check_heap(table.table);
    table.check(&mut reader, |_| 0);
    table.check(&mut begin(), |_| 10_000 / ROWS);
}

#[test]
fn a_row_whose_key_is_written_anew_keeps_few_entries() {
    let _alone = alone();
    let _db = Db::new();
    let table = Table::new();
    let mut reader = begin_repeatable();
    table.check(&mut reader, |_| 0);
    let mut most = 0;
    for n in 0..10_000 {
        most = most.max(table.count(n % 2, false));
    }
    assert!(most < 40, "{most} entries were looked at");
    assert!(check_index(table.index) < 100);
    // Their slots stay dead until a vacuum: four bytes each, nothing else.
    assert!(table.pages().0 < 20, "{:?}", table.pages());
    check_heap(table.table);
    let count = |id| if id < 2 { 5_000 } else { 0 };
    table.check(&mut reader, |_| 0);
    table.check(&mut begin(), count);
    let tx = begin();
    let (dead, _) = pg_heap_port::vacuum_collect(&tx, table.table).unwrap();
    pg_btree_port::remove(&tx, table.index, &dead).unwrap();
    pg_heap_port::vacuum_finish(&tx, table.table, &dead).unwrap();
    // One for the reader and one for the others, of those two.
    assert_eq!(check_index(table.index), u64::from(ROWS) + 2);
    table.check(&mut reader, |_| 0);
    table.check(&mut begin(), count);
}

/// Readers come and go; each keeps what it sees, and no more.
#[test]
fn each_reader_keeps_its_own_version() {
    let _alone = alone();
    let _db = Db::new();
    let table = Table::new();
    let mut random = Random::new(5);
    let mut counts = [0; ROWS as usize];
    let mut readers: Vec<(Transaction, [u32; ROWS as usize])> = Vec::new();
    for n in 0..6_000 {
        let id = random.below(u64::from(ROWS)) as u32;
        table.count(id, random.below(10) > 0);
        counts[id as usize] += 1;
        if n % 100 == 0 {
            let mut reader = begin_repeatable();
            look(&mut reader);
            readers.push((reader, counts));
        }
        if readers.len() > 8 {
            let at = random.below(readers.len() as u64) as usize;
            let (mut reader, seen) = readers.swap_remove(at);
            table.check(&mut reader, |id| seen[id as usize]);
        }
        if n % 500 == 0 {
            check_heap(table.table);
            check_index(table.index);
        }
    }
    for (reader, seen) in &mut readers {
        table.check(reader, |id| seen[id as usize]);
    }
    table.check(&mut begin(), |id| counts[id as usize]);
    assert!(table.pages().0 < 30, "{:?}", table.pages());
    drop(readers);
    let tx = begin();
    let (dead, _) = pg_heap_port::vacuum_collect(&tx, table.table).unwrap();
    pg_btree_port::remove(&tx, table.index, &dead).unwrap();
    pg_heap_port::vacuum_finish(&tx, table.table, &dead).unwrap();
    assert_eq!(check_index(table.index), u64::from(ROWS));
}

/// Who may follow a row to its newest version keeps the way there, also if a
/// reader before it does not need it.
#[test]
fn a_command_that_waits_for_a_row_finds_its_newest_version() {
    let _alone = alone();
    let _db = Db::new();
    let table = Table::new();
    let mut reader = begin_repeatable();
    look(&mut reader);
    let mut follower = begin();
    let snapshot = look(&mut follower);
    let key = 3u32.to_be_bytes();
    let old = lookup(&snapshot, table.index, table.table, &key)[0].0;
    for n in 0..300 {
        table.count(3, n % 3 > 0);
    }
    let mut at = old;
    let newest = loop {
        match pg_heap_port::delete(&mut follower, table.table, at).unwrap() {
            UpdateOutcome::Concurrent { newest } => at = newest,
            UpdateOutcome::Updated { tid, .. } => break tid,
            other => panic!("{other:?}"),
        }
        let mut row = RowBuf::new();
        assert!(pg_heap_port::fetch_any(table.table, at, &mut row).unwrap());
        assert_eq!(&row.bytes[..4], &key);
    };
    let mut row = RowBuf::new();
    assert!(pg_heap_port::fetch_any(table.table, newest, &mut row).unwrap());
    assert_eq!(count_of(&row.bytes), 300);
    drop(snapshot);
    follower.commit().unwrap();
    let found = lookup(&look(&mut reader), table.index, table.table, &key);
    assert_eq!(count_of(&found[0].1), 0);
}
