//! Stand-in until the frame allocator is there: nothing can be allocated.

use crate::OutOfMemory;
use core::ptr::NonNull;

pub(crate) fn allocate(_len: usize) -> Result<(NonNull<u8>, u64), OutOfMemory> {
    Err(OutOfMemory)
}

/// # Safety
/// Nothing was allocated, so nothing is freed.
pub(crate) unsafe fn free(_start: NonNull<u8>, _physical: u64, _len: usize) {}
