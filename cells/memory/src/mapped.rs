//! Owned pages.

use crate::frames::Owner;
use crate::{OutOfMemory, PAGE_SIZE, frames, paging};
use core::sync::atomic::{AtomicU64, Ordering};
use x86_64::structures::paging::PageTableFlags;
use zerocopy::{FromBytes, IntoBytes};

/// Addresses are given out once and never again: 16 TiB for all times.
static NEXT: AtomicU64 = AtomicU64::new(0xffff_e000_0000_0000);

/// What may be done with pages. There is no writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    Execute,
}

impl Protection {
    fn flags(self) -> PageTableFlags {
        PageTableFlags::GLOBAL
            | match self {
                Protection::Read => PageTableFlags::NO_EXECUTE,
                Protection::ReadWrite => PageTableFlags::NO_EXECUTE | PageTableFlags::WRITABLE,
                Protection::Execute => PageTableFlags::empty(),
            }
    }
}

/// Contiguous pages with frames of their own, after Theseus's type of that
/// name: whoever owns the value owns the memory, and dropping it unmaps. One
/// page before and one behind are never mapped.
#[derive(Debug)]
pub struct MappedPages {
    start: u64,
    pages: usize,
    protection: Protection,
}

impl MappedPages {
    /// Maps `len` bytes (rounded up to pages), zeroed, readable and writable.
    ///
    /// # Errors
    /// When there is not enough memory; nothing is kept then.
    pub fn allocate(len: usize) -> Result<Self, OutOfMemory> {
        let pages = len.div_ceil(PAGE_SIZE).max(1);
        let span = ((pages + 2) * PAGE_SIZE) as u64;
        let start = NEXT.fetch_add(span, Ordering::Relaxed) + PAGE_SIZE as u64;
        // `pages` counts what is mapped, so an early return undoes just that.
        let mut mapped = MappedPages {
            start,
            pages: 0,
            protection: Protection::ReadWrite,
        };
        for _ in 0..pages {
            let frame = frames::allocate(1, Owner::Pages)?;
            let at = start + (mapped.pages * PAGE_SIZE) as u64;
            if let Err(error) = paging::map(at, frame, Protection::ReadWrite.flags()) {
                // SAFETY: just allocated and not mapped.
                unsafe { frames::free(frame, 1, Owner::Pages) };
                return Err(error);
            }
            mapped.pages += 1;
        }
        // SAFETY: the pages are mapped writable and ours.
        unsafe { (start as *mut u8).write_bytes(0, pages * PAGE_SIZE) };
        Ok(mapped)
    }

    /// Changes what may be done with the pages.
    pub fn protect(&mut self, protection: Protection) {
        for page in 0..self.pages {
            paging::protect(self.start + (page * PAGE_SIZE) as u64, protection.flags());
        }
        self.protection = protection;
    }

    /// Splits off the pages from byte `at` (a multiple of the page size) on.
    ///
    /// # Panics
    /// When `at` is not a page boundary inside.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        assert!(
            at.is_multiple_of(PAGE_SIZE) && at / PAGE_SIZE <= self.pages,
            "not a page boundary inside"
        );
        let rest = MappedPages {
            start: self.start + at as u64,
            pages: self.pages - at / PAGE_SIZE,
            protection: self.protection,
        };
        self.pages = at / PAGE_SIZE;
        rest
    }

    /// The first byte's address.
    #[must_use]
    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// Bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.pages * PAGE_SIZE
    }

    /// Whether `address` lies inside.
    #[must_use]
    pub fn contains(&self, address: usize) -> bool {
        (self.start()..self.start() + self.len()).contains(&address)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped, readable in every protection, ours while borrowed.
        unsafe { core::slice::from_raw_parts(self.start as *const u8, self.len()) }
    }

    /// The bytes for writing, if the protection allows it.
    #[must_use]
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let len = self.len();
        // SAFETY: mapped and writable; borrowed mutably, so nobody else looks.
        (self.protection == Protection::ReadWrite)
            .then(|| unsafe { core::slice::from_raw_parts_mut(self.start as *mut u8, len) })
    }

    /// The value of type `T` at byte `offset`, if it lies inside and is aligned.
    #[must_use]
    pub fn as_type<T: FromBytes + zerocopy::Immutable + zerocopy::KnownLayout>(
        &self,
        offset: usize,
    ) -> Option<&T> {
        T::ref_from_prefix(self.bytes().get(offset..)?)
            .ok()
            .map(|(value, _)| value)
    }

    /// The same for writing, if the protection allows it.
    #[must_use]
    pub fn as_type_mut<T: FromBytes + IntoBytes + zerocopy::KnownLayout>(
        &mut self,
        offset: usize,
    ) -> Option<&mut T> {
        T::mut_from_prefix(self.bytes_mut()?.get_mut(offset..)?)
            .ok()
            .map(|(value, _)| value)
    }

    /// `count` values of type `T` from byte `offset` on.
    #[must_use]
    pub fn as_slice<T: FromBytes + zerocopy::Immutable>(
        &self,
        offset: usize,
        count: usize,
    ) -> Option<&[T]> {
        let len = count.checked_mul(size_of::<T>())?;
        <[T]>::ref_from_bytes(self.bytes().get(offset..offset.checked_add(len)?)?).ok()
    }
}

impl Drop for MappedPages {
    fn drop(&mut self) {
        for page in 0..self.pages {
            if let Some(frame) = paging::unmap(self.start + (page * PAGE_SIZE) as u64) {
                // SAFETY: the frame was ours and is no longer mapped.
                unsafe { frames::free(frame, 1, Owner::Pages) };
            }
        }
    }
}
