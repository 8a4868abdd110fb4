//! Swaps: under load, a thousand times, and when the new cell fails.

use crate::run::{Test, Verdict, check};
use crate::tasks::together;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use counter_port::COUNTER;
use memory::frames;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use swap_port::Reason;
use sync::Mutex;
use task_port::{SpawnOptions, spawn};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "swap_under_load",
        run: swap_under_load,
    },
    Test {
        name: "every_cell_ten_times",
        run: every_cell_ten_times,
    },
    Test {
        name: "swap_refused",
        run: swap_refused,
    },
    Test {
        name: "thousand_swaps",
        run: thousand_swaps,
    },
];

fn get() -> Result<u64, alloc::string::String> {
    Ok(COUNTER.enter().map_err(|e| format!("{e}"))?.get())
}

fn swap_under_load() -> Verdict {
    let before = get()?;
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let (halt, tally) = (Arc::clone(&stop), Arc::clone(&calls));
    spawn(SpawnOptions::new("swapper"), move || {
        let mut worst = 0;
        for _ in 0..50 {
            match swap_port::swap(&["counter"], Reason::Asked) {
                Ok(record) => worst = worst.max(record.pause),
                Err(failure) => log::error!("{failure}"),
            }
        }
        log::info!("50 swaps, longest pause {} us", worst / 1000);
        halt.store(true, Ordering::SeqCst);
    })
    .map_err(|e| format!("{e:?}"))?;
    together(4, move |_| {
        while !stop.load(Ordering::SeqCst) {
            COUNTER.enter().expect("the counter is there").increment();
            tally.fetch_add(1, Ordering::SeqCst);
        }
    })?;
    let (after, calls) = (get()?, calls.load(Ordering::SeqCst));
    check!(
        after == before + calls,
        "{calls} calls, but the count went from {before} to {after}"
    );
    Ok(())
}

/// Whether a cell stands behind its doors.
fn serves(cell: &Loaded) -> bool {
    let doors = cell.cell().map_or(&[][..], |cell| cell.provides);
    let behind = |door: &port::DoorRef| {
        let status = door.status();
        status.cell.is_some_and(|c| c.0.name() == cell.name)
    };
    !doors.is_empty() && doors.iter().all(behind)
}

/// Everything that is behind a port is swapped, the swap itself and the captain
/// among it, while tasks call a cell, sleep and are scheduled.
fn every_cell_ten_times() -> Verdict {
    let cells = NAMESPACE.cells();
    let names: Vec<String> = cells
        .iter()
        .filter(|cell| serves(cell))
        .map(|cell| cell.name.clone())
        .collect();
    drop(cells);
    for wanted in [
        "captain", "console", "sched", "shell", "swap", "time", "net",
    ] {
        check!(names.iter().any(|n| n == wanted), "{wanted} is not running");
    }
    let before = get()?;
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let verdict = Arc::new(Mutex::new(Ok(())));
    let (halt, told, tally) = (Arc::clone(&stop), Arc::clone(&verdict), Arc::clone(&calls));
    let swapper = move || {
        let done = swap_all(&names);
        *told.lock() = done;
        halt.store(true, Ordering::SeqCst);
    };
    spawn(SpawnOptions::new("swapper").stack(128 * 1024), swapper).map_err(|e| format!("{e:?}"))?;
    together(4, move |_| {
        while !stop.load(Ordering::SeqCst) {
            COUNTER.enter().expect("the counter is there").increment();
            tally.fetch_add(1, Ordering::SeqCst);
            task_port::sleep(50_000);
        }
    })?;
    verdict.lock().clone()?;
    let (after, calls) = (get()?, calls.load(Ordering::SeqCst));
    check!(
        after == before + calls,
        "{calls} calls, but the count went from {before} to {after}"
    );
    Ok(())
}

fn swap_all(names: &[String]) -> Verdict {
    for name in names {
        let mut pauses = Vec::new();
        let generation = || NAMESPACE.find(name).map_or(0, |cell| cell.generation);
        // After a fault a former one may run, whose successor's number is taken.
        let (mut seen, mut last) = (0, generation());
        for _ in 0..10 {
            let record = swap_port::swap(&[name.as_str()], Reason::Asked)
                .map_err(|e| format!("{name}: {e}"))?;
            pauses.push(record.pause / 1000);
            let now = generation();
            check!(now > last, "{name}: generation {now} after {last}");
            (seen, last) = (seen + 1, now);
        }
        check!(seen == 10, "{name} is not the tenth one");
        pauses.sort_unstable();
        log::info!("{name}: ten swaps, pauses (us) {pauses:?}");
    }
    Ok(())
}

fn swap_refused() -> Verdict {
    let before = get()?;
    let loaded = NAMESPACE.loaded();
    for _ in 0..10 {
        let result = swap_port::swap_with("counter", "counter_faulty", Reason::Asked);
        check!(result.is_err(), "a cell that never takes over took over");
        check!(get()? == before, "the old cell lost its state");
    }
    check!(
        swap_port::swap(&["no_such_cell"], Reason::Asked).is_err(),
        "a cell that is not there was swapped in"
    );
    check!(
        swap_port::swap(&["sync"], Reason::Asked).is_err(),
        "a library was swapped in"
    );
    let now = NAMESPACE.loaded();
    check!(
        now <= loaded,
        "{} refused cells are still loaded",
        now - loaded
    );
    Ok(())
}

fn thousand_swaps() -> Verdict {
    let before = get()?;
    for _ in 0..20 {
        swap_port::swap(&["counter"], Reason::Asked).map_err(|e| format!("{e}"))?;
    }
    let (memory, loaded) = (frames::usage(), NAMESPACE.loaded());
    for number in 0..1000 {
        swap_port::swap(&["counter"], Reason::Asked).map_err(|e| format!("swap {number}: {e}"))?;
    }
    let after = frames::usage();
    check!(get()? == before, "the count changed");
    check!(
        NAMESPACE.loaded() == loaded,
        "old generations are still loaded"
    );
    check!(
        after.mapped == memory.mapped,
        "{} bytes of dead cells are mapped",
        after.mapped - memory.mapped
    );
    // The log of swaps grows up to its limit, and is the only thing that may.
    check!(
        after.heap < memory.heap + 512 * 1024,
        "the heap grew by {} bytes",
        after.heap - memory.heap
    );
    Ok(())
}
