//! Configuration space: 4 KiB (256 bytes through the ports) of registers per
//! function, read and written by 32-bit words.
//!
//! [`ConfigAccess`] is the way to it: [`Ecam`] (memory), `Ports` (0xCF8 and
//! 0xCFC) or a test's fake. [`ConfigSpace`] adds the narrower accesses.

use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::DeviceMemory;

/// Bytes of one bus in ECAM: 32 devices of 8 functions of 4 KiB.
const BUS_BYTES: usize = 1 << 20;
/// What a missing function answers.
pub(crate) const NOTHING: u32 = u32::MAX;
/// The register with command (low half) and status (high half, written ones
/// clear bits).
pub(crate) const COMMAND: u16 = 0x04;

/// Where a function is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    /// Bus.
    pub bus: u8,
    /// Device on the bus, below 32.
    pub device: u8,
    /// Function of the device, below 8.
    pub function: u8,
}

impl core::fmt::Display for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus, self.device, self.function)
    }
}

/// A way to configuration space. Offsets are multiples of 4.
pub trait ConfigAccess: Send + Sync {
    /// Reads a word; all ones when nobody is there.
    fn read32(&self, at: Address, offset: u16) -> u32;
    /// Writes a word.
    fn write32(&self, at: Address, offset: u16, value: u32);
}

/// Shared access to configuration space. Cheap to clone.
#[derive(Clone)]
pub struct ConfigSpace(Arc<dyn ConfigAccess>);

impl core::fmt::Debug for ConfigSpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ConfigSpace")
    }
}

impl ConfigSpace {
    /// Configuration space behind `access`.
    #[must_use]
    pub fn new(access: Arc<dyn ConfigAccess>) -> Self {
        ConfigSpace(access)
    }

    /// Reads the word at `offset` (rounded down to a multiple of 4).
    #[must_use]
    pub fn read32(&self, at: Address, offset: u16) -> u32 {
        self.0.read32(at, offset & !3)
    }

    /// Writes the word at `offset` (rounded down to a multiple of 4).
    pub fn write32(&self, at: Address, offset: u16, value: u32) {
        self.0.write32(at, offset & !3, value);
    }

    /// Reads half a word.
    #[must_use]
    pub fn read16(&self, at: Address, offset: u16) -> u16 {
        (self.read32(at, offset) >> ((offset & 2) * 8)) as u16
    }

    /// Reads a byte.
    #[must_use]
    pub fn read8(&self, at: Address, offset: u16) -> u8 {
        (self.read32(at, offset) >> ((offset & 3) * 8)) as u8
    }

    /// Writes half a word. The other half keeps its value; next to the command
    /// register it is written as zeros, which leave the status as it is.
    pub fn write16(&self, at: Address, offset: u16, value: u16) {
        let shift = (offset & 2) * 8;
        let kept = match offset {
            COMMAND => 0,
            _ => self.read32(at, offset) & !(0xffff << shift),
        };
        self.write32(at, offset, kept | u32::from(value) << shift);
    }

    /// Whether a function is there.
    #[must_use]
    pub fn exists(&self, at: Address) -> bool {
        self.read16(at, 0) != NOTHING as u16
    }
}

/// Enhanced configuration access: all of configuration space in memory. Each
/// bus is mapped when it is first looked at.
struct Ecam {
    base: u64,
    buses: Vec<spin::Once<Option<DeviceMemory>>>,
}

impl Ecam {
    fn new(base: u64, last: u8) -> Self {
        Ecam {
            base,
            buses: (0..=last).map(|_| spin::Once::new()).collect(),
        }
    }

    fn bus(&self, bus: u8) -> Option<&DeviceMemory> {
        let slot = self.buses.get(usize::from(bus))?;
        let map = || {
            DeviceMemory::map(self.base + u64::from(bus) * BUS_BYTES as u64, BUS_BYTES)
                .inspect_err(|_| log::error!("pci: no memory to map bus {bus}"))
                .ok()
        };
        slot.call_once(map).as_ref()
    }
}

fn ecam_offset(at: Address, offset: u16) -> usize {
    usize::from(at.device & 31) << 15
        | usize::from(at.function & 7) << 12
        | usize::from(offset & 0xffc)
}

impl ConfigAccess for Ecam {
    fn read32(&self, at: Address, offset: u16) -> u32 {
        self.bus(at.bus)
            .map_or(NOTHING, |bus| bus.read32(ecam_offset(at, offset)))
    }

    fn write32(&self, at: Address, offset: u16, value: u32) {
        if let Some(bus) = self.bus(at.bus) {
            bus.write32(ecam_offset(at, offset), value);
        }
    }
}

/// Opens configuration space: in memory if a host bridge answers there, else
/// through the ports.
pub(crate) fn open(ecam_physical: u64, last_bus: u8) -> ConfigSpace {
    let bridge = Address {
        bus: 0,
        device: 0,
        function: 0,
    };
    if ecam_physical != 0 {
        let ecam = ConfigSpace::new(Arc::new(Ecam::new(ecam_physical, last_bus)));
        if ecam.exists(bridge) {
            return ecam;
        }
        log::warn!("pci: nobody answers at {ecam_physical:#x}, using the ports");
    }
    legacy()
}

#[cfg(mitos)]
fn legacy() -> ConfigSpace {
    ConfigSpace::new(Arc::new(ports::Ports::new()))
}

#[cfg(not(mitos))]
fn legacy() -> ConfigSpace {
    struct Nobody;
    impl ConfigAccess for Nobody {
        fn read32(&self, _: Address, _: u16) -> u32 {
            NOTHING
        }
        fn write32(&self, _: Address, _: u16, _: u32) {}
    }
    ConfigSpace::new(Arc::new(Nobody))
}

#[cfg(mitos)]
mod ports {
    //! The legacy way: an address port and a data port, for the first 256
    //! bytes of each function.

    use super::{Address, ConfigAccess, NOTHING};
    use sync::IrqLock;
    use x86_64::instructions::port::Port;

    pub(super) struct Ports(IrqLock<(Port<u32>, Port<u32>)>);

    impl Ports {
        pub(super) fn new() -> Self {
            Ports(IrqLock::new((Port::new(0xCF8), Port::new(0xCFC))))
        }
    }

    fn select(at: Address, offset: u16) -> Option<u32> {
        let function = u32::from(at.bus) << 16
            | u32::from(at.device & 31) << 11
            | u32::from(at.function & 7) << 8;
        (offset < 256).then_some(0x8000_0000 | function | u32::from(offset & 0xfc))
    }

    impl ConfigAccess for Ports {
        fn read32(&self, at: Address, offset: u16) -> u32 {
            let Some(select) = select(at, offset) else {
                return NOTHING;
            };
            let mut ports = self.0.lock();
            let (address, data) = &mut *ports;
            // SAFETY: the two ports of PCI configuration mechanism 1, used as a
            // pair under the lock; a read has no effect on memory.
            unsafe {
                address.write(select);
                data.read()
            }
        }

        fn write32(&self, at: Address, offset: u16, value: u32) {
            let Some(select) = select(at, offset) else {
                return;
            };
            let mut ports = self.0.lock();
            let (address, data) = &mut *ports;
            // SAFETY: as above; what the write does to the function is the
            // claimant's responsibility (enumeration runs before any claim).
            unsafe {
                address.write(select);
                data.write(value);
            }
        }
    }
}
