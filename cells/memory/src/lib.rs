//! Physical frames, virtual pages, MappedPages and the kernel heap.
//!
//! What others use: [`DmaRegion`], memory that a device can reach. In the
//! system, frame and page allocation and the heap stand behind it; on the host
//! it is ordinary aligned memory, so drivers and the buffer pool are tested
//! there.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

#[cfg(mitos)]
mod contiguous;
mod device;
mod dma;

pub use device::DeviceMemory;
#[cfg(not(mitos))]
pub use device::fake_device;
pub use dma::{DmaRegion, DmaSlice};

/// Bytes of a page of the machine.
pub const PAGE_SIZE: usize = 4096;

/// There is not enough memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;
