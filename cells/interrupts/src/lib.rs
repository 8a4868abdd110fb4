//! Interrupt and exception delivery: IDT, IST stacks, local and I/O APIC, MSI-X
//! vectors.
//!
//! Stand-in: interrupt lines as drivers see them, for the host.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use sync::WaitQueue;

/// Why there is no line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IrqError {
    /// All vectors of that CPU are taken.
    NoVector,
}

/// One interrupt of a device, counted; tasks wait for the count to change.
#[derive(Debug)]
pub struct IrqLine {
    count: AtomicU64,
    waiters: WaitQueue,
    address: u64,
    data: u32,
}

static NEXT: AtomicU32 = AtomicU32::new(0x30);

impl IrqLine {
    /// A line that interrupts `cpu`.
    ///
    /// # Errors
    /// When that CPU has no vector left.
    pub fn allocate(cpu: usize) -> Result<Arc<Self>, IrqError> {
        Ok(Arc::new(IrqLine {
            count: AtomicU64::new(0),
            waiters: WaitQueue::new(),
            address: 0xFEE0_0000 | (cpu as u64) << 12,
            data: NEXT.fetch_add(1, Ordering::Relaxed),
        }))
    }

    /// What a device writes where to raise it.
    #[must_use]
    pub fn message(&self) -> (u64, u32) {
        (self.address, self.data)
    }

    /// How often it was raised.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Counts one interrupt and wakes who waits.
    pub fn raise(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.waiters.wake_all();
    }

    fn changed(&self, seen: u64) -> Option<u64> {
        Some(self.count()).filter(|&count| count != seen)
    }

    /// Blocks until the count differs from `seen` and gives it.
    pub fn wait(&self, seen: u64) -> u64 {
        self.waiters.wait_until(|| self.changed(seen))
    }

    /// The same, until the clock shows `deadline_ns` at most.
    pub fn wait_deadline(&self, seen: u64, deadline_ns: u64) -> u64 {
        self.waiters
            .wait_deadline(deadline_ns, || self.changed(seen))
            .unwrap_or(seen)
    }
}
