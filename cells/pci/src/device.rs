//! A function as found by the scan, and the claim by which a driver owns it.

use crate::bar::{Bar, BarKind};
use crate::config::{Address, COMMAND, ConfigSpace};
use crate::ids;
use crate::msix::MsixTable;
use alloc::sync::Arc;
use core::ops::{Deref, Range};
use core::sync::atomic::{AtomicBool, Ordering};
use memory::DeviceMemory;

const STATUS: u16 = 0x06;
const CAPABILITIES_POINTER: u16 = 0x34;
const HAS_CAPABILITIES: u16 = 1 << 4;
const BRIDGE_MEMORY: u16 = 0x20;

const MEMORY_SPACE: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;
const NO_LEGACY_INTERRUPT: u16 = 1 << 10;

/// The capability number of MSI-X.
pub(crate) const MSIX: u8 = 0x11;

/// Why a device cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PciError {
    /// It has no memory window of that number, or the window has no place.
    NoWindow(usize),
    /// It cannot signal by MSI-X.
    NoMsix,
    /// There is no memory for the mapping.
    OutOfMemory,
}

impl core::fmt::Display for PciError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            PciError::NoWindow(index) => write!(f, "memory window {index} is missing"),
            PciError::NoMsix => f.write_str("it has no MSI-X"),
            PciError::OutOfMemory => f.write_str("no memory to map it"),
        }
    }
}

/// A function of a device.
#[derive(Debug)]
pub struct PciDevice {
    /// Where it is.
    pub address: Address,
    /// Who made it.
    pub vendor: u16,
    /// Its number among the vendor's devices.
    pub device: u16,
    /// Class, such as 1 for mass storage.
    pub class: u8,
    /// Subclass, such as 8 for non-volatile memory.
    pub subclass: u8,
    /// Programming interface, such as 2 for NVMe.
    pub interface: u8,
    /// Windows by register number; the register after a 64-bit one is `None`.
    pub bars: [Option<Bar>; 6],
    header: u8,
    config: ConfigSpace,
    claimed: AtomicBool,
}

impl PciDevice {
    pub(crate) fn new(
        config: ConfigSpace,
        address: Address,
        header: u8,
        bars: [Option<Bar>; 6],
    ) -> Self {
        let class = config.read32(address, 0x08);
        PciDevice {
            address,
            vendor: config.read16(address, 0),
            device: config.read16(address, 2),
            class: (class >> 24) as u8,
            subclass: (class >> 16) as u8,
            interface: (class >> 8) as u8,
            bars,
            header,
            config,
            claimed: AtomicBool::new(false),
        }
    }

    /// Claims it for one driver; `None` while another claim lives.
    #[must_use]
    pub fn claim(self: &Arc<Self>) -> Option<ClaimedDevice> {
        (!self.claimed.swap(true, Ordering::AcqRel)).then(|| ClaimedDevice {
            device: Arc::clone(self),
        })
    }

    /// Whether a driver has claimed it.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Relaxed)
    }

    /// The offset of the capability `id` in configuration space.
    #[must_use]
    pub fn capability(&self, id: u8) -> Option<u16> {
        self.capabilities()
            .find(|(found, _)| *found == id)
            .map(|(_, offset)| offset)
    }

    /// Its capabilities: number and offset. A malformed list ends early.
    pub fn capabilities(&self) -> impl Iterator<Item = (u8, u16)> + '_ {
        let listed = self.config.read16(self.address, STATUS) & HAS_CAPABILITIES != 0;
        let mut next = match listed {
            true => self.config.read8(self.address, CAPABILITIES_POINTER),
            false => 0,
        };
        // The 192 bytes after the header hold 48 at most; a loop ends there.
        (0..48).map_while(move |_| {
            let offset = u16::from(next & !3);
            if offset < 0x40 {
                return None;
            }
            let head = self.config.read16(self.address, offset);
            next = (head >> 8) as u8;
            Some((head as u8, offset))
        })
    }

    /// Reads the word at `offset` of its configuration space.
    #[must_use]
    pub fn config_read32(&self, offset: u16) -> u32 {
        self.config.read32(self.address, offset)
    }

    /// The addresses a bridge passes on, if this is one.
    pub(crate) fn bridge_window(&self) -> Option<Range<u64>> {
        let limits = (self.header == 1).then(|| self.config_read32(BRIDGE_MEMORY))?;
        let base = u64::from(limits & 0xfff0) << 16;
        let limit = u64::from(limits & 0xfff0_0000) | 0xf_ffff;
        (base != 0 && base < limit).then_some(base..limit + 1)
    }
}

impl core::fmt::Display for PciDevice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} {:04x}:{:04x} {}",
            self.address,
            self.vendor,
            self.device,
            ids::class_name(self.class, self.subclass, self.interface)
        )?;
        for (index, bar) in self.bars.iter().enumerate() {
            let Some(bar) = bar else { continue };
            let kind = match bar.kind {
                BarKind::Io => "io",
                BarKind::Memory32 | BarKind::Memory64 => "mem",
            };
            write!(f, " {index}:{kind} {:#x}+{:#x}", bar.base, bar.size)?;
        }
        f.write_str(if self.is_claimed() { " claimed" } else { "" })
    }
}

/// The right to drive a device. Dropping it stops the device's memory accesses
/// and lets others claim it.
#[derive(Debug)]
pub struct ClaimedDevice {
    device: Arc<PciDevice>,
}

impl ClaimedDevice {
    /// Writes the word at `offset` of its configuration space.
    pub fn config_write32(&self, offset: u16, value: u32) {
        self.device.config.write32(self.address, offset, value);
    }

    pub(crate) fn config_write16(&self, offset: u16, value: u16) {
        self.device.config.write16(self.address, offset, value);
    }

    fn command(&self, set: u16, clear: u16) {
        let command = self.device.config.read16(self.address, COMMAND);
        self.config_write16(COMMAND, command & !clear | set);
    }

    /// Lets the device answer to its memory windows and reach memory itself;
    /// its legacy interrupt is turned off.
    pub fn enable(&self) {
        self.command(MEMORY_SPACE | BUS_MASTER | NO_LEGACY_INTERRUPT, 0);
    }

    /// Stops the device from reaching memory.
    pub fn stop_bus_master(&self) {
        self.command(0, BUS_MASTER);
    }

    /// The window of register `index`, if it is memory with a place.
    ///
    /// # Errors
    /// [`PciError::NoWindow`].
    pub fn window(&self, index: usize) -> Result<Range<u64>, PciError> {
        let bar = self.bars.get(index).copied().flatten();
        bar.and_then(|b| b.memory())
            .ok_or(PciError::NoWindow(index))
    }

    /// Maps the window of register `index`, of which at most `limit` bytes.
    ///
    /// # Errors
    /// When it has no such window or there is no memory for the mapping.
    pub fn map(&self, index: usize, limit: usize) -> Result<DeviceMemory, PciError> {
        let window = self.window(index)?;
        let len = usize::try_from(window.end - window.start).unwrap_or(limit);
        DeviceMemory::map(window.start, len.min(limit)).map_err(|_| PciError::OutOfMemory)
    }

    /// Its table of interrupt messages, all of them masked, MSI-X on.
    ///
    /// # Errors
    /// When it has none or there is no memory for the mapping.
    pub fn msix(&self) -> Result<MsixTable, PciError> {
        MsixTable::open(self)
    }
}

impl Deref for ClaimedDevice {
    type Target = PciDevice;
    fn deref(&self) -> &PciDevice {
        &self.device
    }
}

impl Drop for ClaimedDevice {
    fn drop(&mut self) {
        self.stop_bus_master();
        self.device.claimed.store(false, Ordering::Release);
    }
}
