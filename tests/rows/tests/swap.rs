//! Replacing the row cells while sessions work: nobody notices, nothing is lost,
//! open transactions and waiters go on. And a transaction manager that has lost
//! its state in a fault: what ran is rolled back, what was committed stays.

use pg_btree_port::Inserted;
use pg_heap_port::{HeapError, RowBuf, UpdateOutcome};
use pg_txn_port::{LockMode, TXN, Transaction, TxnError};
use port::Options;
use rows::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn nobody_notices_swaps_under_load() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(100), create_index(101));
    let (single, by_name) = (create_table(102), create_index(103));
    {
        let mut tx = begin();
        look(&mut tx);
        let tid = pg_heap_port::insert(&mut tx, single, &0u32.to_be_bytes()).unwrap();
        add_entry(&mut tx, by_name, b"counter", tid);
        tx.commit().unwrap();
    }
    let stop = AtomicBool::new(false);
    let (increments, swaps) = thread::scope(|scope| {
        let workers: Vec<_> = (0..4u32)
            .map(|who| {
                let stop = &stop;
                scope.spawn(move || {
                    let mut done = 0;
                    while !stop.load(Ordering::Relaxed) {
                        increment(single, by_name);
                        done += 1;
                        insert(table, index, who, done);
                    }
                    done
                })
            })
            .collect();
        let mut swaps = 0;
        let until = task_port::now() + 3_000_000_000;
        while task_port::now() < until {
            for cell in [&pg_txn::CELL, &pg_heap::CELL, &pg_btree::CELL] {
                swap(cell);
                swaps += 1;
                thread::sleep(Duration::from_millis(1));
            }
        }
        stop.store(true, Ordering::Relaxed);
        let done: Vec<u32> = workers.into_iter().map(|w| w.join().unwrap()).collect();
        (done, swaps)
    });
    assert!(swaps > 30, "{swaps} swaps");
    let total: u32 = increments.iter().sum();
    assert!(total > 100, "{total} increments");
    let snapshot = look(&mut begin());
    let all = contents(&snapshot, table);
    assert_eq!(all.len(), total as usize);
    assert_eq!(contents(&snapshot, single), [total.to_be_bytes()]);
    // Its versions were pruned where they lay, but for those made while someone
    // with an old snapshot did not get the CPU.
    assert!(pg_heap_port::blocks(single).unwrap() < 1 + total / 200);
    for (who, done) in (0..4u32).zip(increments) {
        for n in [1, done / 2, done] {
            let key = [who.to_be_bytes(), n.to_be_bytes()].concat();
            assert_eq!(
                lookup(&snapshot, index, table, &key).len(),
                1.min(n as usize)
            );
        }
    }
    check_heap(table);
    check_index(index);
}

/// Adds one to the row all sessions fight for.
fn increment(table: pg_buffer_port::FileId, by_name: pg_buffer_port::FileId) {
    let mut tx = begin();
    let snapshot = look(&mut tx);
    let mut row = RowBuf::new();
    let mut tid = lookup(&snapshot, by_name, table, b"counter")[0].0;
    loop {
        assert!(pg_heap_port::fetch_any(table, tid, &mut row).unwrap());
        let value = u32::from_be_bytes(row.bytes[..].try_into().unwrap());
        match pg_heap_port::update(&mut tx, table, tid, &(value + 1).to_be_bytes(), true) {
            Ok(UpdateOutcome::Updated { tid, hot }) => {
                if !hot {
                    add_entry(&mut tx, by_name, b"counter", tid);
                }
                return tx.commit().unwrap();
            }
            Ok(UpdateOutcome::Concurrent { newest }) => tid = newest,
            other => panic!("{other:?}"),
        }
    }
}

fn insert(table: pg_buffer_port::FileId, index: pg_buffer_port::FileId, who: u32, n: u32) {
    let mut tx = begin();
    look(&mut tx);
    tx.lock_relation(100, LockMode::RowExclusive).unwrap();
    let row = [who.to_be_bytes(), n.to_be_bytes()].concat();
    let tid = pg_heap_port::insert(&mut tx, table, &row).unwrap();
    let done = pg_btree_port::insert(&mut tx, index, table, &row, tid, true).unwrap();
    assert_eq!(done, Inserted::Done);
    tx.commit().unwrap();
}

#[test]
fn open_transactions_and_waiters_pass_a_swap() {
    let _alone = alone();
    let _db = Db::new();
    let table = create_table(100);
    let mut a = begin();
    look(&mut a);
    let tid = pg_heap_port::insert(&mut a, table, b"1").unwrap();
    a.lock_relation(7, LockMode::AccessExclusive).unwrap();
    a.savepoint("s");
    pg_heap_port::insert(&mut a, table, b"2").unwrap();
    let waiting = thread::spawn(|| {
        let mut b = begin();
        b.lock_relation(7, LockMode::AccessShare)
    });
    thread::sleep(Duration::from_millis(50));
    for cell in [&pg_txn::CELL, &pg_heap::CELL, &pg_btree::CELL] {
        swap(cell);
    }
    assert!(!waiting.is_finished());
    a.rollback_to("s").unwrap();
    assert_eq!(contents(&look(&mut a), table), [b"1"]);
    let changed = pg_heap_port::update(&mut a, table, tid, b"3", true).unwrap();
    assert!(matches!(changed, UpdateOutcome::Updated { hot: true, .. }));
    a.commit().unwrap();
    assert_eq!(waiting.join().unwrap(), Ok(()));
    assert_eq!(contents(&look(&mut begin()), table), [b"3"]);
}

#[test]
fn a_lost_state_rolls_back_what_ran_and_keeps_what_was_committed() {
    let _alone = alone();
    let _db = Db::new();
    let table = create_table(100);
    let mut a = begin();
    look(&mut a);
    pg_heap_port::insert(&mut a, table, b"kept").unwrap();
    let old = a.ensure_xid().unwrap();
    a.commit().unwrap();
    let open = |row: &[u8]| -> Transaction {
        let mut tx = begin();
        look(&mut tx);
        pg_heap_port::insert(&mut tx, table, row).unwrap();
        tx
    };
    let (mut b, c) = (open(b"lost"), open(b"lost too"));
    let waits_for = b.ensure_xid().unwrap();
    let waiting = thread::spawn(move || begin_waiting(waits_for));
    thread::sleep(Duration::from_millis(30));
    // A cell that is born without its predecessor's state.
    port::start(&pg_txn::CELL, &Options::default()).unwrap();
    assert_eq!(b.start_command(), Err(TxnError::Serialization));
    assert_eq!(
        b.lock_relation(1, LockMode::AccessShare),
        Err(TxnError::Serialization)
    );
    assert_eq!(c.commit(), Err(TxnError::Serialization));
    assert_eq!(waiting.join().unwrap(), Err(TxnError::Serialization));
    let mut d = begin();
    assert_eq!(contents(&look(&mut d), table), [b"kept"]);
    assert!(d.ensure_xid().unwrap() > old);
    // What b still writes counts for nobody.
    assert!(matches!(
        pg_heap_port::insert(&mut b, table, b"late"),
        Ok(_) | Err(HeapError::Txn(_))
    ));
    drop(b);
    assert_eq!(contents(&look(&mut begin()), table), [b"kept"]);
    d.commit().unwrap();
}

fn begin_waiting(xid: pg_txn_port::Xid) -> Result<(), TxnError> {
    let mut tx = begin();
    tx.set_deadlock_timeout(100_000_000);
    tx.wait_for(xid)
}

#[test]
fn an_injected_fault_reaches_the_caller_and_no_latch_is_left() {
    let _alone = alone();
    let _db = Db::new();
    let table = create_table(100);
    let mut tx = begin();
    look(&mut tx);
    pg_heap_port::insert(&mut tx, table, b"1").unwrap();
    for door in [
        &pg_heap_port::HEAP as &dyn port::Door,
        &TXN as &dyn port::Door,
    ] {
        door.inject(port::CrashKind::Panic);
        let fault = task_port::gate(|| {
            let mut tx = begin();
            look(&mut tx);
            pg_heap_port::insert(&mut tx, table, b"2")
        });
        assert!(fault.is_err());
        assert_eq!(pg_buffer_port::pins().unwrap(), 0);
    }
    tx.start_command().unwrap();
    pg_heap_port::insert(&mut tx, table, b"3").unwrap();
    tx.commit().unwrap();
    assert_eq!(contents(&look(&mut begin()), table), [b"1", b"3"]);
}

#[test]
fn a_fault_in_a_commit_leaves_nothing_locked() {
    let _alone = alone();
    let _db = Db::new();
    let mut tx = begin();
    tx.lock_relation(100, LockMode::AccessExclusive).unwrap();
    let door: &dyn port::Door = &TXN;
    door.inject(port::CrashKind::Panic);
    let outcome = task_port::gate(|| tx.commit());
    assert!(outcome.is_err(), "the commit faulted: {outcome:?}");
    let mut other = begin();
    other
        .try_lock_relation(100, LockMode::AccessExclusive)
        .unwrap();
}
