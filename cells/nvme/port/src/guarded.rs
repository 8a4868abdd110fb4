//! The lock around a queue's rings: a spin lock that survives a fault.
//!
//! Whoever holds it is inside the driver cell, whose code may panic or fault.
//! The lock is then given back by the unwinding or by the task's ledger, and
//! says that what it protects was left half done ([`Guarded::is_torn`]); the
//! driver answers with a reset of the controller, after which nothing half done
//! matters.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

struct Raw {
    locked: AtomicBool,
    torn: AtomicBool,
}

impl Raw {
    fn address(&self) -> usize {
        core::ptr::from_ref(self).expose_provenance()
    }

    #[inline]
    fn give_back(&self) {
        self.locked.store(false, Ordering::Release);
        cpu::preempt_enable();
    }
}

/// A value for one holder at a time, preemption off meanwhile.
pub struct Guarded<T> {
    raw: Raw,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one holder at a time, so sharing it only
// ever sends the value.
unsafe impl<T: Send> Sync for Guarded<T> {}

/// Holding the raw lock. Dropped before it is `clean`, it leaves a tear.
struct Hold<'a> {
    raw: &'a Raw,
    clean: bool,
}

impl<'a> Hold<'a> {
    #[inline]
    fn entered(raw: &'a Raw) -> Self {
        task_port::with_ledger(|l| l.enter(raw.address(), 0, release));
        Hold { raw, clean: false }
    }
}

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        task_port::with_ledger(|l| l.leave(self.raw.address(), 0));
        if !self.clean {
            self.raw.torn.store(true, Ordering::Release);
        }
        self.raw.give_back();
    }
}

/// What the ledger calls when the holder's frame is gone.
fn release(raw: usize, _: usize) {
    let raw: *const Raw = core::ptr::with_exposed_provenance(raw);
    // SAFETY: the address was taken from a lock in the driver's state, which is
    // kept by the provider whose call entered it; that call is still counted
    // (ledger entries are given back newest first), so the state is alive.
    let raw = unsafe { &*raw };
    raw.torn.store(true, Ordering::Release);
    raw.give_back();
}

impl<T> Guarded<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Guarded {
            raw: Raw {
                locked: AtomicBool::new(false),
                torn: AtomicBool::new(false),
            },
            value: UnsafeCell::new(value),
        }
    }

    /// Runs `body` with the value once nobody else has it.
    #[inline]
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        cpu::preempt_disable();
        while self.raw.locked.swap(true, Ordering::Acquire) {
            while self.raw.locked.load(Ordering::Relaxed) {
                cpu::relax();
            }
        }
        self.run(body)
    }

    /// Runs `body` with the value if nobody has it now.
    #[inline]
    pub fn try_with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        cpu::preempt_disable();
        if self.raw.locked.swap(true, Ordering::Acquire) {
            cpu::preempt_enable();
            return None;
        }
        Some(self.run(body))
    }

    #[inline]
    fn run<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        let mut hold = Hold::entered(&self.raw);
        // SAFETY: the lock is ours until `hold` is dropped.
        let result = body(unsafe { &mut *self.value.get() });
        hold.clean = true;
        result
    }

    /// The value, which nobody else can reach.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Whether a holder faulted and left the value half done.
    #[inline]
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.raw.torn.load(Ordering::Acquire)
    }

    /// Says that the value has been put right.
    pub fn mend(&self) {
        self.raw.torn.store(false, Ordering::Release);
    }
}

impl<T> core::fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Guarded")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use task_port::gate;

    #[test]
    fn a_fault_frees_the_lock_and_leaves_a_tear() {
        let lock = Guarded::new(1);
        assert_eq!(lock.with(|v| core::mem::replace(v, 2)), 1);
        assert!(!lock.is_torn());
        // A panic: the unwinding drops the hold.
        assert!(gate(|| lock.with(|_| panic!("half done"))).is_err());
        assert!(lock.is_torn());
        lock.mend();
        // A CPU fault: the frame's destructors do not run, the ledger's do.
        let fault = gate(|| {
            cpu::preempt_disable();
            lock.raw.locked.store(true, Ordering::Release);
            core::mem::forget(Hold::entered(&lock.raw));
            panic!("the frame is skipped");
        });
        assert_eq!(fault.map_err(|f| f.released), Err::<(), _>(1));
        assert!(lock.is_torn());
        assert_eq!(lock.try_with(|v| *v), Some(2));
    }
}
