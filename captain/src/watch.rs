//! What is done about faults: the cell is replaced, as the table in [`judge`]
//! says. Faults are reported by the gates that caught them.

use alloc::collections::VecDeque;
use alloc::string::String;
use sync::{SpinLock, WaitQueue};
use task_port::Fault;

static FAULTS: SpinLock<VecDeque<Fault>> = SpinLock::new(VecDeque::new());
static NEWS: WaitQueue = WaitQueue::new();

/// How often probations are looked at when nothing else happens.
const ROUND_NS: u64 = 100_000_000;
/// More faults than this are not kept; the first ones tell the story.
const KEEP: usize = 64;

/// Lets the gates report here.
pub(crate) fn install() {
    task_port::set_fault_hook(report);
}

fn report(fault: &Fault) {
    let mut faults = FAULTS.lock();
    if faults.len() < KEEP {
        faults.push_back(fault.clone());
    }
    drop(faults);
    NEWS.wake_one();
}

/// What to do about a fault.
enum Action {
    /// Replace the cell by a fresh instance, or by its predecessor if it is on
    /// probation.
    Replace,
    /// Nothing can be replaced: a library's fault ends with the call it hit.
    Leave,
}

fn judge(fault: &Fault) -> Action {
    match fault.cell.as_str() {
        "" | "?" | "nano_core" => Action::Leave,
        _ => Action::Replace,
    }
}

/// Watches, for ever.
pub(crate) fn run() {
    loop {
        let fault = NEWS.wait_deadline(task_port::now() + ROUND_NS, || FAULTS.lock().pop_front());
        match fault {
            Some(fault) => act(&fault),
            None => swap::settle_probation(),
        }
    }
}

fn act(fault: &Fault) {
    match judge(fault) {
        Action::Leave => {}
        Action::Replace => match swap::fault_in(&fault.cell) {
            Ok(record) => {
                let cells: String = record.cells.join(" ");
                log::info!(
                    "{cells} replaced after a fault, pause {} us",
                    record.pause / 1000
                );
            }
            Err(swap::SwapFailure::NoPort(_)) => {}
            Err(failure) => log::error!("{} could not be replaced: {failure}", fault.cell),
        },
    }
}
