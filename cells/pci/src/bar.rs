//! Base address registers: what size a function's windows have, where they lie,
//! and a place for those that the firmware left unplaced.

use crate::config::{Address, COMMAND, ConfigSpace};
use core::ops::Range;

/// The first of the base address registers.
const FIRST: u16 = 0x10;
const IO_SPACE: u16 = 1;
const MEMORY_SPACE: u16 = 2;

/// What a window is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarKind {
    /// Memory below 4 GiB.
    Memory32,
    /// Memory anywhere; takes two registers.
    Memory64,
    /// Ports.
    Io,
}

/// A window of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// What it is.
    pub kind: BarKind,
    /// Physical address (or port) of its first byte; 0 when it has no place.
    pub base: u64,
    /// Bytes, a power of two.
    pub size: u64,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
}

impl Bar {
    /// The addresses it takes, if it is memory with a place.
    #[must_use]
    pub fn memory(&self) -> Option<Range<u64>> {
        (self.kind != BarKind::Io && self.base != 0).then(|| self.base..self.base + self.size)
    }
}

fn register(index: usize) -> u16 {
    FIRST + 4 * index as u16
}

/// Reads the windows of the function at `at`, which has `count` registers. Its
/// decoding is off for the moment that takes.
pub(crate) fn read(config: &ConfigSpace, at: Address, count: usize) -> [Option<Bar>; 6] {
    let command = config.read16(at, COMMAND);
    config.write16(at, COMMAND, command & !(IO_SPACE | MEMORY_SPACE));
    let mut bars = [None; 6];
    let mut index = 0;
    while index < count {
        let bar = read_one(config, at, index, count);
        bars[index] = bar;
        index += match bar {
            Some(Bar {
                kind: BarKind::Memory64,
                ..
            }) => 2,
            _ => 1,
        };
    }
    config.write16(at, COMMAND, command);
    bars
}

/// The value and the bits that can be set: writes all ones, looks, restores.
fn probe(config: &ConfigSpace, at: Address, offset: u16) -> (u32, u32) {
    let value = config.read32(at, offset);
    config.write32(at, offset, u32::MAX);
    let mask = config.read32(at, offset);
    config.write32(at, offset, value);
    (value, mask)
}

fn read_one(config: &ConfigSpace, at: Address, index: usize, count: usize) -> Option<Bar> {
    let (low, mask) = probe(config, at, register(index));
    if mask == 0 {
        return None;
    }
    if low & 1 != 0 {
        let mask = mask & 0xffff & !3;
        return (mask != 0).then(|| Bar {
            kind: BarKind::Io,
            base: u64::from(low & 0xfffc),
            size: u64::from(mask & mask.wrapping_neg()),
            prefetchable: false,
        });
    }
    let wide = (low >> 1) & 3 == 2 && index + 1 < count;
    let (high, high_mask) = match wide {
        true => probe(config, at, register(index + 1)),
        false => (0, 0),
    };
    let mask = u64::from(high_mask) << 32 | u64::from(mask & !0xf);
    (mask != 0).then(|| Bar {
        kind: match wide {
            true => BarKind::Memory64,
            false => BarKind::Memory32,
        },
        base: u64::from(high) << 32 | u64::from(low & !0xf),
        size: mask & mask.wrapping_neg(),
        prefetchable: low & 8 != 0,
    })
}

/// Puts a memory window at `base`, with the function's decoding off meanwhile.
pub(crate) fn place(config: &ConfigSpace, at: Address, index: usize, bar: &mut Bar, base: u64) {
    let command = config.read16(at, COMMAND);
    config.write16(at, COMMAND, command & !MEMORY_SPACE);
    config.write32(at, register(index), base as u32);
    if bar.kind == BarKind::Memory64 {
        config.write32(at, register(index + 1), (base >> 32) as u32);
    }
    config.write16(at, COMMAND, command);
    bar.base = base;
}

/// Finds the highest free, aligned place of `size` bytes inside `window`.
pub(crate) fn allocate(window: &Range<u64>, used: &[Range<u64>], size: u64) -> Option<u64> {
    let mut top = window.end;
    loop {
        let base = top.checked_sub(size)? & !(size - 1);
        if base < window.start {
            return None;
        }
        match used
            .iter()
            .filter(|r| r.start < base + size && base < r.end)
            .map(|r| r.start)
            .min()
        {
            Some(start) => top = start,
            None => return Some(base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_aligned_and_free() {
        let window = 0x1000..0x10000;
        let used = [0xc000..0x10000, 0x7000..0x8000];
        assert_eq!(allocate(&window, &used, 0x4000), Some(0x8000));
        assert_eq!(allocate(&window, &used, 0x8000), None);
        assert_eq!(allocate(&window, &[], 0x8000), Some(0x8000));
        assert_eq!(allocate(&window, &[], 0x20000), None);
    }
}
