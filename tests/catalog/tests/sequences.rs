//! Sequences: values once each, across undone transactions and crashes.

use catalog_tests::*;
use pg_catalog_port::CATALOG;
use pg_plan::{AlterSequence, CreateSequence, Ddl};
use pg_txn_port::Transaction;
use pg_types::{Datum, SqlState};
use std::collections::BTreeSet;

fn create_sequence(sequence: &str) {
    run(&Ddl::CreateSequence(CreateSequence {
        name: name(sequence),
        temporary: false,
        if_not_exists: false,
        info: sequence_info(),
        owned_by: None,
    }))
    .expect("a sequence");
}

fn next(tx: &mut Transaction, sequence: u32) -> i64 {
    let catalog = CATALOG.enter().unwrap();
    catalog.nextval(tx, sequence).expect("a value")
}

/// One value in a transaction of its own, as an autocommitted SELECT.
fn next_once(sequence: u32) -> i64 {
    let mut tx = begin();
    let value = next(&mut tx, sequence);
    tx.commit().expect("a commit");
    value
}

fn last(sequence: &str) -> (i64, bool) {
    let relation = look_up(sequence).expect("the sequence");
    let catalog = CATALOG.enter().unwrap();
    let rows = catalog
        .virtual_rows(&mut begin(), &relation)
        .expect("a row");
    match &rows[0][..] {
        [Datum::Int8(value), _, Datum::Bool(called)] => (*value, *called),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_follow_one_another_and_are_not_undone() {
    let _alone = alone();
    let _db = Db::new();
    create_sequence("s");
    let s = look_up("s").unwrap().oid;
    assert_eq!(last("s"), (1, false));
    let mut tx = begin();
    assert_eq!(next(&mut tx, s), 1);
    assert_eq!(next(&mut tx, s), 2);
    tx.rollback();
    assert_eq!(next_once(s), 3);
    assert_eq!(last("s"), (3, true));
    for expected in 4..200 {
        assert_eq!(next_once(s), expected);
    }
    let mut tx = begin();
    let catalog = CATALOG.enter().unwrap();
    catalog.setval(&mut tx, s, 1000, true).unwrap();
    assert_eq!(next(&mut tx, s), 1001);
    catalog.setval(&mut tx, s, 5, false).unwrap();
    assert_eq!(next(&mut tx, s), 5);
    let error = catalog.setval(&mut tx, s, 0, true).unwrap_err();
    assert_eq!(error.code(), SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    assert_eq!(
        error.message(),
        "setval: value 0 is out of bounds for sequence \"s\" (1..9223372036854775807)"
    );
}

#[test]
fn no_value_comes_twice_after_a_crash() {
    let _alone = alone();
    let mut db = Db::new();
    create_sequence("s");
    let s = look_up("s").unwrap().oid;
    let mut given = BTreeSet::new();
    for round in 0..6u64 {
        for _ in 0..=(round * 13) {
            assert!(given.insert(next_once(s)), "round {round}");
        }
        db = db.power_cut(round);
    }
    // Gaps stay small: what was in stock at each crash.
    let span = given.last().unwrap() - given.first().unwrap() + 1;
    assert!(
        span <= given.len() as i64 + 6 * 33,
        "{span} of {}",
        given.len()
    );
    drop(db);
}

#[test]
fn values_are_given_once_to_many_sessions() {
    let _alone = alone();
    let _db = Db::new();
    create_sequence("s");
    let s = look_up("s").unwrap().oid;
    let sessions: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(move || (0..300).map(|_| next_once(s)).collect::<Vec<_>>()))
        .collect();
    let mut given = BTreeSet::new();
    for session in sessions {
        for value in session.join().expect("no panic") {
            assert!(given.insert(value));
        }
    }
    assert_eq!(given.len(), 1200);
    assert!(*given.last().unwrap() <= 1200 + 40 * 33);
}

#[test]
fn a_restart_is_undone_with_its_transaction() {
    let _alone = alone();
    let _db = Db::new();
    create_sequence("s");
    let sequence = look_up("s").unwrap();
    assert_eq!(next_once(sequence.oid), 1);
    let restart = Ddl::AlterSequence(AlterSequence {
        sequence: sequence.clone(),
        info: sequence_info(),
        restart: Some(100),
        owned_by: None,
    });
    let mut tx = begin();
    apply(&mut tx, &restart).unwrap();
    assert_eq!(next(&mut tx, sequence.oid), 100);
    tx.rollback();
    assert_eq!(next_once(sequence.oid), 2);
    run(&restart).unwrap();
    assert_eq!(next_once(sequence.oid), 100);
    assert_eq!(user_files().len(), 1);
}

#[test]
fn a_swap_keeps_the_stock() {
    let _alone = alone();
    let _db = Db::new();
    create_sequence("s");
    let s = look_up("s").unwrap().oid;
    assert_eq!(next_once(s), 1);
    rows::swap(&pg_catalog::CELL);
    assert_eq!(next_once(s), 2);
}
