//! The boot image: what must exist before the first cell can be loaded, and
//! nothing else, since nothing here can be replaced live.
//!
//! | file | must be here because |
//! |---|---|
//! | `entry` | the first instructions |
//! | `boot_info` | memory map and archive are known only through it |
//! | `serial` | a failing load must be able to say so |
//! | `runtime` | memory functions and the allocator's symbols, which core and alloc import |
//! | `tables`, `exceptions` | a fault in the loader must be reported; every gate needs its stack before interrupts exist |
//! | `smp` | the other CPUs start in code and on tables of the boot image |
//! | `start` | the order of all this, ending in the captain |
//!
//! The loader itself is `mod_mgmt`, memory is `memory`; both are linked in.
#![no_std]
#![cfg_attr(mitos, feature(rustc_attrs))]
#![cfg_attr(mitos, allow(internal_features))]

#[cfg(mitos)]
extern crate alloc;

#[cfg(mitos)]
mod boot_info;
#[cfg(mitos)]
mod entry;
#[cfg(mitos)]
pub mod exceptions;
#[cfg(mitos)]
mod runtime;
#[cfg(mitos)]
pub mod serial;
#[cfg(mitos)]
pub mod smp;
#[cfg(mitos)]
mod start;
#[cfg(mitos)]
pub mod tables;

#[cfg(mitos)]
pub use start::{BootData, boot_data};
