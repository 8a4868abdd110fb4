//! Anomalies and waits between sessions: the cases of Martin Kleppmann's
//! Hermitage at this level, row locks of all strengths, unique checks, deadlocks
//! and cancels. Sessions that block run on a thread of their own.

use pg_btree_port::Inserted;
use pg_buffer_port::FileId;
use pg_heap_port::{HeapError, LockOutcome, RowBuf, RowLock, Tid, UpdateOutcome, WaitPolicy};
use pg_txn_port::{LockMode, Transaction, TxnError};
use rows::*;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(60);

/// A session that is about to block.
struct Blocked<T> {
    thread: JoinHandle<()>,
    result: mpsc::Receiver<T>,
}

/// Runs `body` on a thread and makes sure that it blocks.
fn blocks<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Blocked<T> {
    let (tx, result) = mpsc::channel();
    let thread = thread::spawn(move || drop(tx.send(body())));
    assert!(result.recv_timeout(SOON).is_err(), "it should have waited");
    Blocked { thread, result }
}

impl<T> Blocked<T> {
    /// It goes on now, and ends so.
    fn goes_on(self) -> T {
        let result = self.result.recv_timeout(Duration::from_secs(20));
        self.thread.join().unwrap();
        result.expect("it should have gone on")
    }
}

/// A table with the rows "1=10" and "2=20", and an index on their first byte.
struct Pair {
    table: FileId,
    index: FileId,
    one: Tid,
    two: Tid,
}

fn pair() -> Pair {
    let (table, index) = (create_table(100), create_index(101));
    let mut tx = begin();
    let mut add = |row: &[u8]| {
        let tid = pg_heap_port::insert(&mut tx, table, row).unwrap();
        add_entry(&mut tx, index, &row[..1], tid);
        tid
    };
    let (one, two) = (add(b"1=10"), add(b"2=20"));
    tx.commit().unwrap();
    Pair {
        table,
        index,
        one,
        two,
    }
}

fn update(tx: &mut Transaction, table: FileId, tid: Tid, row: &[u8]) -> Result<Tid, HeapError> {
    match pg_heap_port::update(tx, table, tid, row, true)? {
        UpdateOutcome::Updated { tid, .. } => Ok(tid),
        other => panic!("{other:?}"),
    }
}

fn see(tx: &mut Transaction, pair: &Pair) -> Vec<String> {
    let snapshot = look(tx);
    let all = contents(&snapshot, pair.table).into_iter();
    all.map(|row| String::from_utf8(row).unwrap()).collect()
}

const STALE: Result<UpdateOutcome, HeapError> = Err(HeapError::Txn(TxnError::Serialization));

#[test]
fn dirty_and_intermediate_reads_do_not_happen() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin(), begin());
    look(&mut a);
    let changed = update(&mut a, p.table, p.one, b"1=101").unwrap();
    assert_eq!(see(&mut b, &p), ["1=10", "2=20"]);
    look(&mut a);
    update(&mut a, p.table, changed, b"1=11").unwrap();
    assert_eq!(see(&mut b, &p), ["1=10", "2=20"]);
    a.commit().unwrap();
    assert_eq!(see(&mut b, &p), ["1=11", "2=20"]);
}

#[test]
fn writes_are_not_lost_or_torn() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin(), begin());
    look(&mut a);
    look(&mut b);
    let first = update(&mut a, p.table, p.one, b"1=11").unwrap();
    let (table, one, two) = (p.table, p.one, p.two);
    let waiting = blocks(move || {
        let outcome = pg_heap_port::update(&mut b, table, one, b"1=12", true);
        (b, outcome)
    });
    look(&mut a);
    update(&mut a, p.table, p.two, b"2=21").unwrap();
    a.commit().unwrap();
    let (mut b, outcome) = waiting.goes_on();
    assert_eq!(outcome, Ok(UpdateOutcome::Concurrent { newest: first }));
    let mut row = RowBuf::new();
    assert!(pg_heap_port::fetch_any(table, first, &mut row).unwrap());
    assert_eq!(row.bytes, b"1=11");
    update(&mut b, table, first, b"1=12").unwrap();
    let outcome = pg_heap_port::update(&mut b, table, two, b"2=22", true).unwrap();
    let UpdateOutcome::Concurrent { newest } = outcome else {
        panic!("{outcome:?}");
    };
    update(&mut b, table, newest, b"2=22").unwrap();
    b.commit().unwrap();
    assert_eq!(see(&mut begin(), &p), ["1=12", "2=22"]);
}

#[test]
fn a_waiter_goes_on_when_the_other_rolls_back() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin(), begin_repeatable());
    look(&mut a);
    look(&mut b);
    a.savepoint("s");
    update(&mut a, p.table, p.one, b"1=11").unwrap();
    let (table, one) = (p.table, p.one);
    let waiting = blocks(move || {
        update(&mut b, table, one, b"1=12").unwrap();
        b.commit()
    });
    a.rollback_to("s").unwrap();
    assert_eq!(waiting.goes_on(), Ok(()));
    a.commit().unwrap();
    assert_eq!(see(&mut begin(), &p), ["1=12", "2=20"]);
}

#[test]
fn repeatable_read_keeps_its_snapshot_and_refuses_lost_updates() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let mut old = begin_repeatable();
    assert_eq!(see(&mut old, &p), ["1=10", "2=20"]);
    let (mut a, mut b) = (begin_repeatable(), begin_repeatable());
    look(&mut a);
    look(&mut b);
    update(&mut a, p.table, p.one, b"1=11").unwrap();
    let (table, one) = (p.table, p.one);
    let waiting = blocks(move || pg_heap_port::update(&mut b, table, one, b"1=12", true));
    look(&mut a);
    pg_heap_port::delete(&mut a, p.table, p.two).unwrap();
    a.commit().unwrap();
    assert_eq!(waiting.goes_on(), STALE);
    assert_eq!(see(&mut old, &p), ["1=10", "2=20"]);
    // Pruning and vacuum leave it what it sees.
    let tx = begin();
    let (dead, report) = pg_heap_port::vacuum_collect(&tx, p.table).unwrap();
    assert!(dead.is_empty());
    assert_eq!((report.removed, report.kept_dead), (0, 2));
    assert_eq!(see(&mut old, &p), ["1=10", "2=20"]);
    assert_eq!(lookup(&look(&mut old), p.index, p.table, b"1").len(), 1);
    let gone = Err(HeapError::Txn(TxnError::ConcurrentDelete));
    assert_eq!(pg_heap_port::delete(&mut old, p.table, p.two), gone);
    drop(old);
    assert_eq!(see(&mut begin(), &p), ["1=11"]);
}

#[test]
fn write_skew_is_there_under_repeatable_read() {
    // Pinned as it is: only a serializable level would refuse it.
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin_repeatable(), begin_repeatable());
    assert_eq!(see(&mut a, &p).len() + see(&mut b, &p).len(), 4);
    update(&mut a, p.table, p.one, b"1=11").unwrap();
    update(&mut b, p.table, p.two, b"2=21").unwrap();
    a.commit().unwrap();
    b.commit().unwrap();
    assert_eq!(see(&mut begin(), &p), ["1=11", "2=21"]);
}

#[test]
fn a_row_deleted_meanwhile_is_reported_as_such() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin(), begin());
    look(&mut b);
    look(&mut a);
    pg_heap_port::delete(&mut a, p.table, p.one).unwrap();
    let (table, one) = (p.table, p.one);
    let waiting = blocks(move || pg_heap_port::delete(&mut b, table, one));
    a.commit().unwrap();
    assert_eq!(waiting.goes_on(), Ok(UpdateOutcome::Deleted));
}

#[test]
fn a_command_can_take_back_what_it_inserted() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let mut a = begin();
    look(&mut a);
    let tid = pg_heap_port::insert(&mut a, p.table, b"3=30").unwrap();
    let taken = pg_heap_port::delete(&mut a, p.table, tid);
    assert_eq!(taken, Ok(UpdateOutcome::Updated { tid, hot: false }));
    let again = pg_heap_port::delete(&mut a, p.table, tid);
    assert_eq!(again, Ok(UpdateOutcome::SelfModified));
    let state = pg_heap_port::liveness(&a, p.table, tid);
    assert_eq!(state, Ok(pg_heap_port::Liveness::Dead));
    assert_eq!(see(&mut a, &p), ["1=10", "2=20"]);
    a.commit().unwrap();
    assert_eq!(see(&mut begin(), &p), ["1=10", "2=20"]);
}

#[test]
fn a_command_does_not_change_a_row_twice() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let mut a = begin();
    look(&mut a);
    let new = update(&mut a, p.table, p.one, b"1=11").unwrap();
    let again = pg_heap_port::update(&mut a, p.table, p.one, b"1=12", true);
    assert_eq!(again, Ok(UpdateOutcome::SelfModified));
    let again = pg_heap_port::update(&mut a, p.table, new, b"1=12", true);
    assert_eq!(again, Ok(UpdateOutcome::SelfModified));
    look(&mut a);
    update(&mut a, p.table, new, b"1=12").unwrap();
}

/// Which row locks wait for which.
#[test]
fn row_locks_wait_for_those_they_conflict_with() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let all = [
        RowLock::KeyShare,
        RowLock::Share,
        RowLock::NoKeyUpdate,
        RowLock::Update,
    ];
    for held in all {
        for wanted in all {
            let (mut a, mut b) = (begin(), begin());
            look(&mut a);
            look(&mut b);
            let lock = |tx: &mut Transaction, lock, policy| {
                pg_heap_port::lock_row(tx, p.table, p.one, lock, policy)
            };
            assert_eq!(
                lock(&mut a, held, WaitPolicy::Wait),
                Ok(LockOutcome::Locked)
            );
            let skipped = lock(&mut b, wanted, WaitPolicy::Skip).unwrap();
            let expected = match held.conflicts(wanted) {
                true => LockOutcome::Skipped,
                false => LockOutcome::Locked,
            };
            assert_eq!(skipped, expected, "{held:?} {wanted:?}");
            let nowait = lock(&mut b, wanted, WaitPolicy::NoWait);
            match held.conflicts(wanted) {
                true => assert_eq!(nowait, Err(HeapError::Txn(TxnError::LockNotAvailable))),
                false => {
                    // Both hold it now: the first alone does not let a third in.
                    drop(a);
                    let mut c = begin();
                    look(&mut c);
                    let third = lock(&mut c, RowLock::Update, WaitPolicy::Skip);
                    assert_eq!(third, Ok(LockOutcome::Skipped), "{held:?} {wanted:?}");
                    drop(b);
                    let third = lock(&mut c, RowLock::Update, WaitPolicy::Skip);
                    assert_eq!(third, Ok(LockOutcome::Locked));
                }
            }
        }
    }
    check_heap(p.table);
}

#[test]
fn a_key_share_lock_lets_updates_of_other_columns_pass_and_stays() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin(), begin());
    look(&mut a);
    look(&mut b);
    let lock = |tx: &mut Transaction, tid, lock| {
        pg_heap_port::lock_row(tx, p.table, tid, lock, WaitPolicy::Skip).unwrap()
    };
    assert_eq!(lock(&mut a, p.one, RowLock::KeyShare), LockOutcome::Locked);
    let new = update(&mut b, p.table, p.one, b"1=11").unwrap();
    // One more beside the update in progress.
    let mut c = begin();
    look(&mut c);
    assert_eq!(lock(&mut c, p.one, RowLock::KeyShare), LockOutcome::Locked);
    assert_eq!(lock(&mut c, p.one, RowLock::Share), LockOutcome::Skipped);
    b.commit().unwrap();
    // The first lock went along to the new version.
    let mut d = begin();
    look(&mut d);
    assert_eq!(lock(&mut d, new, RowLock::Update), LockOutcome::Skipped);
    assert_eq!(lock(&mut d, new, RowLock::NoKeyUpdate), LockOutcome::Locked);
    drop(a);
    assert_eq!(lock(&mut d, new, RowLock::Update), LockOutcome::Locked);
}

#[test]
fn a_lock_taken_in_a_part_goes_with_the_part() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin(), begin());
    look(&mut a);
    look(&mut b);
    let lock = |tx: &mut Transaction, lock| {
        pg_heap_port::lock_row(tx, p.table, p.one, lock, WaitPolicy::Skip).unwrap()
    };
    assert_eq!(lock(&mut a, RowLock::KeyShare), LockOutcome::Locked);
    a.savepoint("s");
    assert_eq!(lock(&mut a, RowLock::Update), LockOutcome::Locked);
    assert_eq!(lock(&mut b, RowLock::Share), LockOutcome::Skipped);
    a.rollback_to("s").unwrap();
    assert_eq!(lock(&mut b, RowLock::Update), LockOutcome::Skipped);
    assert_eq!(lock(&mut b, RowLock::Share), LockOutcome::Locked);
}

#[test]
fn the_one_who_closes_a_cycle_is_turned_away() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b) = (begin(), begin());
    for tx in [&mut a, &mut b] {
        tx.set_deadlock_timeout(20_000_000);
        look(tx);
    }
    update(&mut a, p.table, p.one, b"1=11").unwrap();
    update(&mut b, p.table, p.two, b"2=22").unwrap();
    let (table, one, two) = (p.table, p.one, p.two);
    let first = blocks(move || {
        let outcome = pg_heap_port::update(&mut a, table, two, b"2=21", true);
        (a, outcome)
    });
    let second = pg_heap_port::update(&mut b, table, one, b"1=12", true);
    assert_eq!(second, Err(HeapError::Txn(TxnError::Deadlock)));
    drop(b);
    let (a, outcome) = first.goes_on();
    assert!(matches!(outcome, Ok(UpdateOutcome::Updated { .. })));
    a.commit().unwrap();
    assert_eq!(see(&mut begin(), &p), ["1=11", "2=21"]);
}

#[test]
fn waits_end_by_cancel_and_by_timeout() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let mut a = begin();
    look(&mut a);
    a.lock_relation(5, LockMode::AccessExclusive).unwrap();
    update(&mut a, p.table, p.one, b"1=11").unwrap();
    let (table, one) = (p.table, p.one);
    let mut b = begin();
    look(&mut b);
    let cancel = b.cancel_token().clone();
    let waiting = blocks(move || {
        let row = pg_heap_port::delete(&mut b, table, one);
        b.cancel_token().reset();
        (b, row)
    });
    cancel.cancel();
    let (mut b, row) = waiting.goes_on();
    assert_eq!(row, Err(HeapError::Txn(TxnError::Cancelled)));
    b.set_lock_timeout(5_000_000);
    assert_eq!(
        pg_heap_port::delete(&mut b, table, one),
        Err(HeapError::Txn(TxnError::LockTimeout))
    );
    assert_eq!(
        b.lock_relation(5, LockMode::AccessShare),
        Err(TxnError::LockTimeout)
    );
    assert_eq!(
        b.try_lock_relation(5, LockMode::AccessShare),
        Err(TxnError::LockNotAvailable)
    );
    cancel.cancel();
    b.set_lock_timeout(0);
    assert_eq!(
        b.lock_relation(5, LockMode::AccessShare),
        Err(TxnError::Cancelled)
    );
    cancel.reset();
    let waiting = blocks(move || b.lock_relation(5, LockMode::AccessShare));
    drop(a);
    assert_eq!(waiting.goes_on(), Ok(()));
}

#[test]
fn a_unique_key_waits_for_the_one_who_has_it() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let insert = move |tx: &mut Transaction, row: &[u8]| {
        let tid = pg_heap_port::insert(tx, p.table, row).unwrap();
        pg_btree_port::insert(tx, p.index, p.table, &row[..1], tid, true).unwrap()
    };
    let mut a = begin();
    look(&mut a);
    assert_eq!(insert(&mut a, b"1=x"), Inserted::Duplicate(p.one));
    assert_eq!(insert(&mut a, b"3=x"), Inserted::Done);
    let waiting = blocks(move || insert(&mut begin(), b"3=y"));
    a.commit().unwrap();
    assert!(matches!(waiting.goes_on(), Inserted::Duplicate(_)));

    // A delete in progress: free if it commits.
    let mut a = begin();
    look(&mut a);
    pg_heap_port::delete(&mut a, p.table, p.one).unwrap();
    let waiting = blocks(move || insert(&mut begin(), b"1=y"));
    a.commit().unwrap();
    assert_eq!(waiting.goes_on(), Inserted::Done);

    // An insert that is rolled back; and one's own delete.
    let mut a = begin();
    look(&mut a);
    pg_heap_port::delete(&mut a, p.table, p.two).unwrap();
    assert_eq!(insert(&mut a, b"2=z"), Inserted::Done);
    let waiting = blocks(move || insert(&mut begin(), b"2=y"));
    drop(a);
    assert_eq!(waiting.goes_on(), Inserted::Duplicate(p.two));
}

#[test]
fn who_has_given_up_waiting_stands_in_nobodys_way() {
    let _alone = alone();
    let _db = Db::new();
    let p = pair();
    let (mut a, mut b, mut c) = (begin(), begin(), begin());
    for tx in [&mut a, &mut b, &mut c] {
        tx.set_lock_timeout(30_000_000);
        look(tx);
    }
    update(&mut a, p.table, p.one, b"1=11").unwrap();
    b.savepoint("s");
    let gave_up = pg_heap_port::delete(&mut b, p.table, p.one);
    assert_eq!(gave_up, Err(HeapError::Txn(TxnError::LockTimeout)));
    b.rollback_to("s").unwrap();
    let (table, one) = (p.table, p.one);
    let waiting = thread::spawn(move || update(&mut c, table, one, b"1=12").map(|_| c.commit()));
    thread::sleep(Duration::from_millis(5));
    a.rollback();
    assert_eq!(waiting.join().unwrap(), Ok(Ok(())));
    assert_eq!(see(&mut b, &p), ["1=12", "2=20"]);
}
