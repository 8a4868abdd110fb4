//! The system's side of [`crate::DmaRegion`]: contiguous frames, reached through
//! the window.

use crate::dma::Use;
use crate::frames::Owner;
use crate::{OutOfMemory, PAGE_SIZE, WINDOW, frames};
use core::ptr::NonNull;

fn owner(purpose: Use) -> Owner {
    match purpose {
        Use::Device => Owner::Device,
        Use::Pool => Owner::Pool,
    }
}

pub(crate) fn allocate(len: usize, purpose: Use) -> Result<(NonNull<u8>, u64), OutOfMemory> {
    let physical = frames::allocate(len / PAGE_SIZE, owner(purpose))?;
    let start = NonNull::new((WINDOW + physical) as *mut u8).ok_or(OutOfMemory)?;
    if purpose == Use::Device {
        // SAFETY: the frames are ours and mapped by the window.
        unsafe { start.as_ptr().write_bytes(0, len) };
    }
    Ok((start, physical))
}

/// # Safety
/// From `allocate` with this length and use, and nobody uses the memory.
pub(crate) unsafe fn free(_start: NonNull<u8>, physical: u64, len: usize, purpose: Use) {
    // SAFETY: the caller's promise.
    unsafe { frames::free(physical, len / PAGE_SIZE, owner(purpose)) }
}
