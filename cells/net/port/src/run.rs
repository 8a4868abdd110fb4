//! The background loop of the stack.

use crate::NET;
use core::sync::atomic::{AtomicBool, Ordering};
use task_port::{Priority, SpawnError, SpawnOptions};

/// The longest nap, so that a lost edge costs a second and not the system.
const NAP_NS: u64 = 1_000_000_000;
/// How long to wait when the stack is not there.
const ABSENT_NS: u64 = 1_000_000;

static STOP: AtomicBool = AtomicBool::new(false);
static RUNS: AtomicBool = AtomicBool::new(false);

/// Makes the loop do another round now. The stack calls it when a socket's
/// timer is due before the loop would wake.
pub fn kick() {
    if let Ok(line) = virtio_net_port::line() {
        line.raise();
    }
}

/// Starts [`run`] as a task, unless it runs already. Called once after boot;
/// the stack need not be there yet.
///
/// # Errors
/// When there is no memory for it.
pub fn start() -> Result<(), SpawnError> {
    STOP.store(false, Ordering::SeqCst);
    if RUNS.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let options = SpawnOptions::new("net").priority(Priority::High);
    let started = task_port::spawn(options, || {
        run();
        RUNS.store(false, Ordering::SeqCst);
    });
    if started.is_err() {
        RUNS.store(false, Ordering::SeqCst);
    }
    started.map(|_| ())
}

/// Ends [`run`]: at shutdown, and in tests.
pub fn stop() {
    STOP.store(true, Ordering::SeqCst);
    kick();
}

/// The loop: a round of the stack, then sleep until the interface, a timer or
/// a [`kick`] wants another. Does not return before [`stop`].
pub fn run() {
    let Ok(line) = virtio_net_port::line() else {
        return;
    };
    while !STOP.load(Ordering::SeqCst) {
        // Counted before the round: what happens during it ends the wait.
        let seen = line.count();
        let round = task_port::gate(|| NET.enter().map(|net| net.poll()));
        let now = task_port::now();
        let due = match round {
            Ok(Ok(round)) if round.more => {
                task_port::yield_now();
                continue;
            }
            Ok(Ok(round)) => round.due.min(now.saturating_add(NAP_NS)),
            // Being restarted, or just faulted.
            Ok(Err(_)) | Err(_) => now.saturating_add(ABSENT_NS),
        };
        line.wait_deadline(seen, due);
    }
}
