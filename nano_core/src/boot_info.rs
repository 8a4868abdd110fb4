//! What the boot loader tells: memory map, modules, command line, ACPI root.
//!
//! The PVH start info and its tables lie in low memory and are read once, before
//! that memory is given to anyone.

use core::slice;

const MAGIC: u32 = 0x336e_c578;

/// A piece of physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub start: u64,
    /// First byte after it.
    pub end: u64,
}

#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Module {
    start: u64,
    size: u64,
    command_line: u64,
    reserved: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct MemoryMapEntry {
    start: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

/// The most pieces of usable memory that are taken note of.
const MAX_REGIONS: usize = 32;

/// Everything the boot loader told.
#[derive(Debug)]
pub struct BootInfo {
    usable: [Region; MAX_REGIONS],
    usable_count: usize,
    /// The cell archive.
    pub archive: Option<Region>,
    /// The physical address of the ACPI root pointer; zero when unknown.
    pub rsdp: u64,
    /// The command line's bytes and length.
    command_line: [u8; 1024],
    command_line_len: usize,
}

/// Why the boot information cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootInfoError {
    /// Not started through PVH.
    NotPvh,
    /// No memory map.
    NoMemoryMap,
}

impl BootInfo {
    /// Reads the start info at physical address `at` through the direct map at
    /// `window`.
    ///
    /// # Safety
    /// `at` is what the PVH entry received, and `window` maps physical memory up
    /// to 4 GiB.
    pub unsafe fn read(at: u64, window: u64) -> Result<Self, BootInfoError> {
        // SAFETY: the caller's promise; the structure lies below 4 GiB.
        let info = unsafe { &*((window + at) as *const StartInfo) };
        if info.magic != MAGIC {
            return Err(BootInfoError::NotPvh);
        }
        if info.version == 0 || info.memory_map == 0 {
            return Err(BootInfoError::NoMemoryMap);
        }
        let mut boot = BootInfo {
            usable: [Region { start: 0, end: 0 }; MAX_REGIONS],
            usable_count: 0,
            archive: None,
            rsdp: info.rsdp,
            command_line: [0; 1024],
            command_line_len: 0,
        };
        // SAFETY: as above; the loader wrote that many entries there.
        let map = unsafe {
            slice::from_raw_parts(
                (window + info.memory_map) as *const MemoryMapEntry,
                info.memory_map_entries as usize,
            )
        };
        for entry in map.iter().filter(|e| e.kind == 1) {
            if boot.usable_count < MAX_REGIONS {
                boot.usable[boot.usable_count] = Region {
                    start: entry.start,
                    end: entry.start + entry.size,
                };
                boot.usable_count += 1;
            }
        }
        if info.modules > 0 {
            // SAFETY: as above.
            let module = unsafe { *((window + info.module_list) as *const Module) };
            boot.archive = Some(Region {
                start: module.start,
                end: module.start + module.size,
            });
        }
        if info.command_line != 0 {
            // SAFETY: a zero-terminated string below 4 GiB; the copy stops at
            // the terminator or when the buffer is full.
            unsafe { boot.copy_command_line((window + info.command_line) as *const u8) };
        }
        Ok(boot)
    }

    /// # Safety
    /// `from` points to a zero-terminated string.
    unsafe fn copy_command_line(&mut self, from: *const u8) {
        while self.command_line_len < self.command_line.len() {
            // SAFETY: not past the terminator yet.
            let byte = unsafe { *from.add(self.command_line_len) };
            if byte == 0 {
                break;
            }
            self.command_line[self.command_line_len] = byte;
            self.command_line_len += 1;
        }
    }

    /// The usable memory.
    pub fn usable(&self) -> &[Region] {
        &self.usable[..self.usable_count]
    }

    /// The command line; empty when it is not text.
    pub fn command_line(&self) -> &str {
        core::str::from_utf8(&self.command_line[..self.command_line_len]).unwrap_or("")
    }
}
