//! What survives a swap: the borrowed extents with the blocks in use, and the
//! counters.

use crate::TempError;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use frame::IoBuffer;
use pg_buffer_port::BorrowedExtent;
use port::{HandoverError, State};
use sync::SpinLock;

/// Bytes of a block.
pub const BLOCK: usize = 32 * 1024;
/// The version of [`TempState`]'s schema.
pub const SCHEMA: u32 = 1;
/// Blocks of an extent that are used; those of the largest disks have more.
const MOST_BLOCKS: u64 = 64;
/// How many buffers for a block are kept.
const KEPT: usize = 8;

/// Counters for people and tests.
#[derive(Debug, Default)]
pub struct Counters {
    /// Files made.
    pub files: AtomicU64,
    /// Bytes that were written.
    pub written: AtomicU64,
    /// Bytes that were read.
    pub read: AtomicU64,
}

/// Temporary space.
#[derive(Debug, Default)]
pub struct TempState {
    leases: SpinLock<Leases>,
    buffers: SpinLock<Vec<IoBuffer>>,
    /// Counters.
    pub counters: Counters,
}

/// The extents, by a number of our own.
#[derive(Debug, Default)]
struct Leases {
    extents: BTreeMap<u32, Lease>,
    next: u32,
    /// Blocks in use.
    used: u64,
}

#[derive(Debug)]
struct Lease {
    extent: BorrowedExtent,
    /// One bit for each free block.
    free: u64,
}

impl Lease {
    fn all(extent: &BorrowedExtent) -> u64 {
        match extent.bytes() / BLOCK as u64 {
            MOST_BLOCKS.. => u64::MAX,
            count => (1 << count) - 1,
        }
    }
}

impl TempState {
    /// Wraps it for the handover; here, so that the code that drops it is the
    /// port's.
    #[must_use]
    pub fn pack(state: Arc<TempState>) -> State {
        State::new(SCHEMA, Box::new(state))
    }

    /// The way back.
    ///
    /// # Errors
    /// When it is another schema.
    pub fn unpack(state: State) -> Result<Arc<TempState>, HandoverError> {
        let offered = state.schema();
        if offered != SCHEMA {
            return Err(HandoverError::Schema { offered });
        }
        let state = state.take::<Arc<TempState>>();
        state
            .map(|state| *state)
            .map_err(|_| HandoverError::Schema { offered })
    }

    /// Takes a free block of a borrowed extent, if there is one.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Option<Block> {
        let mut leases = self.leases.lock();
        // The first with room: so those behind it become empty, and go back.
        let (number, lease) = leases.extents.iter_mut().find(|(_, l)| l.free != 0)?;
        let index = lease.free.trailing_zeros();
        lease.free &= lease.free - 1;
        let offset = lease.extent.offset() + u64::from(index) * BLOCK as u64;
        let number = *number;
        leases.used += 1;
        Some(Block {
            number,
            index,
            offset,
            state: Arc::clone(self),
        })
    }

    /// Adds a borrowed extent.
    pub fn add(&self, extent: BorrowedExtent) {
        let free = Lease::all(&extent);
        let mut leases = self.leases.lock();
        let number = leases.next;
        leases.next = number.wrapping_add(1);
        let former = leases.extents.insert(number, Lease { extent, free });
        drop(leases);
        debug_assert!(former.is_none(), "the numbers have gone round");
    }

    fn give_back(&self, number: u32, index: u32) {
        let mut leases = self.leases.lock();
        leases.used -= 1;
        if leases.used == 0 {
            // All of them: one that was borrowed while another became free may not
            // have been used at all.
            let all = core::mem::take(&mut leases.extents);
            drop(leases);
            drop(all);
            return;
        }
        let Some(lease) = leases.extents.get_mut(&number) else {
            return;
        };
        lease.free |= 1 << index;
        if lease.free == Lease::all(&lease.extent) {
            let lease = leases.extents.remove(&number);
            // Giving it back takes a lock of the pool's.
            drop(leases);
            drop(lease);
        }
    }

    /// Bytes of blocks in use, and extents that are borrowed.
    #[must_use]
    pub fn in_use(&self) -> (u64, u64) {
        let leases = self.leases.lock();
        (leases.used * BLOCK as u64, leases.extents.len() as u64)
    }

    /// Memory for a block on its way: kept from an earlier one, or new.
    pub(crate) fn buffer(&self) -> Result<IoBuffer, TempError> {
        let kept = {
            let mut buffers = self.buffers.lock();
            let back = buffers.iter_mut().position(|b| b.bytes().is_some());
            back.map(|at| buffers.swap_remove(at))
        };
        match kept {
            Some(buffer) => Ok(buffer),
            None => IoBuffer::new(BLOCK).map_err(|_| TempError::OutOfMemory),
        }
    }

    /// Takes it back.
    pub(crate) fn keep(&self, buffer: IoBuffer) {
        let mut buffers = self.buffers.lock();
        if buffers.len() < KEPT {
            buffers.push(buffer);
        } else {
            drop(buffers);
            drop(buffer);
        }
    }

    pub(crate) fn count(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Ordering::Relaxed);
    }
}

/// A block of the disk, given back when dropped: nothing may be on its way from
/// or to it then.
#[derive(Debug)]
pub struct Block {
    number: u32,
    index: u32,
    offset: u64,
    state: Arc<TempState>,
}

impl Block {
    /// Where it lies on the disk, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.state.give_back(self.number, self.index);
    }
}
