//! Changes of the schema are undone, isolated and durable like any other.

use catalog_tests::*;
use pg_catalog_port::CATALOG;
use pg_plan::{Ddl, DropKind};
use pg_types::SqlState;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn an_undone_creation_leaves_nothing() {
    let _alone = alone();
    let db = Db::new();
    let before = user_files();
    let mut tx = begin();
    apply(&mut tx, &create_simple("t")).expect("a table");
    assert!(find(&mut tx, "t").is_some());
    assert_eq!(user_files().len(), before.len() + 2);
    tx.rollback();
    assert!(look_up("t").is_none());
    assert!(look_up("t_pkey").is_none());
    // The next look or change gives the files back.
    assert_eq!(user_files(), before);
    // And the name is free.
    run(&create_simple("t")).expect("a table");
    assert!(look_up("t").is_some());
    drop(db);
}

#[test]
fn nothing_is_counted_of_relations_that_are_not_there() {
    let _alone = alone();
    let _db = Db::new();
    let counted = || {
        pg_catalog_port::SHARED.settle();
        pg_catalog_port::SHARED.counts().len()
    };
    run(&create_simple("kept")).expect("a table");
    assert!(look_up("kept").is_some());
    let before = counted();
    for round in 0..20 {
        run(&create_simple("t")).expect("a table");
        assert!(look_up("t").is_some());
        assert!(counted() > before, "round {round}");
        run(&drop_one(DropKind::Table, "t", false)).expect("no table");
        assert_eq!(counted(), before, "round {round}");
        let mut tx = begin();
        apply(&mut tx, &create_simple("t")).expect("a table");
        assert!(find(&mut tx, "t").is_some());
        tx.rollback();
        assert_eq!(counted(), before, "round {round}");
    }
}

#[test]
fn a_savepoint_takes_changes_back() {
    let _alone = alone();
    let _db = Db::new();
    let mut tx = begin();
    apply(&mut tx, &create_simple("kept")).expect("a table");
    let outside = CATALOG.enter().unwrap().version(&tx);
    tx.savepoint("s");
    apply(&mut tx, &create_simple("gone")).expect("a table");
    let inside = CATALOG.enter().unwrap().version(&tx);
    assert_ne!(outside, inside);
    assert!(find(&mut tx, "gone").is_some());
    tx.rollback_to("s").expect("back");
    tx.start_command().expect("a command");
    assert!(find(&mut tx, "gone").is_none());
    assert!(find(&mut tx, "kept").is_some());
    assert_ne!(CATALOG.enter().unwrap().version(&tx), inside);
    apply(&mut tx, &create_simple("gone")).expect("the name is free");
    tx.commit().expect("a commit");
    assert!(look_up("gone").is_some() && look_up("kept").is_some());
}

#[test]
fn others_see_a_change_after_its_commit_alone() {
    let _alone = alone();
    let _db = Db::new();
    let mut other = begin_repeatable();
    other.snapshot().expect("a snapshot");
    assert!(find(&mut other, "t").is_none());
    let before = CATALOG.enter().unwrap().version(&other);

    let mut tx = begin();
    apply(&mut tx, &create_simple("t")).expect("a table");
    assert!(find(&mut tx, "t").is_some());
    assert!(find(&mut other, "t").is_none());
    assert_eq!(CATALOG.enter().unwrap().version(&other), before);
    assert_ne!(CATALOG.enter().unwrap().version(&tx), before);
    tx.commit().expect("a commit");
    assert_ne!(CATALOG.enter().unwrap().version(&other), before);
    // The schema is looked at as it is, whatever the isolation.
    let table = find(&mut other, "t").expect("the table");

    let mut tx = begin();
    apply(&mut tx, &drop_one(DropKind::Table, "t", false)).expect("dropped");
    assert!(find(&mut tx, "t").is_none());
    assert_eq!(find(&mut other, "t").expect("still there").oid, table.oid);
    assert!(user_files().contains(&table.file));
    tx.commit().expect("a commit");
    assert!(find(&mut other, "t").is_none());
    assert!(user_files().is_empty());
}

#[test]
fn an_undone_drop_never_happened() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("t")).expect("a table");
    let table = look_up("t").expect("the table");
    let mut tx = begin();
    apply(&mut tx, &drop_one(DropKind::Table, "t", false)).expect("dropped");
    tx.rollback();
    let again = look_up("t").expect("the table");
    assert_eq!((again.oid, again.file), (table.oid, table.file));
    assert_eq!(again.indexes.len(), 1);
    assert!(user_files().contains(&table.file));
}

#[test]
fn a_truncated_table_has_another_file_until_undone() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("t")).expect("a table");
    let table = look_up("t").expect("the table");
    let truncate = Ddl::Truncate {
        tables: vec![table.clone()],
        restart_identity: false,
        cascade: false,
    };
    let mut tx = begin();
    apply(&mut tx, &truncate).expect("truncated");
    let empty = find(&mut tx, "t").expect("the table");
    assert_ne!(empty.file, table.file);
    assert_ne!(empty.indexes[0].file, table.indexes[0].file);
    assert_eq!(empty.oid, table.oid);
    tx.rollback();
    assert_eq!(look_up("t").expect("the table").file, table.file);
    assert_eq!(user_files().len(), 2);

    run(&truncate).expect("truncated");
    let empty = look_up("t").expect("the table");
    assert_ne!(empty.file, table.file);
    let files = user_files();
    assert_eq!(files.len(), 2);
    assert!(files.contains(&empty.file) && !files.contains(&table.file));
}

#[test]
fn what_a_crash_leaves_is_swept_away() {
    let _alone = alone();
    let db = Db::new();
    run(&create_simple("kept")).expect("a table");
    let mut tx = begin();
    apply(&mut tx, &create_simple("lost")).expect("a table");
    // Another commit makes the files of the first one durable.
    run(&create_simple("kept_too")).expect("a table");
    std::mem::forget(tx);
    let db = db.power_cut(7);
    assert_eq!(db.opened.orphans, 2);
    assert!(look_up("lost").is_none());
    assert!(look_up("kept").is_some() && look_up("kept_too").is_some());
    assert_eq!(user_files().len(), 4);
    // Ids are never given twice.
    run(&create_simple("lost")).expect("a table");
    assert!(look_up("lost").unwrap().oid > look_up("kept_too").unwrap().oid);
}

#[test]
fn a_crash_keeps_what_was_committed() {
    let _alone = alone();
    let mut db = Db::new();
    for round in 0..4 {
        let name = format!("t{round}");
        run(&create_simple(&name)).expect("a table");
        let mut open = begin();
        apply(&mut open, &create_simple("open")).expect("a table");
        std::mem::forget(open);
        db = db.power_cut(round);
        for before in 0..=round {
            let table = look_up(&format!("t{before}")).expect("a table of before");
            assert_eq!(table.indexes.len(), 1);
        }
        assert!(look_up("open").is_none());
    }
    drop(db);
}

#[test]
fn one_name_is_given_to_one_of_two() {
    let _alone = alone();
    let _db = Db::new();
    let mut first = begin();
    apply(&mut first, &create_simple("t")).expect("a table");
    let second = std::thread::spawn(|| run(&create_simple("t")).map(|_| ()));
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!second.is_finished(), "the second waits for the first");
    first.commit().expect("a commit");
    let error = second.join().unwrap().expect_err("the name is taken");
    assert_eq!(error.code(), SqlState::DUPLICATE_TABLE);
    assert_eq!(error.message(), "relation \"t\" already exists");
    assert_eq!(user_files().len(), 2);
}

#[test]
fn lookups_beside_changes_see_whole_tables() {
    let _alone = alone();
    let _db = Db::new();
    static STOP: AtomicBool = AtomicBool::new(false);
    STOP.store(false, Ordering::SeqCst);
    let lookers: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(|| {
                let mut seen = 0u32;
                while !STOP.load(Ordering::SeqCst) {
                    if let Some(table) = look_up("t") {
                        assert_eq!(table.desc.len(), 2);
                        assert_eq!(table.indexes.len(), 1);
                        seen += 1;
                    }
                }
                seen
            })
        })
        .collect();
    for round in 0..30 {
        run(&create_simple("t")).expect("a table");
        let mut undone = begin();
        apply(&mut undone, &drop_one(DropKind::Table, "t", false)).expect("dropped");
        undone.rollback();
        assert!(look_up("t").is_some(), "round {round}");
        run(&drop_one(DropKind::Table, "t", false)).expect("dropped");
        assert!(look_up("t").is_none(), "round {round}");
    }
    STOP.store(true, Ordering::SeqCst);
    let seen: u32 = lookers
        .into_iter()
        .map(|l| l.join().expect("no panic"))
        .sum();
    println!("seen {seen} times");
    assert!(look_up("t").is_none());
    assert!(user_files().is_empty());
}

#[test]
fn a_new_generation_knows_who_is_changing_what() {
    let _alone = alone();
    let _db = Db::new();
    let mut tx = begin();
    apply(&mut tx, &create_simple("t")).expect("a table");
    rows::swap(&pg_catalog::CELL);
    // Fills the new generation's cache.
    assert!(look_up("t").is_none());
    assert!(find(&mut tx, "t").is_some());
    rows::swap(&pg_catalog::CELL);
    tx.commit().expect("a commit");
    assert!(look_up("t").is_some());
}
