//! The loop that acts on faults, and the clerk: a task that does what comes after.
//! Naming and printing a stack takes longer than replacing a cell, and so does making
//! the next spare.

use crate::repairs::{self, Repair};
use crate::{Action, CAPTAIN, Past};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use swap_port::SwapFailure;
use sync::{SpinLock, WaitQueue};
use task_port::{Fault, FaultKind, Priority, SpawnError, SpawnOptions};

/// How often probations are looked at when nothing else happens.
const ROUND_NS: u64 = 100_000_000;
/// So many stacks are printed in a second.
const TRACES: u32 = 5;
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
/// Faults that were acted upon and are still to be told.
static TALES: SpinLock<VecDeque<Fault>> = SpinLock::new(VecDeque::new());
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

/// The cell that can be replaced for a fault: the one it happened in, or who called the
/// port or library it happened in. What such a crate was given may have been wrong.
fn responsible(fault: &Fault) -> Option<Arc<Loaded>> {
    let has_door = |code: &Arc<Loaded>| code.cell().is_some_and(|cell| !cell.provides.is_empty());
    let found = NAMESPACE.find(&fault.cell)?;
    if has_door(&found) {
        return Some(found);
    }
    let frames = fault.frames.iter();
    let caller = frames
        .filter_map(|frame| NAMESPACE.by_address(*frame))
        .find(has_door);
    Some(caller.unwrap_or(found))
}

fn report(fault: &Fault) {
    let caught = task_port::now();
    let cell = responsible(fault);
    let doors = cell.as_ref().and_then(|code| code.cell());
    let doors = doors.map_or(&[][..], |cell| cell.provides);
    doors.iter().for_each(|door| door.watch());
    let mut fault = fault.clone();
    if let Some(cell) = &cell {
        fault.cell.clone_from(&cell.name);
    }
    repairs::begin(Repair::new(&fault, caught));
    let report = Report {
        generation: cell.map_or(0, |cell| cell.generation),
        fault,
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

/// Starts watching, for ever, and what else goes on beside everything.
///
/// # Errors
/// When there is no memory for a task.
pub fn start() -> Result<(), SpawnError> {
    let options = SpawnOptions::new("captain").priority(Priority::High);
    task_port::spawn(options, run)?;
    task_port::spawn(SpawnOptions::new("clerk"), clerk)?;
    crate::reclaimer::start()
}

/// Tells of faults and makes spares.
fn clerk() {
    let (mut second, mut traces) = (0, 0);
    loop {
        if let Some(fault) = TALES.lock().pop_front() {
            let now = fault.at / 1_000_000_000;
            traces = if now == second { traces + 1 } else { 1 };
            second = now;
            tell(&fault, traces <= TRACES);
            continue;
        }
        if !swap_port::spares::make_one() {
            swap_port::spares::wait(|| !TALES.lock().is_empty());
        }
    }
}

/// Prints a fault, and where it happened.
fn tell(fault: &Fault, whole: bool) {
    let mut text = alloc::format!("fault in {}: {}", fault.cell, fault.message);
    if fault.torn > 0 {
        text += &alloc::format!(" ({} locks are torn)", fault.torn);
    }
    let frames = if whole { &fault.frames[..] } else { &[] };
    for address in frames {
        text += &match NAMESPACE.describe(*address) {
            Some(place) => alloc::format!("\n    {address:#018x} {place}"),
            None => alloc::format!("\n    {address:#018x} ?"),
        };
    }
    log::warn!("{text}");
}

/// Reports of cells that run with interrupts off: nobody could at that moment.
fn report_leaves() {
    if !port::a_leaf_has_failed() {
        return;
    }
    for cell in NAMESPACE.cells() {
        let doors = cell.cell().map_or(&[][..], |cell| cell.provides);
        if doors.iter().any(|door| door.has_failed()) {
            let message = String::from("with interrupts off; its callers do without it");
            report(&Fault::new(FaultKind::Other(0), cell.name.clone(), message));
        }
    }
}

/// Watches, for ever.
fn run() {
    let mut waiting: Vec<Due> = Vec::new();
    loop {
        let now = task_port::now();
        let first = waiting.iter().map(|due| due.at).min();
        let until = first.unwrap_or(u64::MAX).min(now + ROUND_NS);
        let news = NEWS.wait_deadline(until, || FAULTS.lock().pop_front());
        if let Some(report) = news {
            waiting.extend(judge(&report));
            let mut tales = TALES.lock();
            if tales.len() < KEEP {
                tales.push_back(report.fault);
            }
            drop(tales);
            swap_port::spares::nudge();
        } else {
            report_leaves();
            swap_port::settle_probation();
        }
        // Also while one fault follows another.
        let now = task_port::now();
        let (due, later) = waiting.into_iter().partition(|due: &Due| due.at <= now);
        waiting = later;
        due.iter().for_each(replace);
    }
}

/// Asks the captain; gives what is to be done, and does at once what need not
/// wait.
fn judge(report: &Report) -> Option<Due> {
    let fault = &report.fault;
    let stale = report.generation == 0 || generation(&fault.cell) != report.generation;
    if stale {
        // Whoever faulted is replaced already, or cannot be.
        if report.generation != 0 {
            repairs::end_stale(fault);
        }
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
        Ok(record) => {
            repairs::end(&due.cell);
            log::info!(
                "{} replaced after a fault, pause {} us",
                record.names(),
                record.pause / 1000
            );
        }
        Err(SwapFailure::NoPort(_)) => {}
        Err(failure) => log::error!("{} could not be replaced: {failure}", due.cell),
    }
}
