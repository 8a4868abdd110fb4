//! Random transactions, interleaved, against a model of what each must see.
//!
//! The model keeps every committed state, and per transaction a stack of changes
//! (one layer a savepoint). Who would have to wait gives up at once and rolls
//! back, so that one thread can play all parts.

use pg_heap_port::{HeapError, UpdateOutcome};
use pg_txn_port::{Isolation, Transaction, TxnError};
use rows::*;
use std::collections::BTreeMap;

type State = BTreeMap<u32, Vec<u8>>;

struct Player {
    tx: Transaction,
    repeatable: bool,
    /// The committed state that it began to see.
    base: Option<usize>,
    layers: Vec<BTreeMap<u32, Option<Vec<u8>>>>,
    savepoints: Vec<String>,
}

struct World {
    random: Random,
    states: Vec<State>,
    /// The state since which each row is as it is.
    changed: BTreeMap<u32, usize>,
    players: Vec<Player>,
    table: pg_buffer_port::FileId,
    index: pg_buffer_port::FileId,
    next_id: u32,
}

impl Player {
    fn view(&self, states: &[State]) -> State {
        let base = match self.base {
            Some(base) if self.repeatable => base,
            _ => states.len() - 1,
        };
        let mut view = states[base].clone();
        for (id, value) in self.layers.iter().flatten() {
            match value {
                Some(value) => view.insert(*id, value.clone()),
                None => view.remove(id),
            };
        }
        view
    }

    fn has_changed(&self, id: u32) -> bool {
        self.layers.iter().any(|l| l.contains_key(&id))
    }

    fn note(&mut self, id: u32, value: Option<Vec<u8>>) {
        self.layers.last_mut().unwrap().insert(id, value);
    }
}

/// What a row is told by in reports: its id, its random bytes, its length.
fn digest(row: &[u8]) -> (u32, u64, usize) {
    let random = u64::from_le_bytes(row[4..12].try_into().unwrap());
    (id_of(row), random, row.len())
}

fn id_of(row: &[u8]) -> u32 {
    u32::from_be_bytes(row[..4].try_into().unwrap())
}

impl World {
    fn new(seed: u64) -> Self {
        World {
            random: Random::new(seed),
            states: vec![State::new()],
            changed: BTreeMap::new(),
            players: Vec::new(),
            table: create_table(100),
            index: create_index(101),
            next_id: 0,
        }
    }

    fn row(&mut self, id: u32) -> Vec<u8> {
        let len = match self.random.below(10) {
            0 => 3_000,
            1..4 => 400,
            _ => 20,
        };
        let mut row = id.to_be_bytes().to_vec();
        row.extend_from_slice(&self.random.next_u64().to_le_bytes());
        row.resize(12 + self.random.below(len) as usize, 7);
        row
    }

    fn join(&mut self) {
        let repeatable = self.random.below(2) == 0;
        let isolation = match repeatable {
            true => Isolation::RepeatableRead,
            false => Isolation::ReadCommitted,
        };
        let mut tx = Transaction::begin(isolation, false).unwrap();
        tx.set_lock_timeout(1);
        self.players.push(Player {
            tx,
            repeatable,
            base: None,
            layers: vec![BTreeMap::new()],
            savepoints: Vec::new(),
        });
    }

    /// A player begins a command and looks at everything.
    fn look(&mut self, at: usize) -> State {
        let newest = self.states.len() - 1;
        let player = &mut self.players[at];
        player.base.get_or_insert(newest);
        let snapshot = look(&mut player.tx);
        let view = player.view(&self.states);
        let expected: Vec<_> = view.values().map(|r| digest(r)).collect();
        let seen = contents(&snapshot, self.table);
        let seen: Vec<_> = seen.iter().map(|r| digest(r)).collect();
        assert_eq!(seen, expected, "repeatable: {}", player.repeatable);
        for _ in 0..3 {
            let id = self.random.below(u64::from(self.next_id) + 1) as u32;
            let found = lookup(&snapshot, self.index, self.table, &id.to_be_bytes());
            let found: Vec<_> = found.iter().map(|f| digest(&f.1)).collect();
            let expected: Vec<_> = view.get(&id).iter().map(|r| digest(r)).collect();
            assert_eq!(found, expected);
        }
        view
    }

    fn insert(&mut self, at: usize) {
        self.look(at);
        let count = 1 + self.random.below(12) as usize;
        let rows: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                self.next_id += 1;
                self.row(self.next_id)
            })
            .collect();
        let player = &mut self.players[at];
        let mut tids = Vec::new();
        if count == 1 {
            tids.push(pg_heap_port::insert(&mut player.tx, self.table, &rows[0]).unwrap());
        } else {
            let rows: Vec<&[u8]> = rows.iter().map(|r| &r[..]).collect();
            pg_heap_port::insert_many(&mut player.tx, self.table, &rows, &mut tids).unwrap();
        }
        for (row, tid) in rows.into_iter().zip(tids) {
            add_entry(&mut player.tx, self.index, &row[..4], tid);
            player.note(id_of(&row), Some(row));
        }
    }

    /// Updates or deletes a row that the player sees. What must come of it is
    /// known: a wait if someone else has changed it, an error if it was changed
    /// since a repeatable snapshot.
    fn change(&mut self, at: usize) {
        let view = self.look(at);
        let Some(id) = view
            .keys()
            .nth(self.random.below(view.len() as u64 + 1) as usize)
        else {
            return;
        };
        let id = *id;
        let row = self.row(id);
        let delete = self.random.below(4) == 0;
        let keep = self.random.below(3) > 0;
        let others = (0..self.players.len()).filter(|o| *o != at);
        let busy = others.into_iter().any(|o| self.players[o].has_changed(id));
        let player = &mut self.players[at];
        let base = player.base.unwrap();
        let stale = player.repeatable && self.changed.get(&id).is_some_and(|c| *c > base);
        let snapshot = player.tx.snapshot().unwrap();
        let found = lookup(&snapshot, self.index, self.table, &id.to_be_bytes());
        assert_eq!(found.len(), 1);
        let result = match delete {
            true => pg_heap_port::delete(&mut player.tx, self.table, found[0].0),
            false => pg_heap_port::update(&mut player.tx, self.table, found[0].0, &row, keep),
        };
        match result {
            Ok(UpdateOutcome::Updated { tid, hot }) => {
                assert!(!busy && !stale, "row {id} was changed by another");
                assert!(keep || !hot);
                if delete {
                    player.note(id, None);
                    return;
                }
                if !hot {
                    add_entry(&mut player.tx, self.index, &id.to_be_bytes(), tid);
                }
                player.note(id, Some(row));
            }
            Err(HeapError::Txn(TxnError::LockTimeout)) => {
                assert!(busy, "row {id} is nobody's");
                self.leave(at, false);
            }
            Err(HeapError::Txn(TxnError::Serialization | TxnError::ConcurrentDelete)) => {
                assert!(stale, "row {id} has not changed");
                self.leave(at, false);
            }
            other => panic!("row {id}: {other:?}"),
        }
    }

    fn savepoint(&mut self, at: usize) {
        let choice = self.random.below(3);
        let player = &mut self.players[at];
        match (choice, player.savepoints.last().cloned()) {
            (0, Some(name)) => {
                player.tx.release(&name).unwrap();
                player.savepoints.pop();
                let layer = player.layers.pop().unwrap();
                player.layers.last_mut().unwrap().extend(layer);
            }
            (1, Some(name)) => {
                player.tx.rollback_to(&name).unwrap();
                player.layers.last_mut().unwrap().clear();
            }
            _ => {
                let name = format!("s{}", player.savepoints.len());
                player.tx.savepoint(&name);
                player.savepoints.push(name);
                player.layers.push(BTreeMap::new());
            }
        }
    }

    fn leave(&mut self, at: usize, commit: bool) {
        let player = self.players.swap_remove(at);
        if !commit {
            return player.tx.rollback();
        }
        player.tx.commit().unwrap();
        let mut state = self.states.last().unwrap().clone();
        for (id, value) in player.layers.into_iter().flatten() {
            match value {
                Some(value) => state.insert(id, value),
                None => state.remove(&id),
            };
            self.changed.insert(id, self.states.len());
        }
        self.states.push(state);
    }

    fn vacuum(&mut self) {
        let tx = begin();
        let (dead, report) = pg_heap_port::vacuum_collect(&tx, self.table).unwrap();
        pg_btree_port::remove(&tx, self.index, &dead).unwrap();
        pg_heap_port::vacuum_finish(&tx, self.table, &dead).unwrap();
        assert!(report.live >= self.states.last().unwrap().len() as u64 / 2);
        check_heap(self.table);
        check_index(self.index);
    }

    fn step(&mut self) {
        if self.players.len() < 2 || (self.players.len() < 6 && self.random.below(20) == 0) {
            self.join();
        }
        let at = self.random.below(self.players.len() as u64) as usize;
        match self.random.below(100) {
            0..12 => self.insert(at),
            12..60 => self.change(at),
            60..70 => drop(self.look(at)),
            70..82 => self.savepoint(at),
            82..92 => self.leave(at, true),
            92..96 => self.leave(at, false),
            _ => self.vacuum(),
        }
    }
}

#[test]
fn every_transaction_sees_what_the_model_says() {
    let _alone = alone();
    let seeds = std::env::var("SEEDS").map_or(6, |s| s.parse().expect("a number"));
    let first = std::env::var("SEED").map_or(0, |s| s.parse().expect("a number"));
    for seed in first..first + seeds {
        let _db = Db::new();
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..1_500 {
            world.step();
        }
        world.players.clear();
        world.vacuum();
        // Nothing is left that nobody sees.
        let mut last = begin();
        let count = contents(&look(&mut last), world.table).len() as u64;
        drop(last);
        world.vacuum();
        assert_eq!(check_index(world.index), count);
        assert_eq!(count, world.states.last().unwrap().len() as u64);
    }
}
