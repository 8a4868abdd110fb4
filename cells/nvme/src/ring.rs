//! Rings: an entry in, a reply out, and the doorbells that tell the device.

use core::sync::atomic::{Ordering, fence};
use memory::DeviceMemory;
use nvme_port::RingPair;
use nvme_port::registers::DOORBELLS;

/// A completion entry. Layout (words of 32 bits): 0 result; 2 submission head
/// and queue; 3 command number (bits 0 to 15), phase (16), status (17 to 31).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    /// What the command gives back.
    pub(crate) result: u32,
    /// The command's number.
    pub(crate) id: u16,
    /// Code (bits 0 to 7), type (8 to 10), do-not-retry (14); 0 is success.
    pub(crate) status: u16,
}

/// Puts an entry at the tail. The caller sees to it that there is room, and
/// rings the doorbell.
#[inline]
pub(crate) fn put(ring: &mut RingPair, entry: &[u64; 8]) {
    ring.submissions.write_entry(ring.tail, entry);
    ring.tail += 1;
    if ring.tail == ring.depth {
        ring.tail = 0;
    }
}

/// Takes the next reply, if the device has written one.
#[inline]
pub(crate) fn next(ring: &mut RingPair) -> Option<Reply> {
    let at = usize::from(ring.head) * 16;
    let last = ring.completions.read32(at + 12);
    if (last >> 16 & 1 != 0) != ring.phase {
        return None;
    }
    // The phase bit is written last; what it covers is read after it.
    fence(Ordering::Acquire);
    let result = ring.completions.read32(at);
    ring.head += 1;
    if ring.head == ring.depth {
        ring.head = 0;
        ring.phase = !ring.phase;
    }
    Some(Reply {
        result,
        id: last as u16,
        status: (last >> 17) as u16,
    })
}

/// Tells the device of new entries of submission queue `id`.
#[inline]
pub(crate) fn ring_tail(registers: &DeviceMemory, stride: usize, id: u16, ring: &RingPair) {
    fence(Ordering::Release);
    let doorbell = DOORBELLS + 2 * usize::from(id) * stride;
    registers.write32(doorbell, u32::from(ring.tail));
}

/// Tells the device which replies of completion queue `id` have been read.
#[inline]
pub(crate) fn ring_head(registers: &DeviceMemory, stride: usize, id: u16, ring: &RingPair) {
    let doorbell = DOORBELLS + (2 * usize::from(id) + 1) * stride;
    registers.write32(doorbell, u32::from(ring.head));
}
