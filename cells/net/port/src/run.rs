//! The background loop of the stack.

use crate::{NET, Round, silence};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use task_port::{Priority, SpawnError, SpawnOptions};

/// The longest nap, so that a lost edge costs a second and not the system.
const NAP_NS: u64 = 1_000_000_000;
/// How long to wait when the stack is not there, or faulted.
const ABSENT_NS: u64 = 1_000_000;
/// After so many times in a row the waits become longer, up to about a second: whoever
/// repairs it, or else goes on without it, wants the CPU.
const OFTEN: u32 = 16;
/// After so many, what the driver takes over from its predecessor may be to blame.
const DOUBTFUL: u32 = 2;

/// When the loop wakes by itself (ns); 0 while it is awake.
static WAKES: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicBool = AtomicBool::new(false);
static RUNS: AtomicBool = AtomicBool::new(false);

/// Makes the loop do another round now. The stack calls it when a socket's
/// timer is due before the loop would wake.
pub fn kick() {
    if let Ok(line) = virtio_net_port::line() {
        line.nudge();
    }
}

/// One round of the stack by whoever calls it; `None` while it is being restarted,
/// or when it faulted.
pub(crate) fn round() -> Option<Round> {
    let round = task_port::gate(|| NET.enter().map(|net| net.poll()))
        .ok()?
        .ok()?;
    silence::note(&round);
    Some(round)
}

/// Makes sure that the loop is awake at `due` (ns): somebody else's round has found
/// that there is something to do then.
pub(crate) fn wake_loop_by(due: u64) {
    if due < WAKES.load(Ordering::SeqCst) {
        kick();
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
    let mut failures = 0_u32;
    while !STOP.load(Ordering::SeqCst) {
        // Counted before the round: what happens during it ends the wait.
        let seen = line.count();
        let round = round();
        if round.is_some() {
            if failures >= DOUBTFUL {
                virtio_net_port::state::trust();
            }
            failures = 0;
        } else {
            failures = failures.saturating_add(1);
            if failures == DOUBTFUL {
                virtio_net_port::state::distrust();
            }
        }
        if failures > OFTEN {
            task_port::sleep(ABSENT_NS << (failures - OFTEN).min(10));
            continue;
        }
        silence::end();
        let now = task_port::now();
        let due = match round {
            Some(round) if round.more => {
                task_port::yield_now();
                continue;
            }
            Some(round) => round.due.min(now.saturating_add(NAP_NS)),
            None => now.saturating_add(ABSENT_NS),
        };
        WAKES.store(due, Ordering::SeqCst);
        line.wait_deadline(seen, due);
        WAKES.store(0, Ordering::SeqCst);
    }
}
