//! Taking the CPU away from a running task: time slices, and the way out of an
//! interrupt into the scheduler.

use crate::alarm;
use crate::queue::this;
use crate::schedule::schedule;
use crate::switch::preempted;
use core::sync::atomic::{AtomicU64, Ordering};
use cpu::MAX_CPUS;
use interrupts::finish;
use nano_core::exceptions::Frame;
use task_port::TaskHeader;

const NEVER: u64 = u64::MAX;

/// When the running task's slice ends, per CPU.
static SLICE_END: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(NEVER) }; MAX_CPUS];

/// Another task waits: the running one's slice begins to run out, if it does not
/// already.
pub(crate) fn begin_slice() {
    let end = &SLICE_END[cpu::id()];
    if end.load(Ordering::Relaxed) == NEVER && !this().queue.lock().is_empty() {
        let now = time::now();
        end.store(now + sched_port::slice(), Ordering::Relaxed);
        arm(now);
    }
}

/// The running task gives the rest of its slice away.
pub(crate) fn end_slice() {
    SLICE_END[cpu::id()].store(NEVER, Ordering::Relaxed);
}

/// After a switch: a new slice if others wait, and the timer.
pub(crate) fn rearm(now: u64) {
    let waiting = !this().queue.lock().is_empty();
    SLICE_END[cpu::id()].store(
        if waiting {
            now + sched_port::slice()
        } else {
            NEVER
        },
        Ordering::Relaxed,
    );
    arm(now);
}

/// Programs the timer for the next slice end or sleeper, if that is not what it
/// is programmed for.
fn arm(now: u64) {
    let next = SLICE_END[cpu::id()]
        .load(Ordering::Relaxed)
        .min(alarm::first())
        .min(crate::watchdog::next_look());
    let armed = &this().armed;
    if next == armed.load(Ordering::Relaxed) {
        return;
    }
    armed.store(next, Ordering::Relaxed);
    match next {
        NEVER => time::stop_timer(),
        next => time::set_timer(next.saturating_sub(now).max(1000)),
    }
}

/// The timer's handler.
pub(crate) fn timer_interrupt(frame: &mut Frame) {
    let now = time::now();
    this().armed.store(NEVER, Ordering::Relaxed);
    alarm::wake_due(now);
    if SLICE_END[cpu::id()].load(Ordering::Relaxed) <= now {
        end_slice();
        cpu::this().need_resched.store(1, Ordering::Relaxed);
    }
    crate::watchdog::look(frame, now);
    arm(now);
    finish(frame);
}

/// Another CPU has put a task into our queue.
pub(crate) fn reschedule_interrupt(frame: &mut Frame) {
    cpu::this().need_resched.store(1, Ordering::Relaxed);
    finish(frame);
}

/// At the end of an interrupt: if a switch is due and allowed, the interrupted
/// task continues in `preempted`, on its own stack, below its red zone.
pub(crate) fn interrupt_exit(frame: &mut Frame) {
    let area = cpu::this();
    let current = area.current.load(Ordering::Relaxed).cast::<TaskHeader>();
    let idle = core::ptr::eq(current, this().idle_task.load(Ordering::Relaxed));
    let allowed = area.preempt_count.load(Ordering::Relaxed) == 0 && frame.rflags & 0x200 != 0;
    // The idle loop looks by itself after each interrupt.
    if current.is_null() || idle || !allowed || area.need_resched.load(Ordering::Relaxed) == 0 {
        return;
    }
    let at = (frame.rsp - 128 - 16) as *mut [u64; 2];
    // SAFETY: the interrupted task's stack below its red zone is free; there is
    // room for this and the scheduler above the guard page (spawn's minimum).
    unsafe { at.write([frame.rflags, frame.rip]) };
    frame.rsp = at as u64;
    frame.rip = preempted as *const () as u64;
    frame.rflags &= !0x200;
}

/// What `preempted` calls, with interrupts off.
#[unsafe(no_mangle)]
extern "C" fn preempted_schedule() {
    schedule();
}

/// What `cpu::preempt_enable` calls when a switch has become due.
pub(crate) fn resched_hook() {
    let _irq = cpu::IrqGuard::new();
    schedule();
}
