//! The event count of a socket.

use core::sync::atomic::{AtomicU64, Ordering};
use sync::WaitQueue;

/// Counts events of one socket and lets tasks wait for the next one. What the
/// events were is asked from the stack.
#[derive(Debug, Default)]
pub struct Signal {
    count: AtomicU64,
    waiters: WaitQueue,
}

impl Signal {
    /// A signal that has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Events so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Counts one event and wakes who waits.
    pub fn raise(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        match self.waiters.len() {
            // `len` is a hint; both calls look again, at the cost of a fence.
            0 | 1 => self.waiters.wake_one(),
            _ => self.waiters.wake_all(),
        }
    }

    /// Blocks until the count is past `seen`.
    pub fn wait(&self, seen: u64) {
        self.waiters
            .wait_until(|| (self.count() != seen).then_some(()));
    }

    /// The same, or until `also` holds, which whoever makes it true says by an
    /// unpark of the waiting task. False when the clock shows `deadline` (ns)
    /// before either.
    pub(crate) fn wait_also(
        &self,
        seen: u64,
        deadline: Option<u64>,
        also: impl Fn() -> bool,
    ) -> bool {
        let over = || (self.count() != seen || also()).then_some(());
        match deadline {
            Some(deadline) => self.waiters.wait_deadline(deadline, over).is_some(),
            None => {
                self.waiters.wait_until(over);
                true
            }
        }
    }

    /// Blocks until the count is past `seen`, but gives up once the clock shows
    /// `deadline` (ns). Tells whether the count is past `seen`.
    pub fn wait_deadline(&self, seen: u64, deadline: u64) -> bool {
        self.waiters
            .wait_deadline(deadline, || (self.count() != seen).then_some(()))
            .is_some()
    }
}
