//! What code may know of the CPU it runs on: its number, its per-CPU area, the
//! interrupt flag and the preemption count.
//!
//! In the system the per-CPU area is reached through the GS base, which
//! `nano_core` sets on each CPU before anything else runs. On the host a thread
//! stands for a CPU: `id` spreads threads over a few numbers, so that per-CPU
//! structures are exercised by tests, and the flags do nothing.
//!
//! The running task's header hangs on the per-CPU area too, but belongs to
//! `task_port`.
#![cfg_attr(mitos, no_std)]

#[cfg(not(mitos))]
mod host;
#[cfg(mitos)]
pub mod kernel;

#[cfg(not(mitos))]
pub use host::*;
#[cfg(mitos)]
pub use kernel::*;

/// The most CPUs the system uses; per-CPU arrays have this length.
pub const MAX_CPUS: usize = 32;

/// The time stamp counter.
#[cfg(target_arch = "x86_64")]
#[inline]
#[must_use]
pub fn tsc() -> u64 {
    // SAFETY: reading the counter has no effect.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Keeps the running task on its CPU while it lives.
#[derive(Debug)]
pub struct PreemptGuard {
    /// A guard must be dropped on the CPU that made it.
    _not_send: core::marker::PhantomData<*const ()>,
}

impl PreemptGuard {
    /// Disables preemption until the guard is dropped. Guards nest.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        preempt_disable();
        PreemptGuard {
            _not_send: core::marker::PhantomData,
        }
    }
}

impl Default for PreemptGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PreemptGuard {
    #[inline]
    fn drop(&mut self) {
        preempt_enable();
    }
}

/// Keeps interrupts off on this CPU while it lives, and restores their former
/// state when dropped.
#[derive(Debug)]
pub struct IrqGuard {
    were_on: bool,
    _not_send: core::marker::PhantomData<*const ()>,
}

impl IrqGuard {
    /// Turns interrupts off until the guard is dropped. Guards nest.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        IrqGuard {
            were_on: irq_disable(),
            _not_send: core::marker::PhantomData,
        }
    }
}

impl Default for IrqGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for IrqGuard {
    #[inline]
    fn drop(&mut self) {
        if self.were_on {
            irq_enable();
        }
    }
}
