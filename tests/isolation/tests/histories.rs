//! Histories of lists: what happens at SERIALIZABLE has a serial order, also
//! while cells are swapped; and at REPEATABLE READ it has not, which shows that
//! the search finds what is there.

mod common;

use common::Mitos;
use isolation::history::{Anomaly, End, Txn, check};
use isolation::interleave;
use isolation::server::Server;
use isolation::workload::{Plan, free};
use rows::{alone, swap};
use std::thread;
use std::time::Duration;

const SERIALIZABLE: Plan = Plan {
    level: "SERIALIZABLE",
    keys: 4,
    ops: 4,
};

fn committed(history: &[Txn]) -> usize {
    history.iter().filter(|t| t.end == End::Committed).count()
}

#[test]
fn serializable_histories_have_a_serial_order() {
    let _alone = alone();
    let mitos = Mitos::start();
    for seed in 0..12 {
        let history = interleave::history(&mitos, SERIALIZABLE, seed, 5, 400);
        assert_eq!(check(&history), [], "seed {seed}");
        let (committed, all) = (committed(&history), history.len());
        assert!(
            committed > 20,
            "seed {seed}: {committed} of {all} committed"
        );
        assert!(committed < all, "seed {seed}: nobody failed, so nobody met");
    }
}

#[test]
fn repeatable_read_shows_write_skew_and_nothing_worse() {
    let _alone = alone();
    let mitos = Mitos::start();
    let plan = Plan {
        level: "REPEATABLE READ",
        ..SERIALIZABLE
    };
    let mut skews = 0;
    for seed in 0..4 {
        let history = interleave::history(&mitos, plan, seed, 5, 400);
        let found = check(&history);
        let skew = |a: &Anomaly| matches!(a, Anomaly::G2(_));
        assert!(found.iter().all(skew), "seed {seed}: {found:?}");
        skews += found.len();
    }
    assert!(skews > 0, "no write skew was found");
}

#[test]
fn read_committed_shows_lost_updates_or_read_skew() {
    let _alone = alone();
    let mitos = Mitos::start();
    let plan = Plan {
        level: "READ COMMITTED",
        ..SERIALIZABLE
    };
    let mut found = Vec::new();
    for seed in 0..4 {
        let history = interleave::history(&mitos, plan, seed, 5, 400);
        found.extend(check(&history));
    }
    let grave = |a: &Anomaly| {
        matches!(
            a,
            Anomaly::G0(_) | Anomaly::G1c(_) | Anomaly::AbortedRead(..) | Anomaly::LostAppend(..)
        )
    };
    assert!(!found.iter().any(grave), "{found:?}");
    let single = |a: &Anomaly| matches!(a, Anomaly::GSingle(_));
    assert!(found.iter().any(single), "{found:?}");
}

/// Threads that meet as they may, while the cells of rows are swapped under them.
#[test]
fn serializable_holds_while_cells_are_swapped() {
    let _alone = alone();
    let mitos = Mitos::start();
    let cells = [&pg_txn::CELL, &pg_heap::CELL, &pg_btree::CELL];
    let history = free(mitos.port(), SERIALIZABLE, 4, (2_000, 60), |round| {
        swap(cells[round as usize % cells.len()]);
        thread::sleep(Duration::from_millis(1));
    });
    assert_eq!(check(&history), []);
    assert!(
        committed(&history) > 50,
        "{} committed",
        committed(&history)
    );
}
