//! Memory for one transfer.

use alloc::sync::Arc;
use memory::{DmaRegion, DmaSlice, OutOfMemory};

/// A piece of device-reachable memory that is either with the device or with its
/// owner.
#[derive(Debug)]
pub struct IoBuffer {
    region: Arc<DmaRegion>,
    len: usize,
}

impl IoBuffer {
    /// Allocates `len` bytes, zeroed.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(len: usize) -> Result<Self, OutOfMemory> {
        let region = DmaRegion::allocate(len)?;
        Ok(IoBuffer { region, len })
    }

    /// Bytes of it.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes, unless a request that uses them still exists.
    #[must_use]
    pub fn bytes(&mut self) -> Option<&mut [u8]> {
        let region = Arc::get_mut(&mut self.region)?;
        // SAFETY: `len` bytes that this is the only reference to: there is no
        // other Arc of the region, hence no slice with any device.
        Some(unsafe { core::slice::from_raw_parts_mut(region.as_ptr().as_ptr(), self.len) })
    }

    /// The bytes, waiting for requests that are done but not dropped yet. For
    /// after a completion only.
    #[must_use]
    pub fn bytes_when_back(&mut self) -> &mut [u8] {
        while Arc::get_mut(&mut self.region).is_none() {
            task_port::yield_now();
        }
        // SAFETY: as in `bytes`.
        unsafe { core::slice::from_raw_parts_mut(self.region.as_ptr().as_ptr(), self.len) }
    }

    /// `len` bytes from `offset` for the device, if they lie inside.
    #[must_use]
    pub fn slice(&self, offset: usize, len: usize) -> Option<DmaSlice> {
        (offset.checked_add(len)? <= self.len)
            .then(|| DmaSlice::new(self.region.clone(), offset, len))?
    }
}
