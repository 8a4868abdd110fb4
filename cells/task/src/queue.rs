//! Each CPU's run queue, and which CPU gets a woken task.

use crate::alarm::{Entries, NEVER};
use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use cpu::MAX_CPUS;
use interrupts::{RESCHEDULE, apic};
use sync::IrqLock;
use task_port::{Priority, TaskHeader, TaskRef};

/// States of a task.
pub(crate) const RUNNING: u8 = 0;
pub(crate) const READY: u8 = 1;
pub(crate) const PARKED: u8 = 2;
pub(crate) const DEAD: u8 = 3;

/// Ready tasks by urgency, most urgent last.
#[derive(Default)]
pub(crate) struct RunQueue {
    by_priority: [VecDeque<TaskRef>; 3],
}

/// Whether another CPU may take the task: not one that its own CPU is still
/// switching away from, or two CPUs could wait for each other's.
fn may_move(task: &TaskRef) -> bool {
    let sched = &task.0.sched;
    sched.pinned.is_none() && !sched.on_cpu.load(Ordering::Acquire)
}

impl RunQueue {
    pub(crate) fn push(&mut self, task: TaskRef) {
        self.by_priority[task.0.sched.priority as usize].push_back(task);
    }

    /// The task that the policy wants to run, of at least `least`.
    pub(crate) fn pop(&mut self, least: Priority) -> Option<TaskRef> {
        if self.is_empty() {
            return None;
        }
        let waiting = core::array::from_fn(|urgency| self.by_priority[urgency].len());
        let urgency = sched_port::next(waiting, least as usize)?;
        self.by_priority[urgency].pop_front()
    }

    /// A task that another CPU may run.
    fn steal(&mut self) -> Option<TaskRef> {
        self.by_priority.iter_mut().rev().find_map(|queue| {
            let at = queue.iter().position(may_move)?;
            queue.remove(at)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_priority.iter().all(VecDeque::is_empty)
    }
}

/// What the scheduler keeps of a CPU.
pub(crate) struct Cpu {
    pub(crate) queue: IrqLock<RunQueue>,
    /// The entries of tasks that slept on this CPU: see `alarm`.
    pub(crate) sleepers: IrqLock<Entries>,
    /// The time of the first of them (ns).
    pub(crate) first_alarm: AtomicU64,
    /// When its timer fires (ns); `u64::MAX`: never.
    pub(crate) armed: AtomicU64,
    /// It halts or is about to.
    pub(crate) idle: AtomicBool,
    /// The task that was switched away from last.
    pub(crate) previous: AtomicPtr<TaskHeader>,
    /// Its idle task.
    pub(crate) idle_task: AtomicPtr<TaskHeader>,
}

impl Cpu {
    const fn new() -> Self {
        Cpu {
            queue: IrqLock::new(RunQueue {
                by_priority: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
            }),
            sleepers: IrqLock::new(Entries::new()),
            first_alarm: AtomicU64::new(NEVER),
            armed: AtomicU64::new(u64::MAX),
            idle: AtomicBool::new(false),
            previous: AtomicPtr::new(core::ptr::null_mut()),
            idle_task: AtomicPtr::new(core::ptr::null_mut()),
        }
    }
}

pub(crate) static CPUS: [Cpu; MAX_CPUS] = [const { Cpu::new() }; MAX_CPUS];

/// The running CPU's part. Interrupts or preemption are off.
pub(crate) fn this() -> &'static Cpu {
    &CPUS[cpu::id()]
}

/// Where a woken task goes: to the CPU it is bound to, else where the policy
/// wants it.
fn choose(task: &TaskRef) -> usize {
    let cpus = cpu::count();
    if let Some(pinned) = task.0.sched.pinned {
        return pinned.min(cpus - 1);
    }
    let is_idle = |id: &usize| CPUS[*id].idle.load(Ordering::Relaxed);
    let idle = (0..cpus).filter(is_idle).fold(0, |mask, id| mask | 1 << id);
    sched_port::place(&sched_port::Choice {
        last: task.0.sched.cpu.load(Ordering::Relaxed) as usize,
        here: cpu::id(),
        cpus,
        idle,
    })
}

/// Puts a ready task into a run queue and sees to it that the CPU notices.
pub(crate) fn enqueue(task: TaskRef) {
    let _irq = cpu::IrqGuard::new();
    let target = choose(&task);
    let priority = task.0.sched.priority;
    CPUS[target].queue.lock().push(task);
    if target == cpu::id() {
        notice(priority);
    } else {
        // The halting CPU sets `idle` before it looks at its queue for the last
        // time, so either it sees the task or we see it idle. A busy one looks
        // at its next timer or switch; urgent work does not wait for that.
        core::sync::atomic::fence(Ordering::SeqCst);
        if CPUS[target].idle.load(Ordering::SeqCst) || priority == Priority::High {
            apic::send(apic_id(target), RESCHEDULE);
        }
    }
}

fn apic_id(cpu: usize) -> u32 {
    interrupts::platform::get()
        .cpus
        .get(cpu)
        .copied()
        .unwrap_or(0)
}

/// A task of `priority` is in this CPU's queue: preempt a less urgent one, or
/// let its time slice begin to run out.
pub(crate) fn notice(priority: Priority) {
    let area = cpu::this();
    let current = area.current.load(Ordering::Relaxed).cast::<TaskHeader>();
    // SAFETY: the running task's header, or the idle task's, lives while it runs.
    let Some(current) = (unsafe { current.as_ref() }) else {
        return;
    };
    if priority > current.sched.priority
        || core::ptr::eq(current, this().idle_task.load(Ordering::Relaxed))
    {
        area.need_resched.store(1, Ordering::Relaxed);
    } else {
        crate::preempt::begin_slice();
    }
}

/// Work of another CPU, for one that has none.
pub(crate) fn steal() -> Option<TaskRef> {
    let me = cpu::id();
    (0..cpu::count())
        .filter(|id| *id != me)
        .find_map(|id| CPUS[id].queue.try_lock()?.steal())
}
