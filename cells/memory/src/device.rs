//! A device's registers.

use crate::{OutOfMemory, PAGE_SIZE};
use core::ptr::NonNull;

/// Mapped registers: volatile, bounds-checked, unmapped when dropped. A read
/// outside gives all ones, as an absent device does; a write outside does
/// nothing. Both are bugs and assert in debug builds.
#[derive(Debug)]
pub struct DeviceMemory {
    start: NonNull<u8>,
    len: usize,
    mapping: imp::Mapping,
}

// SAFETY: registers are reached by single volatile accesses only.
unsafe impl Send for DeviceMemory {}
// SAFETY: as above; what concurrent accesses mean is the device's affair.
unsafe impl Sync for DeviceMemory {}

macro_rules! access {
    ($read:ident, $write:ident, $type:ty) => {
        #[doc = concat!("Reads a `", stringify!($type), "` at `offset`.")]
        #[inline]
        #[must_use]
        pub fn $read(&self, offset: usize) -> $type {
            match self.at(offset, size_of::<$type>()) {
                // SAFETY: `at` checked bounds and alignment.
                Some(at) => unsafe { at.cast::<$type>().as_ptr().read_volatile() },
                None => <$type>::MAX,
            }
        }

        #[doc = concat!("Writes a `", stringify!($type), "` at `offset`.")]
        #[inline]
        pub fn $write(&self, offset: usize, value: $type) {
            if let Some(at) = self.at(offset, size_of::<$type>()) {
                // SAFETY: `at` checked bounds and alignment.
                unsafe { at.cast::<$type>().as_ptr().write_volatile(value) }
            }
        }
    };
}

impl DeviceMemory {
    /// Maps `len` bytes of registers at physical address `physical`, uncached.
    /// On the host the address is that of ordinary memory of the test.
    ///
    /// # Errors
    /// When there is no memory for page tables.
    pub fn map(physical: u64, len: usize) -> Result<Self, OutOfMemory> {
        let (start, mapping) = imp::map(physical, len)?;
        Ok(DeviceMemory {
            start,
            len,
            mapping,
        })
    }

    #[inline]
    fn at(&self, offset: usize, size: usize) -> Option<NonNull<u8>> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.len)
            && offset.is_multiple_of(size);
        debug_assert!(
            inside,
            "register access at {offset:#x} outside {:#x} bytes",
            self.len
        );
        // SAFETY: inside the mapping.
        inside.then(|| unsafe { self.start.add(offset) })
    }

    access!(read8, write8, u8);
    access!(read16, write16, u16);
    access!(read32, write32, u32);
    access!(read64, write64, u64);

    /// The first register's address.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.start
    }

    /// Bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        self.mapping.unmap();
    }
}

const _: () = assert!(PAGE_SIZE == 4096);

#[cfg(mitos)]
mod imp {
    //! The system: uncached pages at addresses that are never used again.

    use crate::{OutOfMemory, PAGE_SIZE, paging};
    use core::ptr::NonNull;
    use core::sync::atomic::{AtomicU64, Ordering};
    use x86_64::structures::paging::PageTableFlags;

    static NEXT: AtomicU64 = AtomicU64::new(0xffff_d000_0000_0000);

    #[derive(Debug)]
    pub(super) struct Mapping {
        start: u64,
        pages: usize,
    }

    pub(super) fn map(physical: u64, len: usize) -> Result<(NonNull<u8>, Mapping), OutOfMemory> {
        let page = PAGE_SIZE as u64;
        let first = physical / page * page;
        let pages = ((physical + len as u64).div_ceil(page) - first / page) as usize;
        let start = NEXT.fetch_add((pages as u64 + 1) * page, Ordering::Relaxed);
        let flags = PageTableFlags::WRITABLE
            | PageTableFlags::NO_EXECUTE
            | PageTableFlags::NO_CACHE
            | PageTableFlags::WRITE_THROUGH;
        let mut mapping = Mapping { start, pages: 0 };
        for i in 0..pages {
            if let Err(error) = paging::map(start + i as u64 * page, first + i as u64 * page, flags)
            {
                mapping.unmap();
                return Err(error);
            }
            mapping.pages += 1;
        }
        let at = NonNull::new((start + (physical - first)) as *mut u8).ok_or(OutOfMemory)?;
        Ok((at, mapping))
    }

    impl Mapping {
        pub(super) fn unmap(&mut self) {
            for i in 0..self.pages {
                let _ = paging::unmap(self.start + (i * PAGE_SIZE) as u64);
            }
        }
    }
}

#[cfg(not(mitos))]
mod imp {
    //! The host: the address is a test's own memory.

    use crate::OutOfMemory;
    use core::ptr::NonNull;

    #[derive(Debug)]
    pub(super) struct Mapping;

    pub(super) fn map(physical: u64, _len: usize) -> Result<(NonNull<u8>, Mapping), OutOfMemory> {
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut(physical as usize))
            .ok_or(OutOfMemory)?;
        Ok((start, Mapping))
    }

    impl Mapping {
        pub(super) fn unmap(&mut self) {}
    }
}
