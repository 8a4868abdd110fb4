//! Swaps that cannot finish: each leaves the cell that was there serving, with its
//! state, while tasks call it.

use crate::run::{Test, Verdict, check};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use counter_faulty_port::{Wish, wish};
use counter_port::COUNTER;
use mod_mgmt::namespace::NAMESPACE;
use swap_port::{Reason, SwapFailure, swap, swap_with};
use task_port::{SpawnOptions, gate, spawn};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "births_that_fail",
        run: births_that_fail,
    },
    Test {
        name: "states_that_are_not_given",
        run: states_that_are_not_given,
    },
    Test {
        name: "a_state_torn_while_handed_over",
        run: a_state_torn_while_handed_over,
    },
    Test {
        name: "drain_deadline",
        run: drain_deadline,
    },
    Test {
        name: "fault_in_probation",
        run: fault_in_probation,
    },
    Test {
        name: "a_faulting_swap",
        run: a_faulting_swap,
    },
    // The last one: afterwards this crate's own references are to the former door.
    Test {
        name: "a_port_with_state_moves",
        run: a_port_with_state_moves,
    },
];

/// Tasks that increment the counter, and how often they did.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    faults: Arc<AtomicU64>,
    running: Arc<AtomicU64>,
    before: u64,
}

impl Load {
    fn start() -> Result<Self, String> {
        let load = Load {
            stop: Arc::default(),
            calls: Arc::default(),
            faults: Arc::default(),
            running: Arc::new(AtomicU64::new(2)),
            before: get()?,
        };
        for _ in 0..2 {
            let (stop, calls) = (Arc::clone(&load.stop), Arc::clone(&load.calls));
            let (faults, running) = (Arc::clone(&load.faults), Arc::clone(&load.running));
            let body = move || {
                while !stop.load(Ordering::SeqCst) {
                    match gate(|| COUNTER.enter().map(|c| c.increment())) {
                        Ok(Ok(_)) => calls.fetch_add(1, Ordering::SeqCst),
                        Ok(Err(_)) | Err(_) => faults.fetch_add(1, Ordering::SeqCst),
                    };
                    task_port::yield_now();
                }
                running.fetch_sub(1, Ordering::SeqCst);
            };
            spawn(SpawnOptions::new("caller"), body).map_err(|e| format!("{e:?}"))?;
        }
        Ok(load)
    }

    /// Waits until the tasks have made more calls.
    fn advance(&self) {
        let seen = self.calls.load(Ordering::SeqCst);
        while self.calls.load(Ordering::SeqCst) < seen + 20 {
            task_port::sleep(100_000);
        }
    }

    /// Ends the tasks. The count must be what it was and all calls since; gives
    /// how many calls failed.
    fn end(self) -> Result<u64, String> {
        self.advance();
        self.stop.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) > 0 {
            task_port::sleep(100_000);
        }
        let (calls, after) = (self.calls.load(Ordering::SeqCst), get()?);
        check!(
            after == self.before + calls,
            "{calls} calls, but the count went from {} to {after}",
            self.before
        );
        Ok(self.faults.load(Ordering::SeqCst))
    }
}

fn get() -> Result<u64, String> {
    Ok(COUNTER.enter().map_err(|e| format!("{e}"))?.get())
}

fn current() -> String {
    use port::Door;
    let status = COUNTER.status();
    status
        .cell
        .map_or_else(String::new, |cell| cell.0.name().into())
}

/// The failure of a swap that must fail.
fn refused(result: Result<swap_port::Record, SwapFailure>) -> Result<SwapFailure, String> {
    match result {
        Ok(_) => Err(String::from("a swap that must fail was done")),
        Err(failure) => Ok(failure),
    }
}

fn births_that_fail() -> Verdict {
    let loaded = NAMESPACE.loaded();
    let load = Load::start()?;
    let wishes = [
        Wish::BirthRefused,
        Wish::BirthPanics,
        Wish::BirthFaults,
        Wish::NothingOffered,
    ];
    for asked in wishes {
        wish(asked);
        let failure = refused(swap_with("counter", "counter_faulty", Reason::Asked))?;
        let fits = match asked {
            Wish::BirthRefused => matches!(failure, SwapFailure::Birth { .. }),
            Wish::NothingOffered => matches!(failure, SwapFailure::Port(_)),
            _ => matches!(failure, SwapFailure::Fault(_)),
        };
        check!(fits, "{asked:?} was reported as: {failure}");
        check!(current() == "counter", "{asked:?}: {} serves", current());
        load.advance();
    }
    let failed = load.end()?;
    check!(failed == 0, "{failed} calls failed");
    check!(
        NAMESPACE.loaded() <= loaded,
        "a refused cell is still loaded"
    );
    Ok(())
}

fn states_that_are_not_given() -> Verdict {
    for asked in [Wish::ExportRefused, Wish::ExportPanics, Wish::StrangeSchema] {
        let load = Load::start()?;
        wish(Wish::Behaves);
        swap_with("counter", "counter_faulty", Reason::Asked).map_err(|e| format!("{e}"))?;
        load.advance();
        wish(asked);
        let failure = refused(swap_with("counter_faulty", "counter", Reason::Asked))?;
        let fits = match asked {
            Wish::ExportPanics => matches!(failure, SwapFailure::Fault(_)),
            Wish::StrangeSchema => matches!(failure, SwapFailure::Birth { .. }),
            _ => matches!(failure, SwapFailure::Port(_)),
        };
        check!(fits, "{asked:?} was reported as: {failure}");
        check!(
            current() == "counter_faulty",
            "{asked:?}: {} serves",
            current()
        );
        load.advance();
        wish(Wish::Behaves);
        swap_with("counter_faulty", "counter", Reason::Asked).map_err(|e| format!("{e}"))?;
        let failed = load.end()?;
        check!(failed == 0, "{asked:?}: {failed} calls failed");
    }
    Ok(())
}

/// What was handed over beside calls is not used when a fault has torn it meanwhile:
/// the one that is given with the door closed is, and no call is lost.
fn a_state_torn_while_handed_over() -> Verdict {
    let load = Load::start()?;
    wish(Wish::Behaves);
    swap_with("counter", "counter_faulty", Reason::Asked).map_err(|e| format!("{e}"))?;
    load.advance();
    wish(Wish::Torn);
    let record =
        swap_with("counter_faulty", "counter", Reason::Asked).map_err(|e| format!("{e}"))?;
    wish(Wish::Behaves);
    check!(record.steps.ahead > 0, "nothing was handed over ahead");
    let failed = load.end()?;
    check!(failed == 0, "{failed} calls failed");
    Ok(())
}

fn drain_deadline() -> Verdict {
    let load = Load::start()?;
    wish(Wish::Behaves);
    swap_with("counter", "counter_faulty", Reason::Asked).map_err(|e| format!("{e}"))?;
    wish(Wish::Lingers);
    let inside = Arc::new(AtomicU64::new(0));
    let flag = Arc::clone(&inside);
    let slow = move || {
        flag.store(1, Ordering::SeqCst);
        let _ = get();
        flag.store(2, Ordering::SeqCst);
    };
    spawn(SpawnOptions::new("slow"), slow).map_err(|e| format!("{e:?}"))?;
    while inside.load(Ordering::SeqCst) == 0 || counted_in() == 0 {
        task_port::sleep(100_000);
    }
    let failure = refused(swap_with("counter_faulty", "counter", Reason::Asked))?;
    check!(
        matches!(failure, SwapFailure::Port(port::SwapError::Busy { .. })),
        "reported as: {failure}"
    );
    check!(current() == "counter_faulty", "{} serves", current());
    load.advance();
    wish(Wish::Behaves);
    while inside.load(Ordering::SeqCst) != 2 {
        task_port::sleep(100_000);
    }
    swap_with("counter_faulty", "counter", Reason::Asked).map_err(|e| format!("{e}"))?;
    let failed = load.end()?;
    check!(failed == 0, "{failed} calls failed");
    Ok(())
}

fn counted_in() -> u32 {
    use port::Door;
    COUNTER.status().inflight
}

fn fault_in_probation() -> Verdict {
    let load = Load::start()?;
    wish(Wish::CallFaults);
    swap_with("counter", "counter_faulty", Reason::Asked).map_err(|e| format!("{e}"))?;
    while load.faults.load(Ordering::SeqCst) == 0 {
        task_port::sleep(100_000);
    }
    // The captain is not up while these tests run: this is what it does.
    swap_port::fault_in("counter_faulty", false).map_err(|e| format!("{e}"))?;
    check!(current() == "counter", "{} serves after a fault", current());
    check!(
        NAMESPACE.find("counter_faulty").is_none(),
        "the faulty cell is still a current one"
    );
    load.advance();
    let failed = load.end()?;
    check!(failed > 0, "no call met the fault");
    Ok(())
}

/// The code of the transaction faults when it is asked: what it had closed is
/// opened, and a fresh instance of it swaps on.
fn a_faulting_swap() -> Verdict {
    use port::Door;
    let load = Load::start()?;
    swap_port::SWAP.inject(port::CrashKind::Null);
    let failure = refused(swap(&["counter"], Reason::Asked))?;
    check!(matches!(failure, SwapFailure::Fault(_)), "{failure}");
    load.advance();
    let names: Vec<&str> = alloc::vec!["swap"];
    swap(&names, Reason::Fault).map_err(|e| format!("{e}"))?;
    swap(&["counter"], Reason::Asked).map_err(|e| format!("{e}"))?;
    let failed = load.end()?;
    check!(failed == 0, "{failed} calls failed");
    Ok(())
}

/// A port, the cell behind it and all that use it are replaced as one set: the
/// state is behind the new door, and nobody behind the former one.
fn a_port_with_state_moves() -> Verdict {
    let before = COUNTER.enter().map_err(|e| format!("{e}"))?.increment();
    let missing = refused(swap(&["counter_port", "counter"], Reason::Asked))?;
    let SwapFailure::Users { missing, .. } = missing else {
        return Err(format!("reported as: {missing}"));
    };
    check!(get()? == before, "the refused set changed the count");
    // Its users have users; a refusal names those that are missing.
    let mut names: Vec<String> = ["counter_port", "counter"].map(String::from).into();
    names.extend(missing);
    let record = loop {
        let set: Vec<&str> = names.iter().map(String::as_str).collect();
        match swap(&set, Reason::Asked) {
            Ok(record) => break record,
            Err(SwapFailure::Users { missing, .. }) if names.len() < 20 => names.extend(missing),
            Err(failure) => return Err(format!("{failure}")),
        }
    };
    log::info!("{}: pause {} us", record.names(), record.pause / 1000);
    check!(
        COUNTER.enter().is_err(),
        "the former door still lets callers in"
    );
    let counter = NAMESPACE.find("counter").ok_or("no counter is current")?;
    let cell = counter.cell().ok_or("the counter has no description")?;
    let door = cell.provides.first().ok_or("the counter has no door")?;
    let state = door.export().map_err(|e| format!("{e}"))?;
    let state = state.ok_or("the counter gives no state")?;
    let state = counter_port::CounterState::unpack(state).map_err(|e| format!("{e:?}"))?;
    check!(
        state.get() == before,
        "the count went from {before} to {}",
        state.get()
    );
    Ok(())
}
