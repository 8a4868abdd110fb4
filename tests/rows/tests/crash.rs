//! Power failures: what was committed is there as a whole, nothing else is, and
//! trees and tables are sound.

use pg_btree_port::Inserted;
use pg_buffer_port::FileId;
use pg_heap_port::{HeapError, RowBuf, UpdateOutcome};
use pg_txn_port::{LockMode, Transaction, TxnError};
use rows::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

const OPTIONS: &str = "buffers=2M log_size=4M log_buffer=1M";

type State = BTreeMap<u32, Vec<u8>>;

/// One writer with its own range of ids, and what it knows of them.
struct Writer {
    random: Random,
    first: u32,
    /// What the last acknowledged commit made of its rows.
    sure: State,
    /// What a commit that the power interrupted would have made of them.
    perhaps: Option<State>,
}

#[derive(Debug)]
enum Stop {
    Dead,
    Failed(String),
}

impl From<HeapError> for Stop {
    fn from(error: HeapError) -> Self {
        match error {
            HeapError::Storage(_) | HeapError::NotRunning => Stop::Dead,
            HeapError::Txn(TxnError::Log(_)) => Stop::Dead,
            other => Stop::Failed(format!("{other:?}")),
        }
    }
}

impl From<TxnError> for Stop {
    fn from(error: TxnError) -> Self {
        HeapError::from(error).into()
    }
}

impl From<pg_btree_port::IndexError> for Stop {
    fn from(error: pg_btree_port::IndexError) -> Self {
        match error {
            pg_btree_port::IndexError::Storage(_) => Stop::Dead,
            other => Stop::Failed(format!("{other:?}")),
        }
    }
}

#[derive(Clone, Copy)]
struct Files {
    table: FileId,
    /// On the id, unique.
    index: FileId,
    /// On a long key, not unique.
    second: FileId,
}

const IDS: u64 = 120;

impl Writer {
    fn new(who: u32, seed: u64) -> Self {
        Writer {
            random: Random::new(seed * 100 + u64::from(who)),
            first: who * 1_000,
            sure: State::new(),
            perhaps: None,
        }
    }

    fn row(&mut self, id: u32) -> Vec<u8> {
        let len = match self.random.below(20) {
            0 => 5_000,
            _ => 120,
        };
        let mut row = id.to_be_bytes().to_vec();
        row.extend_from_slice(&self.random.next_u64().to_le_bytes());
        row.resize(12 + self.random.below(len) as usize, 3);
        row
    }

    fn long_key(id: u32) -> Vec<u8> {
        let mut key = vec![b'k'; 300];
        key.extend_from_slice(&(id % 10).to_be_bytes());
        key
    }

    fn transaction(&mut self, files: Files) -> Result<(), Stop> {
        let mut tx = begin();
        let mut after = self.sure.clone();
        for _ in 0..=self.random.below(6) {
            if self.random.below(4) == 0 {
                tx.savepoint("s");
                let before = after.clone();
                self.change(&mut tx, files, &mut after)?;
                if self.random.below(2) == 0 {
                    tx.rollback_to("s")?;
                    after = before;
                }
                tx.release("s")?;
            } else {
                self.change(&mut tx, files, &mut after)?;
            }
        }
        if self.random.below(5) == 0 {
            return Ok(());
        }
        self.perhaps = Some(after.clone());
        tx.commit()?;
        self.perhaps = None;
        self.sure = after;
        Ok(())
    }

    fn change(
        &mut self,
        tx: &mut Transaction,
        files: Files,
        state: &mut State,
    ) -> Result<(), Stop> {
        let id = self.first + self.random.below(IDS) as u32;
        tx.start_command()?;
        let snapshot = tx.snapshot()?;
        let row = self.row(id);
        let known = state.contains_key(&id);
        if !known {
            let tid = pg_heap_port::insert(tx, files.table, &row)?;
            self.index(tx, files, id, tid)?;
            state.insert(id, row);
            return Ok(());
        }
        let mut cursor = pg_btree_port::Cursor::point(id.to_be_bytes().to_vec());
        let mut batch = pg_btree_port::EntryBatch::new();
        let mut old = RowBuf::new();
        let mut found = None;
        while pg_btree_port::next_batch(files.index, &mut cursor, &mut batch)? {
            for tid in &batch.tids {
                found = found.or(pg_heap_port::fetch(&snapshot, files.table, *tid, &mut old)?);
            }
        }
        let tid = found.ok_or_else(|| Stop::Failed(format!("row {id} is missing")))?;
        if self.random.below(4) == 0 {
            pg_heap_port::delete(tx, files.table, tid)?;
            state.remove(&id);
            return Ok(());
        }
        let keep = self.random.below(2) == 0;
        match pg_heap_port::update(tx, files.table, tid, &row, keep)? {
            UpdateOutcome::Updated { hot: true, .. } => {}
            UpdateOutcome::Updated { tid, .. } => self.index(tx, files, id, tid)?,
            other => return Err(Stop::Failed(format!("row {id}: {other:?}"))),
        }
        state.insert(id, row);
        Ok(())
    }

    fn index(
        &mut self,
        tx: &mut Transaction,
        files: Files,
        id: u32,
        tid: pg_heap_port::Tid,
    ) -> Result<(), Stop> {
        let key = id.to_be_bytes();
        let done = pg_btree_port::insert(tx, files.index, files.table, &key, tid, true)?;
        if done != Inserted::Done {
            return Err(Stop::Failed(format!("row {id}: {done:?}")));
        }
        pg_btree_port::insert(
            tx,
            files.second,
            files.table,
            &Self::long_key(id),
            tid,
            false,
        )?;
        Ok(())
    }
}

fn vacuum(files: Files) -> Result<(), Stop> {
    let mut tx = begin();
    tx.lock_relation(100, LockMode::ShareUpdateExclusive)?;
    let (dead, _) = pg_heap_port::vacuum_collect(&tx, files.table)?;
    pg_btree_port::remove(&tx, files.index, &dead)?;
    pg_btree_port::remove(&tx, files.second, &dead)?;
    Ok(pg_heap_port::vacuum_finish(&tx, files.table, &dead)?)
}

/// Everything is as one of the writers' states says, and nothing is damaged.
fn verify(files: Files, writers: &mut [Writer], context: &str) {
    check_heap(files.table);
    check_index(files.index);
    check_index(files.second);
    let mut tx = begin();
    let snapshot = look(&mut tx);
    let all = contents(&snapshot, files.table);
    for writer in writers {
        let own = |row: &&Vec<u8>| {
            row[..4] >= writer.first.to_be_bytes()[..]
                && row[..4] < (writer.first + 1_000).to_be_bytes()[..]
        };
        let own: Vec<&Vec<u8>> = all.iter().filter(own).collect();
        let same = |state: &State| state.values().eq(own.iter().copied());
        match writer.perhaps.take() {
            Some(state) if same(&state) => writer.sure = state,
            _ => assert!(same(&writer.sure), "{context}: rows of {}", writer.first),
        }
        for (id, row) in &writer.sure {
            let found = lookup(&snapshot, files.index, files.table, &id.to_be_bytes());
            assert_eq!(found.len(), 1, "{context}: row {id} by its index");
            assert!(found[0].1 == *row, "{context}: row {id} by its index");
        }
    }
    for n in 0..10 {
        let expected = all.iter().filter(|r| id(r) % 10 == n).count();
        let key = Writer::long_key(n);
        let found = lookup(&snapshot, files.second, files.table, &key);
        assert_eq!(found.len(), expected, "{context}: the second index");
    }
}

fn id(row: &[u8]) -> u32 {
    u32::from_be_bytes(row[..4].try_into().unwrap())
}

fn lives(seed: u64, threads: u32) {
    let mut random = Random::new(seed);
    let mut db = Db::with(64 << 20, OPTIONS);
    let files = Files {
        table: create_table(100),
        index: create_index(101),
        second: create_index(102),
    };
    // The files themselves are to survive.
    pg_wal_port::flush(pg_wal_port::insert_position()).unwrap();
    let mut writers: Vec<Writer> = (0..threads).map(|who| Writer::new(who, seed)).collect();
    for life in 0..5 {
        let context = format!("seed {seed}, life {life}");
        db.disk.fail_after(20 + random.below(600));
        let failed = Mutex::new(Vec::new());
        let disk = &db.disk;
        std::thread::scope(|scope| {
            for writer in &mut writers {
                let failed = &failed;
                scope.spawn(move || {
                    while !disk.is_dead() {
                        let result = match writer.random.below(40) {
                            0 => vacuum(files),
                            _ => writer.transaction(files),
                        };
                        match result {
                            Err(Stop::Failed(what)) => return failed.lock().unwrap().push(what),
                            // The power may have failed after the last look.
                            Err(Stop::Dead) => return,
                            Ok(()) => {}
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap();
        assert!(failed.is_empty(), "{context}: {failed:?}");
        db = loop {
            let again = db.disk.power_cut(random.next_u64());
            db.disk.kill();
            if let Some(db) = Db::open(sim_disk(again), OPTIONS) {
                break db;
            }
        };
        verify(files, &mut writers, &context);
    }
}

#[test]
fn committed_transactions_survive_and_others_never_were() {
    let _alone = alone();
    let seeds = std::env::var("SEEDS").map_or(4, |s| s.parse().expect("a number"));
    let first = std::env::var("SEED").map_or(0, |s| s.parse().expect("a number"));
    for seed in first..first + seeds {
        lives(seed, 1);
        lives(seed, 3);
    }
}
