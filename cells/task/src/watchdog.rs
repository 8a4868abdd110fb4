//! The watchdog: a task that computes inside a port for long without entering or
//! leaving any is taken to hang, and its call ends with a fault.
//!
//! Every port entry, page latch and the like counts in the task's ledger; long
//! computations call [`task_port::with_ledger`] now and then through them. So
//! silence is a loop without end, or near enough.

use crate::queue::this;
use core::sync::atomic::{AtomicU64, Ordering};
use cpu::MAX_CPUS;
use nano_core::exceptions::Frame;
use task_port::TaskHeader;

/// How often each CPU looks at the task it runs.
const INTERVAL_NS: u64 = 1_000_000_000;
/// So many looks in a row without a sign of life are too many.
const PATIENCE: u32 = 5;

static NEXT_LOOK: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(INTERVAL_NS) }; MAX_CPUS];

/// When the running CPU looks next (ns).
pub(crate) fn next_look() -> u64 {
    NEXT_LOOK[cpu::id()].load(Ordering::Relaxed)
}

/// Looks at the interrupted task if it is time.
pub(crate) fn look(frame: &mut Frame, now: u64) {
    if next_look() > now {
        return;
    }
    NEXT_LOOK[cpu::id()].store(now + INTERVAL_NS, Ordering::Relaxed);
    let current = cpu::current_raw().cast::<TaskHeader>();
    // SAFETY: the running task's header lives while it runs.
    let Some(task) = (unsafe { current.as_ref() }) else {
        return;
    };
    if core::ptr::eq(task, this().idle_task.load(Ordering::Relaxed)) {
        return;
    }
    let activity = task.ledger.activity();
    let same = task.sched.watched.swap(activity, Ordering::Relaxed) == activity;
    if !same || task.ledger.is_empty() {
        task.sched.silent.store(0, Ordering::Relaxed);
        return;
    }
    let silent = task.sched.silent.fetch_add(1, Ordering::Relaxed) + 1;
    let interruptible = cpu::this().preempt_count.load(Ordering::Relaxed) == 0;
    if silent >= PATIENCE && interruptible && unwind::hang(frame) {
        task.sched.silent.store(0, Ordering::Relaxed);
    }
}
