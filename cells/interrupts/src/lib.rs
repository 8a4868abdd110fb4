//! Interrupts as drivers see them: a line that counts.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use sync::WaitQueue;

/// Why there is no line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IrqError {
    /// All vectors are taken.
    Exhausted,
}

/// An interrupt that a device raises by a message. The handler only counts and
/// wakes who waits.
#[derive(Debug, Default)]
pub struct IrqLine {
    count: AtomicU64,
    waiters: WaitQueue,
}

impl IrqLine {
    /// A line that interrupts `cpu`.
    ///
    /// # Errors
    /// When all vectors are taken.
    pub fn allocate(_cpu: usize) -> Result<Arc<Self>, IrqError> {
        Ok(Arc::new(Self::default()))
    }

    /// What the device has to write where.
    #[must_use]
    pub fn message(&self) -> (u64, u32) {
        (0, 0)
    }

    /// How often it was raised.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Raises it from software.
    pub fn raise(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.waiters.wake_all();
    }

    /// Blocks until the count differs from `seen`; gives the new count.
    pub fn wait(&self, seen: u64) -> u64 {
        self.waiters.wait_until(|| {
            let count = self.count();
            (count != seen).then_some(count)
        })
    }

    /// The same, until the clock shows `deadline` (ns) at the latest.
    pub fn wait_deadline(&self, seen: u64, deadline: u64) -> u64 {
        self.waiters
            .wait_deadline(deadline, || {
                let count = self.count();
                (count != seen).then_some(count)
            })
            .unwrap_or(seen)
    }
}
