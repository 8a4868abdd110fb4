//! Places a cell's sections, stubs and slots in one contiguous piece of memory:
//!
//! ```text
//! execute: .text, stubs (8 bytes each)
//! read:    .rodata, .eh_frame, .gcc_except_table
//! write:   slots (8 bytes each), .data.rel.ro, .data, .bss
//! ```
//!
//! Each of the three starts on a page of its own. Everything lies within 2 GiB,
//! so that all relative references inside a cell fit.

use crate::elf::{Access, Definition, Object};
use crate::{LARGEST, ObjectError, PAGE_SIZE};
use alloc::vec::Vec;
use goblin::elf::reloc::{
    R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PC32, R_X86_64_PC64,
    R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX,
};

/// Bytes of a stub: `jmp *slot(%rip)` and two bytes of padding.
pub const STUB: usize = 8;

/// Where everything goes, as offsets from the start of the cell's memory.
#[derive(Debug)]
pub struct Layout {
    /// Per section, in the object's order.
    pub sections: Vec<usize>,
    /// Symbols that have a slot.
    pub slots: Numbered,
    /// Symbols that have a stub.
    pub stubs: Numbered,
    /// Where the stubs start.
    pub stubs_at: usize,
    /// Where the slots start.
    pub slots_at: usize,
    /// Where reading pages start.
    pub read_at: usize,
    /// Where writable pages start.
    pub write_at: usize,
    /// Bytes in all, a multiple of the page size.
    pub size: usize,
}

impl Layout {
    /// Places an object.
    ///
    /// # Errors
    /// When a relocation is of an unknown type, or the cell is too large.
    pub fn of(object: &Object<'_>) -> Result<Self, ObjectError> {
        let (slots, stubs) = needed(object)?;
        let mut layout = Layout {
            sections: alloc::vec![0; object.sections.len()],
            slots,
            stubs,
            stubs_at: 0,
            slots_at: 0,
            read_at: 0,
            write_at: 0,
            size: 0,
        };
        let mut end = layout.place(object, Access::Execute, 0);
        layout.stubs_at = end.next_multiple_of(STUB);
        end = layout.stubs_at + layout.stubs.symbols().len() * STUB;
        layout.read_at = end.next_multiple_of(PAGE_SIZE);
        end = layout.place(object, Access::Read, layout.read_at);
        layout.write_at = end.next_multiple_of(PAGE_SIZE);
        layout.slots_at = layout.write_at;
        end = layout.slots_at + layout.slots.symbols().len() * 8;
        end = layout.place(object, Access::Write, end);
        layout.size = end.next_multiple_of(PAGE_SIZE).max(PAGE_SIZE);
        if layout.size > LARGEST {
            return Err(ObjectError::Format("the cell is too large"));
        }
        Ok(layout)
    }

    fn place(&mut self, object: &Object<'_>, access: Access, mut at: usize) -> usize {
        for (place, section) in object
            .sections
            .iter()
            .enumerate()
            .filter(|(_, s)| s.access == access)
        {
            at = at.next_multiple_of(section.align);
            self.sections[place] = at;
            at += section.size;
        }
        at
    }

    /// A symbol's offset from the start, if the object defines it in a section.
    #[must_use]
    pub fn offset_of(&self, object: &Object<'_>, symbol: usize) -> Option<usize> {
        match object.symbols.get(symbol)?.definition {
            Definition::Section(place, offset) => Some(self.sections[place] + offset as usize),
            _ => None,
        }
    }

    /// Where symbol's slot is, as an offset.
    #[must_use]
    pub fn slot_of(&self, symbol: usize) -> Option<usize> {
        Some(self.slots_at + self.slots.number(symbol)? * 8)
    }

    /// Where symbol's stub is, as an offset.
    #[must_use]
    pub fn stub_of(&self, symbol: usize) -> Option<usize> {
        Some(self.stubs_at + self.stubs.number(symbol)? * STUB)
    }
}

/// Some of an object's symbols, numbered in the order they were met. A table of
/// all symbols, since each of the many relocations asks it.
#[derive(Debug)]
pub struct Numbered {
    /// Per symbol its number plus one, or zero.
    of_symbol: Vec<u32>,
    symbols: Vec<usize>,
}

impl Numbered {
    fn new(symbols: usize) -> Self {
        Numbered {
            of_symbol: alloc::vec![0; symbols],
            symbols: Vec::new(),
        }
    }

    fn add(&mut self, symbol: usize) {
        if let Some(number @ 0) = self.of_symbol.get_mut(symbol) {
            self.symbols.push(symbol);
            *number = self.symbols.len() as u32;
        }
    }

    /// The symbol's number, if it has one.
    #[must_use]
    pub fn number(&self, symbol: usize) -> Option<usize> {
        (*self.of_symbol.get(symbol)? as usize).checked_sub(1)
    }

    /// The symbols, by number.
    #[must_use]
    pub fn symbols(&self) -> &[usize] {
        &self.symbols
    }
}

/// Which symbols need a slot, and which of them a stub too.
fn needed(object: &Object<'_>) -> Result<(Numbered, Numbered), ObjectError> {
    let count = object.symbols.len();
    let (mut slots, mut stubs) = (Numbered::new(count), Numbered::new(count));
    for relocation in &object.relocations {
        let undefined = matches!(
            object.symbols[relocation.symbol].definition,
            Definition::Undefined { .. }
        );
        match relocation.kind {
            R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX => {
                slots.add(relocation.symbol);
            }
            R_X86_64_PLT32 | R_X86_64_PC32 if undefined => {
                slots.add(relocation.symbol);
                stubs.add(relocation.symbol);
            }
            R_X86_64_64
                if undefined && object.sections[relocation.section].access != Access::Write =>
            {
                return Err(ObjectError::Format(
                    "the address of an import in memory that is not writable",
                ));
            }
            R_X86_64_PC64 if undefined => {
                return Err(ObjectError::Format("a relative reference to an import"));
            }
            R_X86_64_PLT32 | R_X86_64_PC32 | R_X86_64_PC64 | R_X86_64_64 => {}
            other => return Err(ObjectError::Relocation(other)),
        }
    }
    Ok((slots, stubs))
}
