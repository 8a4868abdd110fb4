//! The loop that acts on faults.

use crate::{Action, CAPTAIN, Past};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use mod_mgmt::namespace::NAMESPACE;
use swap_port::SwapFailure;
use sync::{SpinLock, WaitQueue};
use task_port::Fault;

/// How often probations are looked at when nothing else happens.
const ROUND_NS: u64 = 100_000_000;
/// More faults than this are not kept; the first ones tell the story.
const KEEP: usize = 64;

/// A fault, with the generation that was current when it was reported.
struct Report {
    fault: Fault,
    generation: u64,
}

/// A replacement that waits for its time.
struct Due {
    at: u64,
    cell: String,
    generation: u64,
    doubtful: bool,
}

static FAULTS: SpinLock<VecDeque<Report>> = SpinLock::new(VecDeque::new());
static NEWS: WaitQueue = WaitQueue::new();
static PASTS: SpinLock<BTreeMap<String, Past>> = SpinLock::new(BTreeMap::new());

/// Lets the gates report here.
pub fn install() {
    task_port::set_fault_hook(report);
}

/// What happened to a cell lately.
#[must_use]
pub fn past(cell: &str) -> Past {
    PASTS.lock().get(cell).copied().unwrap_or_default()
}

fn generation(cell: &str) -> u64 {
    NAMESPACE.find(cell).map_or(0, |cell| cell.generation)
}

fn report(fault: &Fault) {
    let report = Report {
        generation: generation(&fault.cell),
        fault: fault.clone(),
    };
    let mut faults = FAULTS.lock();
    let refused = match faults.len() {
        KEEP.. => Some(report),
        _ => {
            faults.push_back(report);
            None
        }
    };
    drop(faults);
    drop(refused);
    NEWS.wake_one();
}

/// Watches, for ever.
pub fn run() {
    let mut waiting: Vec<Due> = Vec::new();
    loop {
        let now = task_port::now();
        let first = waiting.iter().map(|due| due.at).min();
        let until = first.unwrap_or(u64::MAX).min(now + ROUND_NS);
        let news = NEWS.wait_deadline(until, || FAULTS.lock().pop_front());
        if let Some(report) = news {
            waiting.extend(judge(&report));
            continue;
        }
        let now = task_port::now();
        let (due, later) = waiting.into_iter().partition(|due: &Due| due.at <= now);
        waiting = later;
        due.iter().for_each(replace);
        swap_port::settle_probation();
    }
}

/// Asks the captain; gives what is to be done, and does at once what need not
/// wait.
fn judge(report: &Report) -> Option<Due> {
    let fault = &report.fault;
    let stale = report.generation == 0 || generation(&fault.cell) != report.generation;
    if stale {
        // Whoever faulted is replaced already, or cannot be.
        return None;
    }
    let asked = task_port::gate_unreported(|| {
        let captain = CAPTAIN.enter().ok()?;
        Some(captain.judge(fault, past(&fault.cell), task_port::now()))
    });
    let fresh = Action::Replace {
        after: 0,
        doubtful: false,
    };
    let (action, past) = match asked {
        Ok(Some(answer)) => answer,
        _ => (fresh, past(&fault.cell)),
    };
    let before = PASTS.lock().insert(fault.cell.clone(), past);
    match action {
        Action::Leave => None,
        Action::GiveUp => {
            swap_port::note_fault(&fault.cell);
            if !before.is_some_and(|past| past.given_up) {
                log::error!(
                    "{} is not replaced any more after {} tries; `swap` or `rollback` it",
                    fault.cell,
                    past.strikes
                );
            }
            None
        }
        Action::Replace { after, doubtful } => {
            let due = Due {
                at: task_port::now() + after,
                cell: fault.cell.clone(),
                generation: report.generation,
                doubtful,
            };
            if after > 0 {
                return Some(due);
            }
            replace(&due);
            None
        }
    }
}

fn replace(due: &Due) {
    if generation(&due.cell) != due.generation {
        return;
    }
    match swap_port::fault_in(&due.cell, due.doubtful) {
        Ok(record) => log::info!(
            "{} replaced after a fault, pause {} us",
            record.names(),
            record.pause / 1000
        ),
        Err(SwapFailure::NoPort(_)) => {}
        Err(failure) => log::error!("{} could not be replaced: {failure}", due.cell),
    }
}
