//! One round of a queue's loop: replies, timeouts, the controller's own word on
//! its health, and the way through a reset.

use crate::bring_up::{self, Progress, Scene};
use crate::{complete, issue};
use core::sync::atomic::Ordering;
use nvme_port::registers::{CSTS, CSTS_FATAL};
use nvme_port::{Mode, NvmeState, Queue, Step, deliver};

/// How often a queue's health is looked at, and how long its loop sleeps when
/// nothing interrupts.
const CHECK_NS: u64 = 250_000_000;
/// How often a reset is looked after.
const RESET_NS: u64 = 200_000;

/// Why the controller is reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    /// It answered a command it does not have.
    Senseless(u16),
    /// A command took too long.
    Late,
    /// It says that it has failed, or does not answer.
    Fatal,
    /// The driver faulted while it worked on a queue.
    Torn,
}

/// Looks after `queue` and gives the time (ns) at which that is due again.
pub(crate) fn round(state: &NvmeState, queue: &Queue) -> u64 {
    let now = task_port::now();
    let (reaped, ended) = queue.rings.with(|rings| {
        let reaped = complete::reap(state, queue, rings);
        (reaped, rings.next_finished())
    });
    deliver(queue, ended);
    if !state.is_resetting() {
        let trouble = match reaped {
            Err(complete::Senseless { id }) => Some(Reason::Senseless(id)),
            Ok(()) => examine(state, queue, now),
        };
        match trouble {
            None => return now + CHECK_NS,
            Some(reason) => want_reset(state, reason),
        }
    }
    match reset(state, now) {
        Progress::Working | Progress::NeedsQueues => now + RESET_NS,
        Progress::Ready | Progress::Failed => now + CHECK_NS,
    }
}

/// Looks for trouble, now and then.
fn examine(state: &NvmeState, queue: &Queue, now: u64) -> Option<Reason> {
    if queue.rings.is_torn() || state.control.is_torn() {
        return Some(Reason::Torn);
    }
    if now
        < queue
            .checked
            .load(Ordering::Relaxed)
            .saturating_add(pause(state))
    {
        return None;
    }
    queue.checked.store(now, Ordering::Relaxed);
    queue.rounds.fetch_add(1, Ordering::Relaxed);
    // Also all ones, as a device that has gone reads.
    if state.device.registers.read32(CSTS) & CSTS_FATAL != 0 {
        return Some(Reason::Fatal);
    }
    queue.rings.with(|rings| {
        // Jobs that wait are handed over by whoever makes room; this is for the
        // case that nobody does.
        issue::pump(state, queue, rings);
        let late = |round: u64| is_late(state, queue, round);
        rings.oldest().is_some_and(late).then_some(Reason::Late)
    })
}

/// The time between two looks at a queue's health (ns).
fn pause(state: &NvmeState) -> u64 {
    CHECK_NS.min(state.timeout_ns / 4).max(1)
}

/// Whether a command handed over in `round` has taken too long.
pub(crate) fn is_late(state: &NvmeState, queue: &Queue, round: u64) -> bool {
    let rounds = queue.rounds.load(Ordering::Relaxed);
    rounds.saturating_sub(round) > state.timeout_ns.div_ceil(pause(state))
}

#[cold]
fn want_reset(state: &NvmeState, reason: Reason) {
    state.control.with(|control| {
        if control.step == Step::Ready || state.control.is_torn() {
            log::warn!("nvme: resetting the controller: {reason:?}");
            control.step = Step::Halt;
            control.failures = 0;
            state.resets.fetch_add(1, Ordering::Relaxed);
            state.resetting.store(true, Ordering::Release);
        }
    });
}

/// Goes on with a reset, unless another queue's loop does.
#[cold]
pub(crate) fn reset(state: &NvmeState, now: u64) -> Progress {
    let scene = Scene {
        device: &state.device,
        queues: &state.queues,
        state: Some(state),
    };
    let progress = state.control.try_with(|control| {
        if state.control.is_torn() {
            // The driver faulted in the middle of a step: from the start.
            control.step = Step::Halt;
            state.control.mend();
        }
        let progress = bring_up::advance(&scene, control, now);
        if matches!(progress, Progress::Ready | Progress::Failed) {
            state.resetting.store(false, Ordering::Release);
        }
        progress
    });
    for queue in &state.queues {
        deliver(queue, (None, true));
    }
    progress.unwrap_or(Progress::Working)
}

/// A new driver takes the state up: it tries again what the former one has given
/// up, and has a look at what that one left half done.
pub(crate) fn take_up(state: &NvmeState) {
    for queue in state.queues.iter().filter(|q| q.rings.is_torn()) {
        queue.line.raise();
    }
    state.control.with(|control| {
        if control.step == Step::Failed {
            state.device.claim.enable();
            control.step = Step::Halt;
            control.failures = 0;
            state.resetting.store(true, Ordering::Release);
            for queue in &state.queues {
                // From now on jobs wait again instead of ending at once.
                queue.rings.with(|rings| rings.mode = Mode::Halted);
                queue.line.raise();
            }
        }
    });
}
