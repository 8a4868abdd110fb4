//! PCI and PCI Express: configuration space, enumeration, BARs, capabilities
//! and MSI-X.
//!
//! The boot calls [`init`] once; it finds every function on every bus and leaves
//! the list here. A driver looks for its device ([`find`]), claims it
//! ([`PciDevice::claim`]: once, until the claim is dropped) and gets from the
//! [`ClaimedDevice`] its registers and its interrupts.
//!
//! | module | what |
//! |---|---|
//! | `config` | reading and writing configuration space: memory (ECAM) or ports |
//! | `scan` | buses, bridges, functions |
//! | `bar` | base address registers: size, place, allocation of unplaced ones |
//! | `device` | a function, and the claim to it |
//! | `msix` | the table of interrupt messages |
//!
//! Source: PCI Local Bus 3.0, PCI Express Base 4.0 (chapters 7.2 and 7.7). What
//! a device does is its driver's business.
#![cfg_attr(mitos, no_std)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bar;
mod config;
mod device;
mod ids;
mod msix;
mod scan;

#[cfg(any(test, not(mitos)))]
pub mod fake;

pub use bar::{Bar, BarKind};
pub use config::{Address, ConfigAccess, ConfigSpace};
pub use device::{ClaimedDevice, PciDevice, PciError};
pub use msix::MsixTable;
pub use scan::PciBus;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

static BUS: spin::Once<PciBus> = spin::Once::new();

/// Enumerates all buses and keeps the list; later calls do nothing.
///
/// `ecam_physical` is the address at which bus 0's configuration space would
/// lie (the base of ACPI's MCFG entry); with 0, or when no device answers there,
/// the legacy ports are used.
pub fn init(ecam_physical: u64, buses: RangeInclusive<u8>) {
    BUS.call_once(|| {
        let access = config::open(ecam_physical, *buses.end());
        PciBus::scan(access, buses, scan::WINDOW)
    });
}

/// Every function found; nothing before [`init`].
#[must_use]
pub fn devices() -> &'static [Arc<PciDevice>] {
    BUS.get().map_or(&[], PciBus::devices)
}

/// The first unclaimed function of this class, subclass and programming
/// interface, claimed for the caller.
#[must_use]
pub fn claim_class(class: u8, subclass: u8, interface: u8) -> Option<ClaimedDevice> {
    BUS.get()?.claim_class(class, subclass, interface)
}

/// The first unclaimed function with this vendor and one of these device
/// numbers, claimed for the caller.
#[must_use]
pub fn claim_id(vendor: u16, devices: &[u16]) -> Option<ClaimedDevice> {
    BUS.get()?.claim_id(vendor, devices)
}

/// Configuration space, for drivers that bring their own PCI code; `None`
/// before [`init`].
#[must_use]
pub fn config_space() -> Option<ConfigSpace> {
    BUS.get().map(PciBus::config_space)
}

/// One line per function, for people.
#[must_use]
pub fn list() -> Vec<String> {
    devices().iter().map(|d| alloc::format!("{d}")).collect()
}
