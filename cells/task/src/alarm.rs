//! Waking tasks at a time.
//!
//! Most waits with a deadline end long before it, and the next wait of the same
//! task has a later one. So a task keeps one entry in the list of a CPU, which is
//! left there when the wait ends and when the deadline moves later; when the entry
//! comes up, it moves to the deadline there is by then, if there is one. A wait
//! touches the list only when its deadline is before the task's entry.
//!
//! The two words of a task: `wake_at` is the deadline of its present wait, `alarm`
//! the time of its entry. The task sets the first, then looks at the second; the
//! timer's handler takes the second back, then looks at the first. So one of them
//! sees the other. An entry whose time is not its task's `alarm` is a stale one.

use crate::park::unpark;
use crate::queue::{CPUS, Cpu, this};
use alloc::collections::BTreeMap;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use task_port::{Sched, TaskHeader, TaskRef};

/// No time.
pub(crate) const NEVER: u64 = u64::MAX;

/// Entries by time and task.
pub(crate) type Entries = BTreeMap<(u64, u64), TaskRef>;

impl Cpu {
    /// Changes the list of entries, and notes the first one's time.
    fn change_sleepers<R>(&self, change: impl FnOnce(&mut Entries) -> R) -> R {
        let mut entries = self.sleepers.lock();
        let result = change(&mut entries);
        let first = entries.first_key_value().map_or(NEVER, |((at, _), _)| *at);
        self.first_alarm.store(first, Relaxed);
        result
    }
}

/// The running task is to be woken at `deadline`. Interrupts are off.
pub(crate) fn set(header: &TaskHeader, deadline: u64) {
    let sched = &header.sched;
    sched.wake_at.store(deadline, SeqCst);
    let mut entry = sched.alarm.load(SeqCst);
    loop {
        if entry <= deadline {
            return;
        }
        match sched
            .alarm
            .compare_exchange(entry, deadline, SeqCst, SeqCst)
        {
            Ok(_) => break,
            Err(now) => entry = now,
        }
    }
    forget(sched, header.id.0, entry);
    insert(sched, task_port::current(), deadline);
}

/// The running task's wait is over.
pub(crate) fn clear(header: &TaskHeader) {
    header.sched.wake_at.store(NEVER, Relaxed);
}

/// A task has ended: its entry goes.
pub(crate) fn end(header: &TaskHeader) {
    let entry = header.sched.alarm.swap(NEVER, SeqCst);
    forget(&header.sched, header.id.0, entry);
}

fn insert(sched: &Sched, task: TaskRef, at: u64) {
    sched.alarm_cpu.store(cpu::id() as u32, Relaxed);
    let id = task.id().0;
    this().change_sleepers(|entries| entries.insert((at, id), task));
}

/// Takes an entry out. Where it is not found, it has come up at this moment.
fn forget(sched: &Sched, id: u64, entry: u64) {
    let cpu = CPUS.get(sched.alarm_cpu.load(Relaxed) as usize);
    if let (Some(cpu), true) = (cpu, entry != NEVER) {
        let task = cpu.change_sleepers(|entries| entries.remove(&(entry, id)));
        drop(task);
    }
}

/// Wakes the tasks of this CPU whose time has come. In the timer interrupt.
pub(crate) fn wake_due(now: u64) {
    let due = |entries: &mut Entries| {
        let first = *entries.first_key_value()?.0;
        let task = (first.0 <= now).then(|| entries.remove(&first))??;
        Some((first.0, task))
    };
    while let Some((entry, task)) = this().change_sleepers(due) {
        let sched = &task.0.sched;
        let taken = sched.alarm.compare_exchange(entry, NEVER, SeqCst, SeqCst);
        if taken.is_err() {
            continue;
        }
        let wake_at = sched.wake_at.load(SeqCst);
        if wake_at <= now {
            unpark(&task);
        } else if wake_at != NEVER {
            let again = sched.alarm.compare_exchange(NEVER, wake_at, SeqCst, SeqCst);
            if again.is_ok() {
                insert(sched, task.clone(), wake_at);
            }
        }
    }
}

/// When the first entry of this CPU comes up.
pub(crate) fn first() -> u64 {
    this().first_alarm.load(Relaxed)
}
