//! Storage starts anew under the running system: no file stays that nobody knows.

use catalog_tests::*;
use nvme_port::Op;
use pg_catalog_port::{CATALOG, SHARED};
use pg_plan::DropKind;
use pg_wal_port::Durability;
use sim_disk::Fault;
use std::time::{Duration, Instant};

/// The next write of the log fails, and all that follow.
fn break_log(db: &Db) {
    let log = pg_wal_port::superblock().expect("a disk").log_size;
    let first = pg_page::superblock::LOG_OFFSET;
    db.rows.disk.inject(Fault {
        op: Op::WriteDurable,
        range: first..first + log,
        times: u32::MAX,
    });
}

/// What was not durable is lost: storage comes back without it.
fn restart(db: &Db) {
    let _ = pg_wal_port::flush(pg_wal_port::insert_position());
    assert!(pg_wal_port::has_failed());
    db.rows.disk.heal();
    let begun = Instant::now();
    while pg_wal_port::has_failed() || pg_buffer_port::files().is_err() {
        let patience = Duration::from_secs(60);
        assert!(begun.elapsed() < patience, "storage does not come back");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Somebody asks the catalog something.
fn ask_for_version() {
    CATALOG.enter().expect("the catalog").version(&begin());
}

#[test]
fn files_of_a_dropped_table_that_come_back_go_again() {
    let _alone = alone();
    let db = Db::new();
    run(&create_simple("kept")).expect("a table");
    let before = user_files();
    run(&create_simple("gone")).expect("a table");
    let with = user_files();
    run(&drop_one(DropKind::Table, "gone", false)).expect("dropped");
    break_log(&db);
    // The commit is durable, and the next look removes the files: that is not.
    ask_for_version();
    restart(&db);
    assert_eq!(user_files(), with);
    ask_for_version();
    assert_eq!(user_files(), before);
    assert!(look_up("gone").is_none());
    assert!(look_up("kept").is_some());
    // Numbers that were given back may be used again.
    run(&create_simple("gone")).expect("a table");
    ask_for_version();
    assert!(look_up("gone").is_some());
    assert_eq!(user_files().len(), with.len());
}

/// Makes a table whose files are durable and whose commit is not. False when it fails.
fn commit_beside_broken_log(db: &Db) -> bool {
    let mut tx = begin();
    tx.set_durability(Durability::Off);
    apply(&mut tx, &create_simple("lost")).expect("a table");
    pg_wal_port::flush(pg_wal_port::insert_position()).expect("the files are durable");
    break_log(db);
    tx.commit().is_ok()
}

#[test]
fn files_of_a_commit_that_is_lost_go() {
    let _alone = alone();
    let db = Db::new();
    let before = user_files();
    // It does not wait for the disk, so it is committed, unless somebody has met the
    // broken log before.
    while !commit_beside_broken_log(&db) {
        restart(&db);
        ask_for_version();
    }
    // The commit is noticed, and nobody waits for its end any more.
    ask_for_version();
    restart(&db);
    assert_ne!(user_files(), before);
    ask_for_version();
    assert_eq!(user_files(), before);
    assert!(look_up("lost").is_none());
}

#[test]
fn files_of_who_works_after_the_start_stay() {
    let _alone = alone();
    let db = Db::new();
    run(&create_simple("gone")).expect("a table");
    run(&drop_one(DropKind::Table, "gone", false)).expect("dropped");
    let with = user_files();
    break_log(&db);
    ask_for_version();
    restart(&db);
    assert_eq!(user_files(), with);
    // He makes a table, which removes what was left, and others look meanwhile.
    let mut tx = begin();
    apply(&mut tx, &create_simple("new")).expect("a table");
    let new = user_files();
    assert_eq!(new.len(), 2);
    SHARED.suspect();
    ask_for_version();
    assert_eq!(user_files(), new);
    tx.commit().expect("a commit");
    SHARED.suspect();
    ask_for_version();
    assert_eq!(user_files(), new);
    assert!(look_up("new").is_some());
}
