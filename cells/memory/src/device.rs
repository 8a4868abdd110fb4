//! Registers of a device in memory: mapped uncached, read and written one
//! machine word at a time.
//!
//! On the host there are no devices; [`fake_device`] makes memory that stands
//! for one, and mapping its address gives another view of the same bytes, so
//! that a test plays the device on the other side.

use crate::OutOfMemory;
use core::ptr::NonNull;

/// Mapped device registers. Unmapped when dropped.
#[derive(Debug)]
pub struct DeviceMemory {
    start: NonNull<u8>,
    physical: u64,
    len: usize,
    _backing: imp::Backing,
}

// SAFETY: registers are reached by volatile accesses of one word each; what
// concurrent accesses mean is the driver's protocol with its device.
unsafe impl Send for DeviceMemory {}
// SAFETY: as above.
unsafe impl Sync for DeviceMemory {}

macro_rules! access {
    ($read:ident, $write:ident, $word:ty) => {
        /// Reads the register at `offset`; all ones outside the mapping, as a
        /// missing device answers.
        #[inline]
        #[must_use]
        pub fn $read(&self, offset: usize) -> $word {
            match self.at(offset, size_of::<$word>()) {
                // SAFETY: `at` has checked bounds and alignment; the mapping
                // lives as long as self.
                Some(p) => unsafe { p.cast::<$word>().read_volatile() },
                None => <$word>::MAX,
            }
        }

        /// Writes the register at `offset`; nothing happens outside the
        /// mapping.
        #[inline]
        pub fn $write(&self, offset: usize, value: $word) {
            if let Some(p) = self.at(offset, size_of::<$word>()) {
                // SAFETY: as in the read.
                unsafe { p.cast::<$word>().write_volatile(value) }
            }
        }
    };
}

impl DeviceMemory {
    /// Maps `len` bytes of registers at a physical address.
    ///
    /// # Errors
    /// When there are no pages for the mapping.
    pub fn map(physical: u64, len: usize) -> Result<Self, OutOfMemory> {
        let (start, backing) = imp::map(physical, len)?;
        Ok(DeviceMemory {
            start,
            physical,
            len,
            _backing: backing,
        })
    }

    #[inline]
    fn at(&self, offset: usize, size: usize) -> Option<NonNull<u8>> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.len);
        debug_assert!(inside, "device register {offset:#x} is outside the mapping");
        if !inside || !offset.is_multiple_of(size) {
            return None;
        }
        // SAFETY: offset lies inside the mapping.
        Some(unsafe { self.start.add(offset) })
    }

    access!(read8, write8, u8);
    access!(read16, write16, u16);
    access!(read32, write32, u32);
    access!(read64, write64, u64);

    /// The physical address of the first register.
    #[must_use]
    pub fn physical(&self) -> u64 {
        self.physical
    }

    /// Bytes mapped.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }
}

#[cfg(not(mitos))]
pub use imp::fake_device;

#[cfg(not(mitos))]
mod imp {
    use crate::{DmaRegion, OutOfMemory};
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use core::ptr::NonNull;
    use std::sync::Mutex;

    pub(super) type Backing = Arc<DmaRegion>;

    static DEVICES: Mutex<Vec<Backing>> = Mutex::new(Vec::new());

    /// Makes `len` zeroed bytes that stand for a device's registers and gives
    /// their physical address, for [`super::DeviceMemory::map`].
    ///
    /// # Errors
    /// When there is no memory.
    pub fn fake_device(len: usize) -> Result<u64, OutOfMemory> {
        let region = DmaRegion::allocate(len)?;
        let physical = region.physical();
        DEVICES.lock().map_err(|_| OutOfMemory)?.push(region);
        Ok(physical)
    }

    pub(super) fn map(physical: u64, len: usize) -> Result<(NonNull<u8>, Backing), OutOfMemory> {
        let devices = DEVICES.lock().map_err(|_| OutOfMemory)?;
        let inside = |r: &&Backing| {
            physical >= r.physical() && physical + len as u64 <= r.physical() + r.len() as u64
        };
        let region = devices.iter().find(inside).ok_or(OutOfMemory)?;
        let offset = usize::try_from(physical - region.physical()).map_err(|_| OutOfMemory)?;
        // SAFETY: the range lies inside the region, which the backing keeps.
        let start = unsafe { region.as_ptr().add(offset) };
        Ok((start, Arc::clone(region)))
    }
}

#[cfg(mitos)]
mod imp {
    use crate::OutOfMemory;
    use core::ptr::NonNull;

    pub(super) type Backing = ();

    pub(super) fn map(_physical: u64, _len: usize) -> Result<(NonNull<u8>, Backing), OutOfMemory> {
        Err(OutOfMemory)
    }
}
