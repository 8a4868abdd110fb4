//! Many sessions at once: unique keys have one winner, and sums stay.

use pg_btree_port::Inserted;
use pg_buffer_port::FileId;
use pg_heap_port::{HeapError, RowBuf, UpdateOutcome};
use pg_txn_port::{Transaction, TxnError};
use rows::*;
use std::thread;

/// Of many who insert the same keys, exactly one has each.
#[test]
fn racing_for_unique_keys_has_one_winner_each() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(100), create_index(101));
    let wins: u32 = thread::scope(|scope| {
        let racers: Vec<_> = (0..6u64)
            .map(|who| {
                scope.spawn(move || {
                    let mut random = Random::new(who);
                    let mut wins = 0;
                    for key in 0..400u32 {
                        let mut tx = begin();
                        look(&mut tx);
                        let row = key.to_be_bytes();
                        let tid = pg_heap_port::insert(&mut tx, table, &row).unwrap();
                        let done =
                            pg_btree_port::insert(&mut tx, index, table, &row, tid, true).unwrap();
                        if done == Inserted::Done && random.below(3) > 0 {
                            tx.commit().unwrap();
                            wins += 1;
                        }
                    }
                    wins
                })
            })
            .collect();
        racers.into_iter().map(|r| r.join().unwrap()).sum()
    });
    let all = contents(&look(&mut begin()), table);
    let mut distinct = all.clone();
    distinct.dedup();
    assert_eq!((all.len(), distinct.len()), (wins as usize, wins as usize));
    assert!(wins > 350);
    check_index(index);
}

fn amount(row: &[u8]) -> u32 {
    u32::from_be_bytes(row[4..8].try_into().unwrap())
}

fn sum(rows: &[Vec<u8>]) -> u32 {
    rows.iter().map(|r| amount(r)).sum()
}

/// Moves 7 from one account to another, the way a session under read committed
/// does: when a row has changed meanwhile, its newest version counts.
fn transfer(
    tx: &mut Transaction,
    table: FileId,
    index: FileId,
    from: u32,
    to: u32,
) -> Result<(), TxnError> {
    for (id, by) in [(from, -7i32), (to, 7)] {
        let snapshot = look(tx);
        let (mut tid, _) = lookup(&snapshot, index, table, &id.to_be_bytes())[0];
        let mut row = RowBuf::new();
        loop {
            assert!(pg_heap_port::fetch_any(table, tid, &mut row).unwrap());
            let changed = amount(&row.bytes).wrapping_add_signed(by);
            let new = [id.to_be_bytes(), changed.to_be_bytes()].concat();
            match pg_heap_port::update(tx, table, tid, &new, true) {
                Ok(UpdateOutcome::Updated { tid, hot }) => {
                    if !hot {
                        add_entry(tx, index, &id.to_be_bytes(), tid);
                    }
                    break;
                }
                Ok(UpdateOutcome::Concurrent { newest }) => tid = newest,
                Err(HeapError::Txn(error)) => return Err(error),
                other => panic!("{other:?}"),
            }
        }
    }
    Ok(())
}

/// Money moves between accounts; its sum stays, for every reader.
#[test]
fn transfers_keep_the_sum_for_everyone() {
    let _alone = alone();
    let _db = Db::new();
    const ACCOUNTS: u32 = 20;
    let (table, index) = (create_table(100), create_index(101));
    let mut tx = begin();
    look(&mut tx);
    for id in 0..ACCOUNTS {
        let row = [id.to_be_bytes(), 1_000u32.to_be_bytes()].concat();
        let tid = pg_heap_port::insert(&mut tx, table, &row).unwrap();
        add_entry(&mut tx, index, &row[..4], tid);
    }
    tx.commit().unwrap();
    thread::scope(|scope| {
        for who in 0..4u64 {
            scope.spawn(move || {
                let mut random = Random::new(who);
                let mut done = 0;
                while done < 300 {
                    let mut tx = begin();
                    tx.set_deadlock_timeout(5_000_000);
                    let from = random.below(u64::from(ACCOUNTS)) as u32;
                    let to = random.below(u64::from(ACCOUNTS)) as u32;
                    match transfer(&mut tx, table, index, from, to) {
                        Ok(()) if random.below(5) > 0 => tx.commit().unwrap(),
                        Ok(()) | Err(TxnError::Deadlock) => drop(tx),
                        Err(error) => panic!("{error:?}"),
                    }
                    done += 1;
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(move || {
                for _ in 0..150 {
                    let mut tx = begin();
                    let snapshot = look(&mut tx);
                    let all = contents(&snapshot, table);
                    assert_eq!(
                        (all.len(), sum(&all)),
                        (ACCOUNTS as usize, ACCOUNTS * 1_000)
                    );
                    for id in 0..ACCOUNTS {
                        let found = lookup(&snapshot, index, table, &id.to_be_bytes());
                        assert_eq!(found.len(), 1, "account {id}");
                    }
                }
            });
        }
    });
    let all = contents(&look(&mut begin()), table);
    assert_eq!(sum(&all), ACCOUNTS * 1_000);
    check_heap(table);
    check_index(index);
    // Hot updates and pruning kept the table small.
    assert!(pg_heap_port::blocks(table).unwrap() < 12);
}
