//! The index that lets an unwinder find a frame's description by binary search
//! instead of reading the whole `.eh_frame`.
//!
//! A linker makes it when it links a program (`--eh-frame-hdr`), but not for a
//! relocatable object. Here it is written as assembly, in the same format
//! (`.eh_frame_hdr` of the Linux Standard Base: version 1, pointers relative to
//! the field or to the section), against two symbols that the merge script
//! puts at the start of `.text` and `.eh_frame`.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail};
use goblin::elf::{Elf, reloc};

/// Symbol at the start of the merged `.text`.
const TEXT: &str = "__cell_text";
/// Symbol at the start of the merged `.eh_frame`.
const FRAMES: &str = "__cell_eh_frame";
/// Both; to be made local once the index is linked to the object.
pub const SYMBOLS: [&str; 2] = [TEXT, FRAMES];
/// Where the address of the function stands in a frame description, after its
/// length and the distance to its common part.
const FUNCTION_FIELD: u64 = 8;

/// Assembly of the index of a merged object; `None` when it has no frames.
pub fn assembly(merged: &[u8]) -> Result<Option<String>> {
    let elf = Elf::parse(merged)?;
    let find = |wanted: &str| {
        elf.section_headers
            .iter()
            .position(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(wanted))
    };
    let Some(frames) = find(".eh_frame") else {
        return Ok(None);
    };
    let range = elf.section_headers[frames]
        .file_range()
        .context("`.eh_frame` has no bytes")?;
    let bytes = merged
        .get(range)
        .context("`.eh_frame` lies outside of the object")?;
    let functions = functions(&elf, frames, find(".text"))?;
    let mut entries: Vec<(u64, u64)> = Vec::new();
    for start in descriptions(bytes)? {
        let function = functions
            .get(&(start + FUNCTION_FIELD))
            .with_context(|| format!("the frame at {start:#x} belongs to no function in .text"))?;
        entries.push((*function, start));
    }
    entries.sort_unstable();
    Ok((!entries.is_empty()).then(|| write(&entries)))
}

/// For each relocated place in `.eh_frame`: the offset in `.text` it means.
fn functions(elf: &Elf<'_>, frames: usize, text: Option<usize>) -> Result<BTreeMap<u64, u64>> {
    let mut functions = BTreeMap::new();
    for (section, relocations) in &elf.shdr_relocs {
        let target = elf
            .section_headers
            .get(*section)
            .map(|header| header.sh_info as usize);
        if target != Some(frames) {
            continue;
        }
        for relocation in relocations {
            let symbol = elf
                .syms
                .get(relocation.r_sym)
                .context("a relocation without symbol")?;
            if Some(symbol.st_shndx) != text || relocation.r_type != reloc::R_X86_64_PC32 {
                continue;
            }
            let addend = relocation.r_addend.unwrap_or(0);
            functions.insert(
                relocation.r_offset,
                symbol.st_value.wrapping_add_signed(addend),
            );
        }
    }
    Ok(functions)
}

/// Where in `.eh_frame` the descriptions of functions start.
fn descriptions(bytes: &[u8]) -> Result<Vec<u64>> {
    let word = |at: usize| -> Result<u32> {
        let bytes = bytes
            .get(at..at + 4)
            .context("`.eh_frame` ends within a record")?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let mut starts = Vec::new();
    let mut at = 0;
    loop {
        let len = word(at)?;
        match len {
            0 => return Ok(starts),
            u32::MAX => bail!("`.eh_frame` has a record of the 64-bit form"),
            _ if word(at + 4)? != 0 => starts.push(at as u64),
            // The common part of the descriptions that follow.
            _ => {}
        }
        at += 4 + len as usize;
    }
}

fn write(entries: &[(u64, u64)]) -> String {
    // eh_frame_ptr: pcrel sdata4; count: udata4; table: datarel sdata4.
    let mut text = format!(
        ".section .eh_frame_hdr, \"a\", @progbits\n.balign 4\n\
         0: .byte 1, 0x1b, 0x03, 0x3b\n.long {FRAMES} - .\n.long {}\n",
        entries.len()
    );
    for (function, frame) in entries {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            ".long {TEXT} + {function} - 0b, {FRAMES} + {frame} - 0b"
        );
    }
    text
}
