//! Memory that a device can reach: physically contiguous, zeroed, page-aligned,
//! freed when the last reference is gone.
//!
//! The bytes are reached through raw pointers only, because a device may write
//! them at any time; the types that know when the device is done (`frame`, the
//! drivers' rings) turn them into slices.

use crate::{OutOfMemory, PAGE_SIZE};
use alloc::sync::Arc;
use core::ptr::NonNull;

/// An owned piece of device-reachable memory.
#[derive(Debug)]
pub struct DmaRegion {
    start: NonNull<u8>,
    physical: u64,
    len: usize,
    purpose: Use,
}

/// What a region is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// A device's ring or buffer, zeroed.
    Device,
    /// Frames of a pool, as they are.
    Pool,
}

// SAFETY: the region owns its memory, and hands out raw pointers only.
unsafe impl Send for DmaRegion {}
// SAFETY: as above.
unsafe impl Sync for DmaRegion {}

impl DmaRegion {
    /// Allocates `len` bytes, rounded up to pages, zeroed and contiguous.
    ///
    /// # Errors
    /// When there is no such piece of memory.
    pub fn allocate(len: usize) -> Result<Arc<Self>, OutOfMemory> {
        Self::allocate_for(len, Use::Device)
    }

    /// The same for the frames of a pool, which are always filled before they are
    /// read: what the memory holds at first is anything. Pools are counted apart.
    ///
    /// # Errors
    /// When there is no such piece of memory.
    pub fn allocate_for_pool(len: usize) -> Result<Arc<Self>, OutOfMemory> {
        Self::allocate_for(len, Use::Pool)
    }

    fn allocate_for(len: usize, purpose: Use) -> Result<Arc<Self>, OutOfMemory> {
        let len = len
            .max(1)
            .checked_next_multiple_of(PAGE_SIZE)
            .ok_or(OutOfMemory)?;
        let (start, physical) = imp::allocate(len, purpose)?;
        Ok(Arc::new(DmaRegion {
            start,
            physical,
            len,
            purpose,
        }))
    }

    /// The first byte. Valid for [`DmaRegion::len`] bytes while the region
    /// lives.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.start
    }

    /// The physical address of the first byte, for the device.
    #[must_use]
    pub fn physical(&self) -> u64 {
        self.physical
    }

    /// Bytes in the region.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for DmaRegion {
    fn drop(&mut self) {
        // SAFETY: start and len are those of `imp::allocate`, and nobody holds
        // a reference to the region any more.
        unsafe { imp::free(self.start, self.physical, self.len, self.purpose) }
    }
}

/// A part of a region. Keeps the region alive, so a device can use it safely
/// for as long as the slice exists.
#[derive(Clone, Debug)]
pub struct DmaSlice {
    region: Arc<DmaRegion>,
    offset: usize,
    len: usize,
}

impl DmaSlice {
    /// `len` bytes of `region` from `offset` on, if they lie inside.
    #[must_use]
    pub fn new(region: Arc<DmaRegion>, offset: usize, len: usize) -> Option<Self> {
        (offset.checked_add(len)? <= region.len()).then_some(DmaSlice {
            region,
            offset,
            len,
        })
    }

    /// `len` bytes of the slice from `offset` on, if they lie inside.
    #[must_use]
    pub fn part(&self, offset: usize, len: usize) -> Option<Self> {
        (offset.checked_add(len)? <= self.len).then(|| DmaSlice {
            region: self.region.clone(),
            offset: self.offset + offset,
            len,
        })
    }

    /// The first byte.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<u8> {
        // SAFETY: offset lies inside the region (`new`).
        unsafe { self.region.as_ptr().add(self.offset) }
    }

    /// The physical address of the first byte.
    #[must_use]
    pub fn physical(&self) -> u64 {
        self.region.physical() + self.offset as u64
    }

    /// Bytes in the slice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the slice has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(not(mitos))]
mod imp {
    //! The host: aligned memory from the allocator; the address stands for the
    //! physical one.

    use crate::{OutOfMemory, PAGE_SIZE};
    use core::alloc::Layout;
    use core::ptr::NonNull;

    pub(super) fn allocate(len: usize, _: super::Use) -> Result<(NonNull<u8>, u64), OutOfMemory> {
        let layout = Layout::from_size_align(len, PAGE_SIZE).map_err(|_| OutOfMemory)?;
        // SAFETY: len is not zero (`DmaRegion::allocate`).
        let start =
            NonNull::new(unsafe { alloc::alloc::alloc_zeroed(layout) }).ok_or(OutOfMemory)?;
        Ok((start, start.as_ptr().addr() as u64))
    }

    /// # Safety
    /// `start` and `len` are from `allocate`, and nobody uses the memory.
    pub(super) unsafe fn free(start: NonNull<u8>, _physical: u64, len: usize, _: super::Use) {
        if let Ok(layout) = Layout::from_size_align(len, PAGE_SIZE) {
            // SAFETY: the caller's promise.
            unsafe { alloc::alloc::dealloc(start.as_ptr(), layout) }
        }
    }
}
#[cfg(mitos)]
use crate::contiguous as imp;
