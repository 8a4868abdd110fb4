//! The host's stand-in for a CPU: a thread with a small number.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

static NEXT: AtomicUsize = AtomicUsize::new(0);

std::thread_local! {
    static ID: usize = NEXT.fetch_add(1, Ordering::Relaxed) % 4;
}

/// The number of the CPU this code runs on, below [`crate::MAX_CPUS`].
pub fn id() -> usize {
    ID.try_with(|id| *id).unwrap_or(0)
}

/// How many CPUs run.
pub fn count() -> usize {
    4
}

/// Whether this is an interrupt handler; never on the host.
#[inline]
pub fn in_interrupt() -> bool {
    false
}

/// Whether the CPU has nothing to run: always, as a host's thread takes no CPU from
/// another.
#[inline]
pub fn is_idle() -> bool {
    true
}

/// Disables preemption; nothing to do on the host.
#[inline]
pub fn preempt_disable() {}

/// Remembers a lock that was taken; on the host a panic unwinds through its holder.
#[inline]
pub fn note_held(_address: usize) {}

/// The same for a lock with interrupts off.
#[inline]
pub fn note_irq_held(_address: usize) {}

/// It is given back.
#[inline]
pub fn forget_irq_held() {}

/// Enables preemption again; nothing to do on the host.
#[inline]
pub fn preempt_enable() {}

/// Turns interrupts off and tells whether they were on; never on the host.
#[inline]
pub fn irq_disable() -> bool {
    false
}

/// Turns interrupts on; nothing to do on the host.
#[inline]
pub fn irq_enable() {}

static RELAX: OnceLock<fn() -> bool> = OnceLock::new();

/// Lets `hook` do the rounds of spinning waits, where it answers true: of threads
/// that a simulation schedules.
pub fn set_relax(hook: fn() -> bool) {
    RELAX.get_or_init(|| hook);
}

/// One round of a spinning wait.
#[inline]
pub fn relax() {
    if !RELAX.get().is_some_and(|hook| hook()) {
        std::thread::yield_now();
    }
}

/// A spinning wait lasts; the host's scheduler sees to it.
pub fn spins_long() -> Option<u64> {
    None
}
