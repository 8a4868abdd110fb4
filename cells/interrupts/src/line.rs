//! The interrupt of a device, counted.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use sync::{IrqLock, WaitQueue};
use task_port::TaskRef;

/// Why there is no line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IrqError {
    /// All vectors are taken.
    NoVector,
}

/// One interrupt of a device, counted; tasks wait for the count to change. The
/// vector is free again when the last reference is gone.
#[derive(Debug)]
pub struct IrqLine {
    count: AtomicU64,
    waiters: WaitQueue,
    /// Woken in place of those who wait when its interrupt finds the CPU idle.
    leader: IrqLock<Option<TaskRef>>,
    cpu: usize,
    vector: u8,
}

impl IrqLine {
    /// A line that interrupts CPU `cpu`.
    ///
    /// # Errors
    /// When no vector is left.
    pub fn allocate(cpu: usize) -> Result<Arc<Self>, IrqError> {
        imp::allocate(|vector| {
            Arc::new(IrqLine {
                count: AtomicU64::new(0),
                waiters: WaitQueue::new(),
                leader: IrqLock::new(None),
                cpu,
                vector,
            })
        })
    }

    /// What a device writes where to raise it (MSI: Intel SDM volume 3, 11.11).
    #[must_use]
    pub fn message(&self) -> (u64, u32) {
        (
            0xfee0_0000 | u64::from(imp::apic_id(self.cpu)) << 12,
            u32::from(self.vector),
        )
    }

    /// Its vector.
    #[must_use]
    pub fn vector(&self) -> u8 {
        self.vector
    }

    /// The CPU it interrupts.
    #[must_use]
    pub fn cpu(&self) -> usize {
        self.cpu
    }

    /// How often it was raised.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Counts one interrupt and wakes who waits: on an idle CPU the leader, if
    /// there is one.
    pub fn raise(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if cpu::is_idle() {
            let leader = self.leader.lock().clone();
            if let Some(leader) = leader {
                return leader.unpark();
            }
        }
        self.waiters.wake_all();
    }

    /// The same, but never the leader: somebody has work for those who wait.
    pub fn nudge(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.waiters.wake_all();
    }

    /// Makes the running task the leader, in place of who was. It looks at the
    /// device's work for all when the count changes.
    pub fn lead(&self) {
        let former = self.leader.lock().replace(task_port::current());
        drop(former);
    }

    /// The running task leads no longer, if it did.
    pub fn follow(&self) {
        let me = task_port::current_id();
        let former = self.leader.lock().take_if(|leader| leader.id() == me);
        drop(former);
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

impl Drop for IrqLine {
    fn drop(&mut self) {
        imp::free(self.vector);
    }
}

#[cfg(mitos)]
use crate::vectors as imp;

#[cfg(not(mitos))]
mod imp {
    //! The host: numbers only; tests raise lines by hand.

    use super::{Arc, IrqError, IrqLine};
    use core::sync::atomic::{AtomicU8, Ordering};

    static NEXT: AtomicU8 = AtomicU8::new(0x30);

    pub(super) fn allocate(
        make: impl FnOnce(u8) -> Arc<IrqLine>,
    ) -> Result<Arc<IrqLine>, IrqError> {
        Ok(make(NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(super) fn free(_vector: u8) {}

    pub(super) fn apic_id(cpu: usize) -> u8 {
        cpu as u8
    }
}
