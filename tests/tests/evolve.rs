//! Promise: versions come and go under load. State goes up and down between
//! schemas, what cannot be used changes nothing, what is no longer needed is
//! forgotten, and a version that faults gives way to the last good one.

#[path = "database/bank.rs"]
mod bank;

use bank::{Load, check, set_up};
use cell_archive::write::{NewEntry, archive};
use mitos::client::ClientError;
use mitos::pipeline::{self, Parts};
use mitos::push;
use system_tests::Guest;

const CLIENTS: usize = 4;

fn parts() -> Parts {
    pipeline::prepare(system_tests::image()).expect("the image was built before")
}

/// The cell as it would be pushed.
fn entry(parts: &Parts, name: &str) -> NewEntry {
    let cell = parts.cells.iter().find(|cell| cell.name == name);
    cell.expect("the cell is part of the image").entry()
}

/// Another version of a cell: the same code in an object that is told apart.
fn version(parts: &Parts, name: &str, number: u64) -> Vec<u8> {
    let mut entry = entry(parts, name);
    entry.payload.extend_from_slice(&number.to_le_bytes());
    archive(&[entry], &parts.keys.secret)
}

/// The line of `cells` about a cell.
fn line(guest: &Guest, name: &str) -> String {
    let cells = guest.shell("cells");
    let start = format!("{name} ");
    let line = cells.lines().find(|line| line.starts_with(&start));
    line.expect("the cell is listed").to_string()
}

/// A figure of `mem`, in KiB.
fn memory(guest: &Guest, what: &str) -> i64 {
    let text = guest.shell("mem");
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with(what));
    let line = line.unwrap_or_else(|| panic!("no `{what}` in:\n{text}"));
    let mut words = line.split_whitespace().rev();
    assert_eq!(words.next(), Some("KiB"), "{line}");
    words.next().and_then(|n| n.parse().ok()).expect("a number")
}

/// The last number in a line of `mem`.
fn memory_line(guest: &Guest, what: &str) -> u64 {
    let text = guest.shell("mem");
    let line = text.lines().find(|line| line.starts_with(what));
    let number = line.and_then(|line| line.split_whitespace().next_back());
    number.and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn states_change_their_shape_up_and_down_under_load() {
    const CELLS: [&str; 4] = ["pg_wal", "pg_buffer", "pg_txn", "net"];
    let features: Vec<String> = CELLS.iter().map(|cell| format!("{cell}/lineage")).collect();
    let features: Vec<&str> = features.iter().map(String::as_str).collect();
    let guest = Guest::boot();
    set_up(&guest);
    let load = Load::start(guest.port(), CLIENTS);
    for round in 0..2 {
        load.advance(CLIENTS as u64);
        // One by one on the way up, as one set on the way down.
        for cell in CELLS {
            print!("up {round}: {}", guest.push_variant(&[cell], &features));
            load.advance(CLIENTS as u64);
            // A handover between two of the later version.
            print!("along {round}: {}", guest.shell(&format!("swap {cell}")));
            load.advance(CLIENTS as u64);
        }
        print!("down {round}: {}", guest.push(&CELLS));
    }
    load.advance(CLIENTS as u64);
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(check(&guest), tally.committed);
    for cell in CELLS {
        let history = guest.shell(&format!("cells --history {cell}"));
        assert_eq!(history.matches("\nversion").count(), 2, "{history}");
        assert!(!history.contains("refused"), "{history}");
    }
}

#[test]
fn a_port_is_replaced_with_all_cells_that_use_it_under_load() {
    let guest = Guest::boot();
    set_up(&guest);
    let load = Load::start(guest.port(), CLIENTS);
    let loaded = || memory_line(&guest, "cells loaded");
    let before = loaded();
    for round in 0..3 {
        load.advance(CLIENTS as u64);
        let answer = guest.push(&["pg_parser_port", "pg_planner_port"]);
        print!("round {round}: {answer}");
        for cell in ["pg_parser_port", "pg_planner", "pg_wire"] {
            assert!(answer.contains(cell), "{answer}");
        }
    }
    load.advance(CLIENTS as u64);
    // Nothing replaces a port that does not say how it moves.
    let fixed = push::pack(&parts(), &["nvme_port", "nvme"].into());
    let refused = guest.push_archive(&fixed.archive);
    let why = format!("{refused:?}");
    assert!(matches!(refused, Err(ClientError::Refused(_))), "{why}");
    assert!(why.contains("nvme_port has statics"), "{why}");
    load.advance(CLIENTS as u64);
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(check(&guest), tally.committed);
    let all = guest.shell("cells --all");
    let port = all.lines().find(|line| line.starts_with("pg_parser_port "));
    assert!(
        port.is_some_and(|line| line.contains("generation 4")),
        "{port:?}"
    );
    // The last former generation goes with its probation.
    guest.shell("swap counter");
    let limit = std::time::Instant::now() + system_tests::LIMIT;
    while loaded() > before + 1 {
        assert!(
            std::time::Instant::now() < limit,
            "{before} cells were loaded, now {}",
            loaded()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn an_archive_that_cannot_be_used_leaves_the_old_cell_serving_under_load() {
    let guest = Guest::boot();
    set_up(&guest);
    let parts = parts();
    let good = entry(&parts, "pg_heap");
    let key = &parts.keys.secret;
    let with = |change: &dyn Fn(&mut NewEntry)| {
        let mut entry = good.clone();
        change(&mut entry);
        archive(&[entry], key)
    };
    let mut altered = archive(std::slice::from_ref(&good), key);
    let end = altered.len() - 5000;
    altered[end] ^= 1;
    let cases = [
        ("signed", archive(std::slice::from_ref(&good), &[9; 32])),
        ("the one that was signed", altered),
        ("not a cell object", with(&|entry| entry.payload.fill(0xA5))),
        (
            "truncated",
            with(&|entry| entry.payload.truncate(entry.payload.len() / 2)),
        ),
        (
            "another version of pg_txn_port",
            with(&|entry| {
                let used = entry.uses.iter_mut().find(|u| u.name == "pg_txn_port");
                used.expect("a heap asks who sees a row").fingerprint ^= 1;
            }),
        ),
        ("no cell", archive(&[], key)),
    ];
    let load = Load::start(guest.port(), CLIENTS);
    for (expected, archive) in &cases {
        load.advance(CLIENTS as u64);
        match guest.push_archive(archive) {
            Err(ClientError::Refused(why)) => assert!(why.contains(expected), "{expected}: {why}"),
            other => panic!("{expected}: {other:?}"),
        }
        load.advance(CLIENTS as u64);
        let heap = line(&guest, "pg_heap");
        assert!(heap.contains("swaps 0"), "{expected}: {heap}");
    }
    guest.push(&["pg_heap"]);
    load.advance(CLIENTS as u64);
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(check(&guest), tally.committed);
}

#[test]
fn many_versions_are_pushed_some_are_kept_the_rest_is_forgotten() {
    let guest = Guest::boot();
    let parts = parts();
    let push = |number: u64| {
        let archive = version(&parts, "counter", number);
        guest.push_archive(&archive).expect("the version is taken");
    };
    // So many that the history has dropped its first half, and all is warm.
    for number in 0..20 {
        push(number);
    }
    let (heap, cells) = (
        memory(&guest, "heap objects"),
        memory(&guest, "cells and stacks"),
    );
    for number in 20..220 {
        push(number);
    }
    let one = (entry(&parts, "counter").payload.len() / 1024) as i64;
    let (grown, mapped) = (
        memory(&guest, "heap objects") - heap,
        memory(&guest, "cells and stacks") - cells,
    );
    println!("200 pushes of {one} KiB: heap {grown} KiB, mapped {mapped} KiB more");
    // The history may grow; two hundred archives must not be kept.
    assert!(grown < 20 * one.max(10), "the heap grew by {grown} KiB");
    assert!(mapped <= 128, "{mapped} KiB of dead cells are mapped");
    let newest = line(&guest, "counter");
    assert!(newest.contains("generation 221"), "{newest}");
    // What is kept can be gone back to, and the boot's version always.
    print!("{}", guest.shell("rollback counter"));
    print!("{}", guest.shell("rollback counter 219"));
    print!("{}", guest.shell("rollback counter 1"));
    let gone = guest.try_shell("rollback counter 100");
    assert!(matches!(gone, Err(ClientError::Refused(_))), "{gone:?}");
    let history = guest.shell("cells --history counter");
    let boot = history.lines().find(|line| line.contains("from the boot"));
    assert!(
        boot.is_some_and(|line| line.ends_with("runs now")),
        "{history}"
    );
    assert_eq!(history.matches("rolled back").count(), 3, "{history}");
}

#[test]
fn a_version_that_faults_again_gives_way_to_the_last_good_one() {
    let guest = Guest::boot();
    let parts = parts();
    guest.sql("create table t (a int)");
    for number in 1..=5 {
        guest
            .push_archive(&version(&parts, "pg_parser", number))
            .expect("the version is taken");
        wait_for(&guest, "good  generations", number as usize + 1);
        // Twice in a row: a fresh instance, then another version, unless the
        // machine was so slow that the first was forgotten.
        for _ in 0..2 {
            let before = line(&guest, "pg_parser");
            guest.shell("crash pg_parser null");
            let _ = guest.try_sql(&format!("select a, {number} from t"));
            while line(&guest, "pg_parser") == before {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        assert_eq!(guest.sql("select count(*) from t"), "0");
        let history = guest.shell("cells --history pg_parser");
        if history.contains("last good version after another fault") {
            let bad = history.lines().find(|line| line.contains("  bad  "));
            assert!(
                bad.is_some_and(|line| !line.ends_with("runs now")),
                "{history}"
            );
            return;
        }
    }
    panic!("{}", guest.shell("cells --history pg_parser"));
}

/// Waits until the history of the parser says `what` so many times.
fn wait_for(guest: &Guest, what: &str, times: usize) {
    let limit = std::time::Instant::now() + system_tests::LIMIT;
    loop {
        let history = guest.shell("cells --history pg_parser");
        if history.matches(what).count() >= times.min(5) {
            return;
        }
        assert!(std::time::Instant::now() < limit, "{history}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
