//! A configuration space for tests on the host: functions of plain registers,
//! with base address registers that answer a size probe as real ones do.

use crate::config::{Address, ConfigAccess, NOTHING};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use sync::SpinLock;

/// One function's registers.
#[derive(Debug)]
pub struct FakeFunction {
    words: Vec<u32>,
    /// Bits of each word that a write changes.
    writable: Vec<u32>,
}

impl FakeFunction {
    /// A function of `vendor`, `device` and class code (class, subclass,
    /// interface).
    #[must_use]
    pub fn new(vendor: u16, device: u16, class: [u8; 3]) -> Self {
        let mut function = FakeFunction {
            words: vec![0; 64],
            writable: vec![0; 64],
        };
        function.words[0] = u32::from(device) << 16 | u32::from(vendor);
        function.words[2] = u32::from_be_bytes([class[0], class[1], class[2], 0]);
        function.writable[1] = 0x0000_0407;
        function
    }

    /// The same with the word at `offset` set; writes change the bits of
    /// `writable`.
    #[must_use]
    pub fn word(mut self, offset: u16, value: u32, writable: u32) -> Self {
        self.words[usize::from(offset / 4)] = value;
        self.writable[usize::from(offset / 4)] = writable;
        self
    }

    /// The same with a window of `size` bytes at `base`; `flags` are the low
    /// bits of the register (4: 64-bit memory, 1: ports).
    #[must_use]
    pub fn bar(self, index: u16, base: u64, size: u64, flags: u32) -> Self {
        let mask = !(size - 1);
        let offset = 0x10 + 4 * index;
        let low = self.word(offset, base as u32 | flags, mask as u32 & !0xf);
        match flags & 4 {
            0 => low,
            _ => low.word(offset + 4, (base >> 32) as u32, (mask >> 32) as u32),
        }
    }

    /// The same with a capability list that holds MSI-X alone: `entries`
    /// interrupts, their table at `offset` of window `bar`.
    #[must_use]
    pub fn msix(self, entries: u16, bar: u32, offset: u32) -> Self {
        self.word(0x04, 1 << 20, 0x0000_0407)
            .word(0x34, 0x40, 0)
            .word(0x40, u32::from(entries - 1) << 16 | 0x11, 0xc000_0000)
            .word(0x44, offset | bar, 0)
    }
}

/// A configuration space made of [`FakeFunction`]s.
#[derive(Debug, Default)]
pub struct FakeConfig(SpinLock<BTreeMap<Address, FakeFunction>>);

impl FakeConfig {
    /// Puts a function at an address.
    #[must_use]
    pub fn with(self, bus: u8, device: u8, function: u8, what: FakeFunction) -> Self {
        let at = Address {
            bus,
            device,
            function,
        };
        self.0.lock().insert(at, what);
        self
    }
}

impl ConfigAccess for FakeConfig {
    fn read32(&self, at: Address, offset: u16) -> u32 {
        let functions = self.0.lock();
        let word = |f: &FakeFunction| f.words.get(usize::from(offset / 4)).copied();
        functions.get(&at).and_then(word).unwrap_or(NOTHING)
    }

    fn write32(&self, at: Address, offset: u16, value: u32) {
        let mut functions = self.0.lock();
        let index = usize::from(offset / 4);
        if let Some(function) = functions.get_mut(&at)
            && let Some(word) = function.words.get_mut(index)
        {
            let writable = function.writable[index];
            *word = *word & !writable | value & writable;
        }
    }
}

/// The address of `size` bytes (a power of two) of memory that stands for a
/// device's registers, aligned as a window is. It is never freed: mappings of it
/// do not keep it.
///
/// # Errors
/// When there is no memory.
pub fn registers(size: u64) -> Result<u64, memory::OutOfMemory> {
    let region = memory::DmaRegion::allocate(2 * size as usize)?;
    let start = region.as_ptr().as_ptr().expose_provenance() as u64;
    core::mem::forget(region);
    Ok(start.next_multiple_of(size))
}
