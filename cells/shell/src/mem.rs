//! `mem`: where memory is, by owner. The lines below one of them are its parts.

use crate::commands::Outcome;
use alloc::format;
use alloc::string::String;
use mod_mgmt::namespace::NAMESPACE;

/// What the loaded cells take: bytes of code, of constants and unwind tables, of
/// data, and on the heap of what the loader knows of them.
#[derive(Default)]
struct Cells {
    code: u64,
    constants: u64,
    data: u64,
    names: u64,
    links: u64,
}

impl Cells {
    fn count() -> Self {
        let mut sum = Cells::default();
        for cell in NAMESPACE.cells() {
            let [code, constants, data] = &cell.memory;
            sum.code += code.len() as u64;
            sum.constants += constants.len() as u64;
            sum.data += data.len() as u64;
            sum.names += cell.names.size() as u64;
            sum.links += (size_of_val(cell.exports.as_slice())
                + size_of_val(cell.imports.as_slice())) as u64;
        }
        sum
    }
}

pub(crate) fn mem(_: &[&str]) -> Outcome {
    let usage = memory::frames::usage();
    let cells = Cells::count();
    let archive = nano_core::boot_data().archive.len() as u64;
    let in_use = usage.total - usage.free;
    let spares = swap_port::spares::usage().1 as u64;
    let in_cells = cells.code + cells.constants + cells.data;
    let lines = [
        ("usable", usage.total),
        ("free", usage.free),
        ("in use", in_use),
        ("in use but for pools", in_use - usage.pool),
        ("  archive of the boot", archive),
        (
            "  boot image, frame states",
            usage.reserved.saturating_sub(archive),
        ),
        ("  pools", usage.pool),
        ("  devices' rings and buffers", usage.device),
        ("  page tables", usage.tables),
        ("  spares of cells", spares),
        ("  cells and stacks", usage.mapped.saturating_sub(spares)),
        ("    code", cells.code),
        ("    constants, unwind tables", cells.constants),
        ("    data", cells.data),
        (
            "    stacks, former cells",
            usage.mapped.saturating_sub(in_cells + spares),
        ),
        ("  heap", usage.heap_frames),
        ("    heap objects", usage.heap),
        ("      function names", cells.names),
        ("      exports, imports", cells.links),
    ];
    let text: String = lines
        .iter()
        .map(|(what, bytes)| format!("{what:<28} {:>10} KiB\n", bytes / 1024))
        .collect();
    Ok(text + &format!("{:<28} {:>10}\n", "cells loaded", NAMESPACE.loaded()))
}
