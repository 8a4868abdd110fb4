//! Blocking and waking.

use crate::queue::{PARKED, READY, RUNNING, enqueue};
use crate::schedule::schedule;
use crate::{alarm, preempt};
use core::sync::atomic::Ordering::SeqCst;
use task_port::TaskRef;

/// Blocks the running task until it is unparked, or the clock shows `deadline`.
pub(crate) fn park(deadline: Option<u64>) {
    let header = task_port::header();
    let sched = &header.sched;
    if sched.token.swap(false, SeqCst) {
        return;
    }
    let irq = cpu::IrqGuard::new();
    if sched.doomed.load(SeqCst) {
        // Meant for a wait that has ended by itself.
        sched.doomed.store(false, SeqCst);
    }
    debug_assert!(
        cpu::this().preempt_count.load(SeqCst) == 0,
        "parked with preemption off"
    );
    if let Some(deadline) = deadline {
        alarm::set(header, deadline);
    }
    sched.state.store(PARKED, SeqCst);
    // An unpark between the first look and here left a token; whoever makes the
    // state ready again, and only they, decides.
    if sched.token.swap(false, SeqCst)
        && sched
            .state
            .compare_exchange(PARKED, RUNNING, SeqCst, SeqCst)
            .is_ok()
    {
        // Go on running.
    } else {
        schedule();
    }
    if deadline.is_some() {
        alarm::clear(header);
    }
    if sched.doomed.load(SeqCst) && sched.doomed.swap(false, SeqCst) {
        drop(irq);
        unwind::hang_here();
    }
}

/// Lets a task's current or next park return.
pub(crate) fn unpark(task: &TaskRef) {
    let sched = &task.0.sched;
    if sched
        .state
        .compare_exchange(PARKED, READY, SeqCst, SeqCst)
        .is_ok()
    {
        enqueue(task.clone());
        return;
    }
    sched.token.store(true, SeqCst);
    // It may have parked between the two.
    if sched.state.load(SeqCst) == PARKED
        && sched.token.swap(false, SeqCst)
        && sched
            .state
            .compare_exchange(PARKED, READY, SeqCst, SeqCst)
            .is_ok()
    {
        enqueue(task.clone());
    }
}

/// Lets others run.
pub(crate) fn yield_now() {
    let _irq = cpu::IrqGuard::new();
    preempt::end_slice();
    schedule();
}
