//! Blocking, waking, sleeping until a time.

use crate::preempt;
use crate::queue::{PARKED, READY, RUNNING, enqueue, this};
use crate::schedule::schedule;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::SeqCst;
use task_port::TaskRef;

/// Blocks the running task until it is unparked, or the clock shows `deadline`.
pub(crate) fn park(deadline: Option<u64>) {
    let header = task_port::header();
    let sched = &header.sched;
    if sched.token.swap(false, SeqCst) {
        return;
    }
    let _irq = cpu::IrqGuard::new();
    debug_assert!(
        cpu::this().preempt_count.load(SeqCst) == 0,
        "parked with preemption off"
    );
    let sleeping_on = deadline.map(|deadline| {
        let cpu = this();
        let key = (deadline, header.id.0);
        cpu.sleepers.lock().insert(key, task_port::current());
        (cpu, key)
    });
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
    if let Some((cpu, key)) = sleeping_on {
        cpu.sleepers.lock().remove(&key);
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

/// Wakes the sleepers of this CPU whose time has come. In the timer interrupt.
pub(crate) fn wake_sleepers(now: u64) {
    let due: Vec<TaskRef> = {
        let mut sleepers = this().sleepers.lock();
        let later = sleepers.split_off(&(now + 1, 0));
        let due = core::mem::replace(&mut *sleepers, later);
        due.into_values().collect()
    };
    for task in &due {
        unpark(task);
    }
}

/// When the first sleeper of this CPU wants to wake.
pub(crate) fn first_waking() -> u64 {
    this()
        .sleepers
        .lock()
        .first_key_value()
        .map_or(u64::MAX, |((deadline, _), _)| *deadline)
}

/// Lets others run.
pub(crate) fn yield_now() {
    let _irq = cpu::IrqGuard::new();
    preempt::end_slice();
    schedule();
}
