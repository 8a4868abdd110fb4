//! The system's side of [`crate::DmaRegion`]: contiguous frames, reached through
//! the window.

use crate::{OutOfMemory, PAGE_SIZE, WINDOW, frames};
use core::ptr::NonNull;

pub(crate) fn allocate(len: usize) -> Result<(NonNull<u8>, u64), OutOfMemory> {
    let physical = frames::allocate(len / PAGE_SIZE)?;
    let start = NonNull::new((WINDOW + physical) as *mut u8).ok_or(OutOfMemory)?;
    // SAFETY: the frames are ours and mapped by the window.
    unsafe { start.as_ptr().write_bytes(0, len) };
    Ok((start, physical))
}

/// # Safety
/// From `allocate` with this length, and nobody uses the memory.
pub(crate) unsafe fn free(_start: NonNull<u8>, physical: u64, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { frames::free(physical, len / PAGE_SIZE) }
}
