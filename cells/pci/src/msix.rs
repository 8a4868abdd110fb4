//! MSI-X: the table in device memory that says which message each of the
//! device's interrupts writes where.
//!
//! An entry is 16 bytes: address (low, high), data, and a word whose lowest bit
//! masks the entry.

use crate::device::{ClaimedDevice, MSIX, PciError};
use memory::{DeviceMemory, PAGE_SIZE};

const ENTRY: usize = 16;
const ENABLE: u16 = 1 << 15;
const MASK_ALL: u16 = 1 << 14;

/// The interrupt messages of a device. The device signals by them while its
/// claim lives.
#[derive(Debug)]
pub struct MsixTable {
    memory: DeviceMemory,
    /// Offset of the table inside the mapping, which starts on a page.
    offset: usize,
    entries: usize,
}

impl MsixTable {
    /// Maps the table, masks every entry and turns MSI-X on.
    pub(crate) fn open(device: &ClaimedDevice) -> Result<Self, PciError> {
        let capability = device.capability(MSIX).ok_or(PciError::NoMsix)?;
        let control = (device.config_read32(capability) >> 16) as u16;
        let entries = usize::from(control & 0x7ff) + 1;
        let place = device.config_read32(capability + 4);
        let bar = (place & 7) as usize;
        let window = device.window(bar)?;
        let start = window.start + u64::from(place & !7);
        let page = start & !(PAGE_SIZE as u64 - 1);
        let offset = (start - page) as usize;
        let len = (offset + entries * ENTRY).next_multiple_of(PAGE_SIZE);
        if start + (entries * ENTRY) as u64 > window.end {
            return Err(PciError::NoWindow(bar));
        }
        let memory = DeviceMemory::map(page, len).map_err(|_| PciError::OutOfMemory)?;
        let table = MsixTable {
            memory,
            offset,
            entries,
        };
        // All masked by the function bit first: entries may hold anything.
        device.config_write16(capability + 2, control | ENABLE | MASK_ALL);
        for entry in 0..entries {
            table.mask(entry);
        }
        device.config_write16(capability + 2, control & !MASK_ALL | ENABLE);
        Ok(table)
    }

    /// How many entries there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.entries
    }

    fn at(&self, entry: usize) -> Option<usize> {
        (entry < self.entries).then(|| self.offset + entry * ENTRY)
    }

    /// Lets interrupt `entry` write `data` to `address`. False when there is no
    /// such entry.
    pub fn set(&self, entry: usize, (address, data): (u64, u32)) -> bool {
        let Some(at) = self.at(entry) else {
            return false;
        };
        self.memory.write32(at + 12, 1);
        self.memory.write32(at, address as u32);
        self.memory.write32(at + 4, (address >> 32) as u32);
        self.memory.write32(at + 8, data);
        self.memory.write32(at + 12, 0);
        true
    }

    /// Keeps interrupt `entry` from signalling.
    pub fn mask(&self, entry: usize) {
        if let Some(at) = self.at(entry) {
            self.memory.write32(at + 12, 1);
        }
    }
}
