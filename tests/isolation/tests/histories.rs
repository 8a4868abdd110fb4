//! Histories of lists: what happens at SERIALIZABLE has a serial order, also
//! while cells are swapped; and at REPEATABLE READ it has not, which shows that
//! the search finds what is there.

use isolation::client::Client;
use isolation::history::{Anomaly, End, Txn, check};
use isolation::interleave;
use isolation::server::{Mitos, Server};
use isolation::workload::{Actor, Plan, SETUP, last_reads};
use rows::{alone, swap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
    let mut control = Client::connect(mitos.port()).expect("a connection");
    for sql in SETUP {
        assert_eq!(control.query(sql).expect("an answer").error, None);
    }
    let stop = AtomicBool::new(false);
    let ended = AtomicU32::new(0);
    let port = mitos.port();
    let mut history = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let (stop, ended) = (&stop, &ended);
                scope.spawn(move || {
                    let mut client = Client::connect(port).expect("a connection");
                    let mut actor = Actor::new(SERIALIZABLE, 7, number);
                    while !stop.load(Ordering::Relaxed) || !actor.is_idle() {
                        let answer = client.query(&actor.next()).expect("an answer");
                        actor.answered(Some(&answer));
                        ended.fetch_add(1, Ordering::Relaxed);
                    }
                    actor.done
                })
            })
            .collect();
        let mut swaps = 0;
        // As many statements as show something, however slow the machine is.
        while ended.load(Ordering::Relaxed) < 2_000 || swaps < 60 {
            for cell in [&pg_txn::CELL, &pg_heap::CELL, &pg_btree::CELL] {
                swap(cell);
                swaps += 1;
            }
            thread::sleep(Duration::from_millis(2));
        }
        stop.store(true, Ordering::Relaxed);
        let done = clients
            .into_iter()
            .flat_map(|c| c.join().expect("no fault"));
        done.collect::<Vec<Txn>>()
    });
    history.push(last_reads(&mut control, SERIALIZABLE.keys));
    assert_eq!(check(&history), []);
    assert!(
        committed(&history) > 50,
        "{} committed",
        committed(&history)
    );
}
