//! A sleeping lock that a fault gives back.
//!
//! A mutex whose holder faults would stay locked for good, because the frame
//! with its guard is skipped. Here the holder is entered in its task's ledger:
//! both ways out of a fault, unwinding and the ledger, unlock and leave a mark
//! that what is protected may be half done. The next holder is told.

use crate::WaitQueue;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value for one holder at a time, who may fault.
#[derive(Debug, Default)]
pub struct FaultLock<T> {
    raw: Raw,
    value: UnsafeCell<T>,
}

#[derive(Debug, Default)]
struct Raw {
    locked: AtomicBool,
    torn: AtomicBool,
    waiters: WaitQueue,
}

// SAFETY: the lock hands the value to one holder at a time, so sharing it only
// ever sends the value.
unsafe impl<T: Send> Sync for FaultLock<T> {}

/// Gives the lock back when dropped; `done` says that no fault cut it short.
struct Hold<'a> {
    raw: &'a Raw,
    done: bool,
}

impl<T> FaultLock<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        FaultLock {
            raw: Raw {
                locked: AtomicBool::new(false),
                torn: AtomicBool::new(false),
                waiters: WaitQueue::new(),
            },
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock and calls `body` with the value, and with whether a
    /// fault has cut short the holder before. Not re-entrant.
    pub fn with<R>(&self, body: impl FnOnce(&mut T, bool) -> R) -> R {
        if !self.raw.try_take() {
            let taken = || self.raw.try_take().then_some(());
            self.raw.waiters.wait_until(taken);
        }
        let mut hold = Hold::new(&self.raw);
        let torn = self.raw.torn.swap(false, Ordering::SeqCst);
        // SAFETY: we hold the lock until `hold` is dropped, and `body` cannot
        // keep the reference.
        let result = body(unsafe { &mut *self.value.get() }, torn);
        hold.done = true;
        result
    }
}

impl Raw {
    fn try_take(&self) -> bool {
        task_port::interleave();
        !self.locked.swap(true, Ordering::SeqCst)
    }

    fn give_back(&self) {
        self.locked.store(false, Ordering::SeqCst);
        self.waiters.wake_one();
    }
}

impl<'a> Hold<'a> {
    fn new(raw: &'a Raw) -> Self {
        let address = core::ptr::from_ref(raw).expose_provenance();
        task_port::with_ledger(|l| l.enter(address, 0, release));
        Hold { raw, done: false }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        task_port::with_ledger(|l| l.leave(core::ptr::from_ref(self.raw).addr(), 0));
        if !self.done {
            self.raw.torn.store(true, Ordering::SeqCst);
        }
        self.raw.give_back();
    }
}

/// What the ledger calls when the holder's frame is gone.
fn release(raw: usize, _: usize) {
    // SAFETY: the address was taken from a lock that the interrupted call had
    // borrowed; what keeps the lock alive for it (a port's in-flight count, an
    // Arc) was entered or held before and is given back after.
    let raw: &Raw = unsafe { &*core::ptr::with_exposed_provenance(raw) };
    raw.torn.store(true, Ordering::SeqCst);
    raw.give_back();
}

#[cfg(test)]
mod tests {
    use super::*;
    use task_port::gate;

    #[test]
    fn a_fault_frees_the_lock_and_tells_the_next_holder() {
        let lock = FaultLock::new(1);
        assert_eq!(lock.with(|v, torn| (*v, torn)), (1, false));
        // A panic: unwinding drops the hold.
        let fault = gate(|| {
            lock.with(|v, _| {
                *v = 2;
                panic!("half done")
            })
        });
        assert!(fault.is_err());
        assert_eq!(lock.with(|v, torn| (*v, torn)), (2, true));
        assert_eq!(lock.with(|v, torn| (*v, torn)), (2, false));
        // A CPU fault: the frame is skipped, the ledger gives the lock back.
        let fault = gate(|| {
            assert!(lock.raw.try_take());
            core::mem::forget(Hold::new(&lock.raw));
            panic!("skipped");
        });
        assert_eq!(fault.map_err(|f| f.released), Err::<(), _>(1));
        assert_eq!(lock.with(|v, torn| (*v, torn)), (2, true));
    }

    #[test]
    fn holders_take_turns() {
        let lock = std::sync::Arc::new(FaultLock::new(0u64));
        let threads: std::vec::Vec<_> = (0..4)
            .map(|_| {
                let lock = std::sync::Arc::clone(&lock);
                std::thread::spawn(move || {
                    for _ in 0..10_000 {
                        lock.with(|v, _| *v += 1);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(lock.with(|v, _| *v), 40_000);
    }
}
