//! What a simulation promises.

use super::*;
use crate::{SpawnOptions, current, interleave, spawn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec;

fn race(seed: u64) -> (Vec<u64>, Outcome) {
    run(Plan::of(seed), || {
        let order = Arc::new(Mutex::new(Vec::new()));
        let start = crate::now();
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let order = Arc::clone(&order);
                let body = move || {
                    for _ in 0..200 {
                        interleave();
                        lock(&order).push(n);
                    }
                    crate::sleep(1_000_000_000);
                };
                spawn(SpawnOptions::new("racer"), body).unwrap()
            })
            .collect();
        tasks.iter().for_each(join);
        assert!(crate::now() >= start + 1_000_000_000);
        lock(&order).clone()
    })
}

#[test]
fn a_seed_decides_the_order_and_time_costs_nothing() {
    let begun = std::time::Instant::now();
    let orders: Vec<_> = (0..20).map(race).collect();
    assert!((0..20).map(race).eq(orders.iter().cloned()));
    let mut different = orders;
    different.sort_by_key(|o| o.1.hash);
    different.dedup();
    assert_eq!(different.len(), 20);
    assert!(begun.elapsed().as_secs() < 20 + 20);
}

#[test]
fn parks_are_tokens_and_events_interrupt() {
    let ((), outcome) = run(Plan::of(1), || {
        let me = current();
        me.unpark();
        crate::park();
        let fired = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&fired);
        after(5_000_000, move || {
            seen.store(crate::now(), Ordering::SeqCst);
            me.unpark();
        });
        crate::park();
        assert!(fired.load(Ordering::SeqCst) >= 5_000_000);
        let before = crate::now();
        crate::park_until(before + 700);
        assert_eq!(crate::now(), before + 700);
        assert_eq!(tasks(), vec!["main"]);
    });
    assert!(outcome.time >= 5_000_700);
    assert!(!is_running());
}
