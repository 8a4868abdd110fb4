//! The end of one piece of work, as a token others can wait for.

use crate::WaitQueue;
use crate::atomic::{AtomicU32, Ordering};
use alloc::sync::Arc;

/// How a piece of work ended: 0 is success, anything else is for the port that
/// made the token to interpret.
pub type Outcome = u16;

const PENDING: u32 = u32::MAX;

/// A wait token: made by a port for work that goes on (a read, a flush), waited
/// for outside the port, ended by whoever finishes the work, also from an
/// interrupt handler. Cloning gives the same token.
#[derive(Clone, Debug)]
pub struct Completion(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    outcome: AtomicU32,
    waiters: WaitQueue,
}

impl Completion {
    /// A token for work that has not ended.
    #[must_use]
    pub fn new() -> Self {
        Completion(Arc::new(Inner {
            outcome: AtomicU32::new(PENDING),
            waiters: WaitQueue::new(),
        }))
    }

    /// A token for work that has ended already.
    #[must_use]
    pub fn ready(outcome: Outcome) -> Self {
        Completion(Arc::new(Inner {
            outcome: AtomicU32::new(u32::from(outcome)),
            waiters: WaitQueue::new(),
        }))
    }

    /// Ends the work. The first call counts.
    pub fn complete(&self, outcome: Outcome) {
        let _ = self.0.outcome.compare_exchange(
            PENDING,
            u32::from(outcome),
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        self.0.waiters.wake_all();
    }

    /// The outcome, once there is one.
    #[must_use]
    pub fn poll(&self) -> Option<Outcome> {
        match self.0.outcome.load(Ordering::SeqCst) {
            PENDING => None,
            outcome => Outcome::try_from(outcome).ok(),
        }
    }

    /// Blocks until the work has ended.
    pub fn wait(&self) -> Outcome {
        self.0.waiters.wait_until(|| self.poll())
    }

    /// Blocks until the work has ended or the clock shows `deadline` (ns).
    pub fn wait_deadline(&self, deadline: u64) -> Option<Outcome> {
        self.0.waiters.wait_deadline(deadline, || self.poll())
    }
}

impl Default for Completion {
    fn default() -> Self {
        Self::new()
    }
}
