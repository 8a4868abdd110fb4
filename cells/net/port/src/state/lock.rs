//! The lock around the stack's state: sleeping, and given back after a fault.
//!
//! A mutex whose holder faults would stay locked for good, because the frame
//! with its guard is skipped. So the holder enters the lock in its task's
//! ledger, and both ways out of a fault, unwinding and the ledger, unlock and
//! leave a mark. Whoever comes next repairs first ([`Stack::repair`]).

use super::Stack;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::WaitQueue;

/// The state of the stack behind its lock.
#[derive(Debug)]
pub struct StateLock {
    locked: AtomicBool,
    faulted: AtomicBool,
    waiters: WaitQueue,
    stack: UnsafeCell<Stack>,
}

// SAFETY: the stack is reached by one holder of the lock at a time, so sharing
// the lock only ever sends the stack, which is `Send`.
unsafe impl Sync for StateLock {}

const _: () = {
    const fn sendable<T: Send>() {}
    sendable::<Stack>();
};

/// Gives the lock back when dropped; `done` says that no fault cut it short.
struct Hold<'a> {
    lock: &'a StateLock,
    done: bool,
}

impl StateLock {
    /// A lock around a new stack.
    #[must_use]
    pub fn new(stack: Stack) -> Self {
        StateLock {
            locked: AtomicBool::new(false),
            faulted: AtomicBool::new(false),
            waiters: WaitQueue::new(),
            stack: UnsafeCell::new(stack),
        }
    }

    /// Waits for the lock and calls `body` with the stack. Not re-entrant.
    pub fn with<R>(&self, body: impl FnOnce(&mut Stack) -> R) -> R {
        if !self.try_take() {
            self.waiters.wait_until(|| self.try_take().then_some(()));
        }
        let mut hold = Hold::new(self);
        // SAFETY: we hold the lock, and `body` cannot keep the reference: it is
        // not valid for longer than the call.
        let stack = unsafe { &mut *self.stack.get() };
        if self.faulted.swap(false, Ordering::SeqCst) {
            stack.repair();
        }
        let result = body(stack);
        hold.done = true;
        result
    }

    fn try_take(&self) -> bool {
        !self.locked.swap(true, Ordering::Acquire)
    }

    fn give_back(&self) {
        self.locked.store(false, Ordering::SeqCst);
        self.waiters.wake_one();
    }
}

impl<'a> Hold<'a> {
    fn new(lock: &'a StateLock) -> Self {
        task_port::with_ledger(|l| {
            l.enter(core::ptr::from_ref(lock).expose_provenance(), 0, release)
        });
        Hold { lock, done: false }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        task_port::with_ledger(|l| l.leave(core::ptr::from_ref(self.lock).addr(), 0));
        if !self.done {
            self.lock.faulted.store(true, Ordering::SeqCst);
        }
        self.lock.give_back();
    }
}

/// What the ledger calls when the holder's frame is gone.
fn release(lock: usize, _: usize) {
    // SAFETY: the address was taken from a reference to a lock that lives as
    // long as the call on the provider which was interrupted: the ledger gives
    // back newest first, so the count that keeps the provider, and with it the
    // Arc around the lock, is given back after this.
    let lock: &StateLock = unsafe { &*core::ptr::with_exposed_provenance(lock) };
    lock.faulted.store(true, Ordering::SeqCst);
    lock.give_back();
}
