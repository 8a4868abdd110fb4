//! Who runs next, and what is due after a switch.

use crate::queue::{DEAD, READY, RUNNING, steal, this};
use crate::switch::switch_stacks;
use core::sync::atomic::Ordering;
use task_port::{Priority, TaskHeader, TaskRef};

/// The header of a task as a counted reference.
///
/// # Safety
/// `header` is inside an Arc that is alive.
unsafe fn counted(header: *const TaskHeader) -> TaskRef {
    // SAFETY: the caller's promise; one more count is taken.
    unsafe {
        alloc::sync::Arc::increment_strong_count(header);
        TaskRef(alloc::sync::Arc::from_raw(header))
    }
}

/// Lets the most urgent ready task run. The running one goes back into the queue
/// if it is still running (not parked, not dead) and someone takes its place.
/// Interrupts are off, here and when it returns.
pub(crate) fn schedule() {
    let area = cpu::this();
    let me = this();
    area.need_resched.store(0, Ordering::Relaxed);
    let prev = area.current.load(Ordering::Relaxed).cast::<TaskHeader>();
    let idle = me.idle_task.load(Ordering::Relaxed);
    // SAFETY: the running task is alive: the list of tasks holds it until it is
    // dead and switched away from.
    let prev_ref = unsafe { &*prev };
    let stays = prev != idle && prev_ref.sched.state.load(Ordering::Relaxed) == RUNNING;
    let least = if stays {
        prev_ref.sched.priority
    } else {
        Priority::Background
    };
    let next = {
        let mut queue = me.queue.lock();
        let next = queue.pop(least);
        if stays && next.is_some() {
            prev_ref.sched.state.store(READY, Ordering::SeqCst);
            // SAFETY: alive, as above.
            queue.push(unsafe { counted(prev) });
        }
        next
    };
    let next = match next {
        Some(task) => task,
        None if stays => return crate::preempt::begin_slice(),
        None => match steal() {
            Some(task) => task,
            None if prev == idle => return,
            None => {
                crate::watchdog::rests();
                // SAFETY: idle tasks live for ever.
                unsafe { counted(idle) }
            }
        },
    };
    let header: *const TaskHeader = &raw const *next.0;
    // The list of tasks keeps it alive; a reference left on this stack would
    // never be dropped if this task is dead.
    drop(next);
    // SAFETY: alive, as said.
    switch_to(unsafe { &*header }, prev_ref);
}

fn switch_to(next: &TaskHeader, prev: &TaskHeader) {
    let (area, me) = (cpu::this(), this());
    let header: *const TaskHeader = next;
    let sched = &next.sched;
    if core::ptr::eq(header, prev) {
        // Parked and woken before it was switched away.
        sched.state.store(RUNNING, Ordering::SeqCst);
        return;
    }
    let mut looks = 0_u32;
    while sched.on_cpu.load(Ordering::Acquire) {
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(1 << 20) {
            cpu::spins_long();
        }
        cpu::relax();
    }
    let now = time::now();
    let ran = now.saturating_sub(prev.sched.since.load(Ordering::Relaxed));
    prev.cpu_time.fetch_add(ran, Ordering::Relaxed);
    sched.since.store(now, Ordering::Relaxed);
    sched.switches.fetch_add(1, Ordering::Relaxed);
    sched.state.store(RUNNING, Ordering::SeqCst);
    sched.on_cpu.store(true, Ordering::Relaxed);
    sched.cpu.store(cpu::id() as u32, Ordering::Relaxed);
    area.current
        .store(header.cast_mut().cast(), Ordering::Relaxed);
    me.previous
        .store(core::ptr::from_ref(prev).cast_mut(), Ordering::Relaxed);
    crate::preempt::rearm(now);
    let load = sched.stack_pointer.load(Ordering::Relaxed);
    // SAFETY: `load` is where `next` was switched away from, or its first frame;
    // nobody else runs on that stack (`on_cpu`).
    unsafe { switch_stacks(prev.sched.stack_pointer.as_ptr(), load) };
    finish_switch();
}

/// The first thing done on the new stack: the former task's registers are saved
/// now, so others may run it; if it is dead, its stack goes.
pub(crate) fn finish_switch() {
    let prev = this()
        .previous
        .swap(core::ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: the former task is in the list of tasks until `bury` below.
    let Some(prev) = (unsafe { prev.as_ref() }) else {
        return;
    };
    let dead = prev.sched.state.load(Ordering::SeqCst) == DEAD;
    let id = prev.id;
    prev.sched.on_cpu.store(false, Ordering::Release);
    if dead {
        crate::spawn::bury(id);
    }
}
