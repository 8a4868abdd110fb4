//! The transaction manager by itself, without storage.

use super::*;
use pg_txn_port::XidStatus;
use std::vec::Vec;

fn manager() -> Manager {
    let state = TxnState::new(Xid::FIRST);
    state.with(|s| s.reserved = 1_000_000).unwrap();
    Manager {
        state,
        kept: port::Kept::of(None, false),
    }
}

fn assign(m: &Manager, proc: ProcId) -> Xid {
    match m.assign(proc).unwrap() {
        Assigned::Xid(xid) => xid,
        Assigned::Reserve(_) => panic!("nothing reserved"),
    }
}

fn waits(reply: &WaitReply) -> bool {
    matches!(reply, WaitReply::Wait(done) if done.poll().is_none())
}

const T: LockTarget = LockTarget::relation(7);
const U: LockTarget = LockTarget::relation(8);

#[test]
fn a_snapshot_holds_who_ran_and_is_shared_until_someone_ends() {
    let m = manager();
    let (a, b) = (m.begin(), m.begin());
    let xa = assign(&m, a);
    let first = m.active_set(b, Keep::NOTHING, false).unwrap();
    assert_eq!((first.xmin, first.xmax), (xa, Xid(xa.0 + 1)));
    assert_eq!(first.running, [xa]);
    let xb = assign(&m, b);
    let second = m.active_set(a, Keep::NOTHING, false).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    m.end(a, true);
    assert_eq!(m.status(xa), StatusReply::Known(XidStatus::Committed));
    assert_eq!(m.status(xb), StatusReply::Known(XidStatus::InProgress));
    let third = m.active_set(b, Keep::solid(first.xmin), false).unwrap();
    assert_eq!(third.running, [xb]);
    assert_eq!(first.running, [xa]);
    // The first snapshot is still in use.
    assert_eq!(m.horizon(), xa);
    m.advertise(b, Keep::NOTHING).unwrap();
    assert_eq!(m.horizon(), xb);
}

#[test]
fn a_place_is_used_again_but_its_former_owner_is_turned_away() {
    let m = manager();
    let a = m.begin();
    m.end(a, false);
    let b = m.begin();
    assert_eq!(
        (a.slot, m.active_set(a, Keep::NOTHING, false).is_err()),
        (b.slot, true)
    );
    m.end(a, true);
    assert!(m.active_set(b, Keep::NOTHING, false).is_ok());
}

#[test]
fn ids_run_out_at_the_reserved_limit() {
    let m = manager();
    m.state.with(|s| s.reserved = 4).unwrap();
    let a = m.begin();
    assert_eq!(assign(&m, a), Xid(3));
    let limit = Xid(4 + commit_log::BATCH);
    assert_eq!(m.assign(a), Ok(Assigned::Reserve(limit)));
    m.reserved(limit);
    assert_eq!(assign(&m, a), Xid(4));
}

#[test]
fn weak_locks_give_way_to_order_once_someone_wants_a_strong_one() {
    let m = manager();
    let procs: Vec<_> = (0..4).map(|_| m.begin()).collect();
    let lock = |at: usize, mode| m.lock(procs[at], T, mode, false).unwrap();
    assert!(!waits(&lock(0, LockMode::RowExclusive)));
    assert!(!waits(&lock(1, LockMode::AccessShare)));
    assert!(m.state.with(|s| s.locks.is_empty()).unwrap());
    let strong = lock(2, LockMode::Share);
    assert!(waits(&strong));
    // A newcomer that conflicts with the waiting one stands behind it; one
    // that does not passes.
    let behind = lock(3, LockMode::RowExclusive);
    assert!(waits(&behind));
    assert!(!waits(&lock(1, LockMode::RowShare)));
    assert!(m.lock(procs[1], T, LockMode::Exclusive, true).is_err());
    m.end(procs[0], true);
    assert!(!waits(&strong) && waits(&behind));
    m.end(procs[2], true);
    assert!(!waits(&behind));
    assert!(m.state.with(|s| s.locks.is_empty()).unwrap());
    m.end(procs[1], true);
    m.end(procs[3], true);
    let none = |s: &mut Shared| s.procs.iter().all(|p| p.weak.is_empty());
    assert!(m.state.with(none).unwrap());
}

#[test]
fn giving_up_lets_those_behind_go_on() {
    let m = manager();
    let (a, b, c) = (m.begin(), m.begin(), m.begin());
    m.lock(a, T, LockMode::AccessShare, false).unwrap();
    let strong = m.lock(b, T, LockMode::AccessExclusive, false).unwrap();
    let behind = m.lock(c, T, LockMode::AccessShare, false).unwrap();
    assert!(waits(&strong) && waits(&behind));
    assert_eq!(m.stop_waiting(b), Ok(false));
    assert!(!waits(&behind));
    assert_eq!(m.stop_waiting(c), Ok(true));
}

#[test]
fn cycles_are_found_through_ids_locks_and_queues() {
    let m = manager();
    let (a, b, c) = (m.begin(), m.begin(), m.begin());
    let xa = assign(&m, a);
    m.lock(b, T, LockMode::Exclusive, false).unwrap();
    m.lock(c, U, LockMode::AccessShare, false).unwrap();
    // a waits for b's lock, b for c behind a queue, c for a's id.
    assert!(waits(&m.lock(a, T, LockMode::Share, false).unwrap()));
    assert!(waits(
        &m.lock(b, U, LockMode::AccessExclusive, false).unwrap()
    ));
    for proc in [a, b, c] {
        assert_eq!(m.is_deadlocked(proc), Ok(false));
    }
    let reply = m.wait_for(c, xa).unwrap();
    assert!(waits(&reply));
    for proc in [a, b, c] {
        assert_eq!(m.is_deadlocked(proc), Ok(true));
    }
    m.end(a, false);
    assert!(!waits(&reply));
    assert_eq!(m.is_deadlocked(b), Ok(false));
    assert!(!waits(&m.wait_for(c, xa).unwrap()));
}

#[test]
fn an_upgrade_passes_those_who_wait_for_it() {
    let m = manager();
    let (a, b) = (m.begin(), m.begin());
    m.lock(a, T, LockMode::Share, false).unwrap();
    let other = m.lock(b, T, LockMode::RowExclusive, false).unwrap();
    assert!(waits(&other));
    assert!(!waits(&m.lock(a, T, LockMode::Exclusive, false).unwrap()));
    m.end(a, true);
    assert!(!waits(&other));
}

#[test]
fn rolling_back_a_part_wakes_those_who_wait_for_it_alone() {
    let m = manager();
    let (a, b, c) = (m.begin(), m.begin(), m.begin());
    let (top, sub) = (assign(&m, a), assign(&m, a));
    let for_top = m.wait_for(b, top).unwrap();
    let for_sub = m.wait_for(c, sub).unwrap();
    m.abort_ids(a, &[sub]).unwrap();
    assert!(waits(&for_top) && !waits(&for_sub));
    assert_eq!(m.status(sub), StatusReply::Known(XidStatus::Aborted));
    m.end(a, true);
    assert!(!waits(&for_top));
    assert_eq!(m.status(sub), StatusReply::Known(XidStatus::Aborted));
    assert_eq!(m.status(top), StatusReply::Known(XidStatus::Committed));
}

#[test]
fn row_holders_count_for_as_long_as_they_run() {
    let m = manager();
    let (a, b) = (m.begin(), m.begin());
    let (xa, xb) = (assign(&m, a), assign(&m, b));
    let row = RowKey {
        file: 4,
        block: 0,
        slot: 1,
    };
    for (xid, lock) in [
        (xa, RowLock::KeyShare),
        (xb, RowLock::Share),
        (xa, RowLock::Share),
    ] {
        m.add_row_holder(row, RowHolder { xid, lock }).unwrap();
    }
    assert_eq!(m.row_holders(row).len(), 2);
    m.end(b, true);
    let left = m.row_holders(row);
    assert_eq!(
        left,
        [RowHolder {
            xid: xa,
            lock: RowLock::Share
        }]
    );
    m.end(a, true);
    for block in 1..1000 {
        let (p, row) = (m.begin(), RowKey { block, ..row });
        let xid = assign(&m, p);
        m.add_row_holder(
            row,
            RowHolder {
                xid,
                lock: RowLock::Share,
            },
        )
        .unwrap();
        m.end(p, true);
    }
    assert!(m.state.with(|s| s.rows.len()).unwrap() < 200);
}

#[test]
fn old_ids_that_still_run_are_known_to_run() {
    let m = manager();
    let old = m.begin();
    let xid = assign(&m, old);
    let other = m.begin();
    for _ in 0..2 * pg_txn_port::state::Recent::WINDOW {
        assign(&m, other);
    }
    assert_eq!(m.status(xid), StatusReply::Known(XidStatus::InProgress));
    m.end(old, true);
    assert_eq!(m.status(xid), StatusReply::InLog);
}

use pg_txn_port::RowLock;

#[test]
fn a_fault_under_the_lock_loses_the_state_and_stops_nobody() {
    let m = manager();
    let a = m.begin();
    let xid = assign(&m, a);
    let fault = task_port::gate(|| m.state.with(|_| panic!("half done")).is_some());
    assert!(fault.is_err() && m.state.is_torn());
    // Lost for those inside, and for whoever comes.
    assert_eq!(m.may_commit(a), Err(TxnError::Serialization));
    assert!(m.assign(m.begin()).is_err());
    let running = StatusReply::Known(XidStatus::InProgress);
    assert!(m.status(xid) == running && m.horizon() == Xid::INVALID);
    m.end(a, true);
}

#[test]
fn a_sessions_locks_are_its_transactions_own_and_outlive_them() {
    let m = manager();
    let key = LockTarget::advisory(7);
    let (a, session, b) = (m.begin(), m.begin(), m.begin());
    m.attach(a, session).unwrap();
    let lock = |proc, mode| m.lock_for_session(proc, key, mode, false).unwrap();
    assert!(!waits(&lock(a, LockMode::Exclusive)));
    // Its own transactions pass, now and later.
    assert!(!waits(&m.lock(a, key, LockMode::Exclusive, false).unwrap()));
    m.end(a, true);
    let c = m.begin();
    m.attach(c, session).unwrap();
    assert!(!waits(&m.lock(c, key, LockMode::Share, false).unwrap()));
    // Another's wait, which closes a circle through the session.
    let xb = assign(&m, b);
    let waiting = m.lock(b, key, LockMode::Exclusive, false).unwrap();
    assert!(waits(&waiting));
    assert!(waits(&m.wait_for(c, xb).unwrap()));
    assert_eq!(m.is_deadlocked(b), Ok(true));
    m.end(c, false);
    assert!(waits(&waiting));
    m.unlock(session, key, LockMode::Exclusive).unwrap();
    assert!(!waits(&waiting));
    m.end(session, false);
    m.end(b, false);
}
