//! Enumeration: every function of every bus, bridges first to last, and a place
//! for windows the firmware left without one.

use crate::bar::{self, BarKind};
use crate::config::{Address, ConfigSpace};
use crate::device::{ClaimedDevice, PciDevice};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Range, RangeInclusive};

/// Where unplaced windows on bus 0 go: q35's memory hole above the usual place
/// of configuration space and below the I/O APIC.
pub(crate) const WINDOW: Range<u64> = 0xC000_0000..0xFE00_0000;

const HEADER_TYPE: u16 = 0x0e;
const PRIMARY_BUS: u16 = 0x18;
const MULTI_FUNCTION: u8 = 0x80;
const BRIDGE: u8 = 1;

/// All functions found behind one way to configuration space.
#[derive(Debug)]
pub struct PciBus {
    config: ConfigSpace,
    devices: Vec<Arc<PciDevice>>,
}

struct Scan {
    config: ConfigSpace,
    found: Vec<PciDevice>,
    /// The highest bus number in use, for bridges without one.
    highest: u8,
    last: u8,
    seen: [bool; 256],
}

impl PciBus {
    /// Enumerates `buses`. Memory windows without a place get one in `window`
    /// if they are on the first bus (a bridge passes only what its own window
    /// covers).
    #[must_use]
    pub fn scan(config: ConfigSpace, buses: RangeInclusive<u8>, window: Range<u64>) -> Self {
        let first = *buses.start();
        let mut scan = Scan {
            config: config.clone(),
            found: Vec::new(),
            highest: first,
            last: *buses.end(),
            seen: [false; 256],
        };
        scan.bus(first);
        let mut found = scan.found;
        place_windows(&config, &mut found, first, &window);
        PciBus {
            config,
            devices: found.into_iter().map(Arc::new).collect(),
        }
    }

    /// Every function found.
    #[must_use]
    pub fn devices(&self) -> &[Arc<PciDevice>] {
        &self.devices
    }

    /// The way to configuration space.
    #[must_use]
    pub fn config_space(&self) -> ConfigSpace {
        self.config.clone()
    }

    /// Claims the first unclaimed function of a class.
    #[must_use]
    pub fn claim_class(&self, class: u8, subclass: u8, interface: u8) -> Option<ClaimedDevice> {
        self.devices
            .iter()
            .filter(|d| (d.class, d.subclass, d.interface) == (class, subclass, interface))
            .find_map(PciDevice::claim)
    }

    /// Claims the first unclaimed function with these numbers.
    #[must_use]
    pub fn claim_id(&self, vendor: u16, devices: &[u16]) -> Option<ClaimedDevice> {
        self.devices
            .iter()
            .filter(|d| d.vendor == vendor && devices.contains(&d.device))
            .find_map(PciDevice::claim)
    }
}

impl Scan {
    fn bus(&mut self, bus: u8) {
        if core::mem::replace(&mut self.seen[usize::from(bus)], true) {
            return;
        }
        self.highest = self.highest.max(bus);
        for device in 0..32 {
            let first = Address {
                bus,
                device,
                function: 0,
            };
            if !self.config.exists(first) {
                continue;
            }
            let multi = self.config.read8(first, HEADER_TYPE) & MULTI_FUNCTION != 0;
            for function in 0..if multi { 8 } else { 1 } {
                let at = Address { function, ..first };
                if self.config.exists(at) {
                    self.function(at);
                }
            }
        }
    }

    fn function(&mut self, at: Address) {
        let header = self.config.read8(at, HEADER_TYPE) & !MULTI_FUNCTION;
        let bars = match header {
            0 => 6,
            BRIDGE => 2,
            _ => 0,
        };
        let bars = bar::read(&self.config, at, bars);
        self.found
            .push(PciDevice::new(self.config.clone(), at, header, bars));
        if header == BRIDGE {
            self.bridge(at);
        }
    }

    /// Looks behind a bridge. One that the firmware has not numbered gets the
    /// next number; while the buses behind it are counted it passes all.
    fn bridge(&mut self, at: Address) {
        let numbers = self.config.read32(at, PRIMARY_BUS);
        let secondary = (numbers >> 8) as u8;
        if secondary > at.bus {
            if secondary <= self.last {
                self.bus(secondary);
            }
            return;
        }
        let Some(next) = self.highest.checked_add(1).filter(|n| *n <= self.last) else {
            log::warn!("pci: no bus number left for the bridge {at}");
            return;
        };
        let set = |config: &ConfigSpace, subordinate: u8| {
            let buses = u32::from(at.bus) | u32::from(next) << 8 | u32::from(subordinate) << 16;
            config.write32(at, PRIMARY_BUS, numbers & 0xff00_0000 | buses);
        };
        set(&self.config, self.last);
        self.bus(next);
        set(&self.config, self.highest);
    }
}

fn place_windows(config: &ConfigSpace, found: &mut [PciDevice], bus: u8, window: &Range<u64>) {
    let mut used: Vec<Range<u64>> = Vec::new();
    for device in found.iter() {
        used.extend(device.bars.iter().flatten().filter_map(bar::Bar::memory));
        used.extend(device.bridge_window());
    }
    for device in found.iter_mut().filter(|d| d.address.bus == bus) {
        for (index, slot) in device.bars.iter_mut().enumerate() {
            let Some(bar) = slot.as_mut() else { continue };
            if bar.kind == BarKind::Io || bar.base != 0 {
                continue;
            }
            match bar::allocate(window, &used, bar.size) {
                Some(base) => {
                    bar::place(config, device.address, index, bar, base);
                    used.push(base..base + bar.size);
                }
                None => log::warn!("pci: no place for window {index} of {}", device.address),
            }
        }
    }
}
