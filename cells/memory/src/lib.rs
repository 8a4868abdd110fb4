//! Physical frames, virtual pages, MappedPages and the kernel heap.
//!
//! | part | what it is |
//! |---|---|
//! | [`buddy`] | the allocator of physical frames, pure and host-tested |
//! | `frames` | the system's one instance of it |
//! | `paging` | the page tables: the window over all physical memory, W^X |
//! | [`MappedPages`] | owned pages with owned frames; unmapped when dropped |
//! | [`heap`] | size classes with a cache per CPU |
//! | [`DmaRegion`] | physically contiguous memory for devices |
//! | [`DeviceMemory`] | a device's registers |
//!
//! On the host, DMA regions and device memory are ordinary memory, so drivers
//! and the buffer pool are tested there; the rest exists in the system only.
//! Part of the boot image: the loader needs it for the first cell.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

pub mod buddy;
#[cfg(mitos)]
mod contiguous;
mod device;
mod dma;
#[cfg(mitos)]
pub mod frames;
pub mod heap;
#[cfg(mitos)]
mod mapped;
#[cfg(mitos)]
pub mod paging;

pub use device::DeviceMemory;
pub use dma::{DmaRegion, DmaSlice};
#[cfg(mitos)]
pub use mapped::{MappedPages, Protection};

/// Bytes of a page of the machine.
pub const PAGE_SIZE: usize = 4096;

/// There is not enough memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// Where all of physical memory is mapped.
#[cfg(mitos)]
pub const WINDOW: u64 = 0xffff_8000_0000_0000;

/// Bytes that large objects may still take: what is free, less a reserve. On the
/// host there is no telling.
#[must_use]
pub fn available() -> u64 {
    #[cfg(mitos)]
    return frames::available();
    #[cfg(not(mitos))]
    u64::MAX
}

/// A summary for `mem`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Bytes of usable physical memory.
    pub total: u64,
    /// Bytes that are free.
    pub free: u64,
    /// Bytes of heap objects in use.
    pub heap: u64,
    /// Bytes of frames that the heap has, free objects included.
    pub heap_frames: u64,
    /// Bytes in MappedPages: cells, stacks.
    pub mapped: u64,
    /// Bytes of page tables.
    pub tables: u64,
    /// Bytes of rings and buffers for devices.
    pub device: u64,
    /// Bytes of pools' frames.
    pub pool: u64,
    /// Bytes that were taken before the first frame was asked for: the boot image,
    /// the archive, the allocator's own state.
    pub reserved: u64,
    /// How often free frames had been written to by somebody, or frames were given back
    /// that were not in use.
    pub damage: u64,
}
