//! Cancelling what a session does.

use crate::wait::CANCELLED;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::{Completion, SpinLock};

/// A switch that ends the running statement of a session: waits in this port
/// end at once, and the executor looks at it between batches. Clones are the
/// same switch.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    waiting: SpinLock<Option<Completion>>,
}

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels, and wakes the session if it waits.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        let waiting = self.0.waiting.lock().clone();
        if let Some(done) = waiting {
            done.complete(CANCELLED);
        }
    }

    /// Whether it was cancelled.
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// Whether the session waits for another one: for a lock, a transaction's end,
    /// a safe snapshot. False from the moment on at which it may go on.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let waiting = self.0.waiting.lock();
        waiting.as_ref().is_some_and(|done| done.poll().is_none())
    }

    /// Makes it usable again, for the session's next statement.
    pub fn reset(&self) {
        self.0.cancelled.store(false, Ordering::SeqCst);
    }

    /// Lets a cancel end the wait for `done`.
    pub(crate) fn watch(&self, done: &Completion) {
        *self.0.waiting.lock() = Some(done.clone());
        if self.0.cancelled.load(Ordering::SeqCst) {
            done.complete(CANCELLED);
        }
    }

    pub(crate) fn unwatch(&self) {
        let former = self.0.waiting.lock().take();
        drop(former);
    }
}
