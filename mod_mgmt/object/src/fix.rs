//! Applies the relocations of a placed cell as far as they do not depend on where
//! it will run, and lists the others.
//!
//! Everything relative within the cell is computed for good: its pieces keep
//! their distances. Addresses of its own become offsets, to which the loader adds
//! the start; addresses of imports are left to the loader altogether.

use crate::ObjectError;
use crate::elf::{Definition, Object, Relocation};
use crate::layout::{Layout, STUB};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use goblin::elf::reloc::{
    R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PC32, R_X86_64_PC64,
    R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX,
};

/// A cell as far as it can be linked without knowing where it will run.
#[derive(Debug, Default)]
pub struct Fixed {
    /// Its memory up to the last byte that is not known to be zero, at address 0.
    pub image: Vec<u8>,
    /// Where addresses of its own lie, sorted.
    pub own: Vec<usize>,
    /// Imported symbols, and the places that hold their addresses, sorted, with
    /// what is added there.
    pub imports: BTreeMap<usize, Vec<(usize, i64)>>,
}

/// Fixes a placed object.
///
/// # Errors
/// When a relocation does not fit.
pub fn fix(object: &Object<'_>, layout: &Layout) -> Result<Fixed, ObjectError> {
    let filled = object.sections.iter().zip(&layout.sections);
    let filled = filled.filter(|(section, _)| !section.bytes.is_empty());
    let ends = filled.clone().map(|(section, at)| at + section.bytes.len());
    let stubs_end = layout.stubs_at + layout.stubs.symbols().len() * STUB;
    let slots_end = layout.slots_at + layout.slots.symbols().len() * 8;
    let len = ends.chain([stubs_end, slots_end]).max().unwrap_or(0);
    let mut fixer = Fixer {
        object,
        layout,
        fixed: Fixed {
            image: alloc::vec![0; len],
            ..Fixed::default()
        },
    };
    for (section, at) in filled {
        fixer.put(*at, section.bytes)?;
    }
    for symbol in layout.slots.symbols() {
        let at = fixer.slot(*symbol)?;
        fixer.put_address(*symbol, at, 0)?;
    }
    for (number, symbol) in layout.stubs.symbols().iter().enumerate() {
        fixer.write_stub(*symbol, number)?;
    }
    for relocation in &object.relocations {
        fixer.apply(relocation)?;
    }
    let mut fixed = fixer.fixed;
    fixed.own.sort_unstable();
    for places in fixed.imports.values_mut() {
        places.sort_unstable();
    }
    Ok(fixed)
}

struct Fixer<'l> {
    object: &'l Object<'l>,
    layout: &'l Layout,
    fixed: Fixed,
}

impl Fixer<'_> {
    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<(), ObjectError> {
        let room = at
            .checked_add(bytes.len())
            .and_then(|end| self.fixed.image.get_mut(at..end));
        room.ok_or(ObjectError::Truncated("relocation"))?
            .copy_from_slice(bytes);
        Ok(())
    }

    fn slot(&self, symbol: usize) -> Result<usize, ObjectError> {
        let slot = self.layout.slot_of(symbol);
        slot.ok_or(ObjectError::Truncated("slot"))
    }

    /// The address of a symbol plus `addend`, at `at`: as it is when it is absolute,
    /// else for the loader to complete.
    fn put_address(&mut self, symbol: usize, at: usize, addend: i64) -> Result<(), ObjectError> {
        let value = match self.object.symbols[symbol].definition {
            Definition::Section(place, offset) => {
                self.fixed.own.push(at);
                self.layout.sections[place] as u64 + offset
            }
            Definition::Absolute(value) => value,
            Definition::Nowhere => return Err(NOWHERE),
            Definition::Undefined { .. } => {
                let places = self.fixed.imports.entry(symbol).or_default();
                places.push((at, addend));
                return self.put(at, &[0; 8]);
            }
        };
        self.put(at, &value.wrapping_add_signed(addend).to_le_bytes())
    }

    fn write_stub(&mut self, symbol: usize, number: usize) -> Result<(), ObjectError> {
        let at = self.layout.stubs_at + number * STUB;
        let slot = self.slot(symbol)?;
        // jmp *slot(%rip): the offset counts from the end of its six bytes.
        let offset = i32::try_from(slot as i64 - (at as i64 + 6))
            .map_err(|_| ObjectError::Format("a stub is too far"))?;
        self.put(at, &[0xff, 0x25])?;
        self.put(at + 2, &offset.to_le_bytes())?;
        self.put(at + 6, &[0x0f, 0x0b])
    }

    fn apply(&mut self, relocation: &Relocation) -> Result<(), ObjectError> {
        let at = self.layout.sections[relocation.section] + relocation.offset as usize;
        let symbol = relocation.symbol;
        let described = &self.object.symbols[symbol];
        let target = match (relocation.kind, described.definition) {
            (R_X86_64_64, _) => return self.put_address(symbol, at, relocation.addend),
            (R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX, _) => {
                self.slot(symbol)? as u64
            }
            (R_X86_64_PLT32 | R_X86_64_PC32, Definition::Undefined { .. }) => {
                let stub = self.layout.stub_of(symbol);
                stub.ok_or(ObjectError::Truncated("stub"))? as u64
            }
            (
                R_X86_64_PLT32 | R_X86_64_PC32 | R_X86_64_PC64,
                Definition::Section(place, offset),
            ) => self.layout.sections[place] as u64 + offset,
            // No distance to a fixed address is the same wherever the cell runs.
            (R_X86_64_PLT32 | R_X86_64_PC32 | R_X86_64_PC64, Definition::Absolute(_)) => {
                return Err(ObjectError::Overflow(described.name.to_string()));
            }
            (R_X86_64_PLT32 | R_X86_64_PC32 | R_X86_64_PC64, Definition::Nowhere) => {
                return Err(NOWHERE);
            }
            (other, _) => return Err(ObjectError::Relocation(other)),
        };
        let value = target
            .wrapping_add_signed(relocation.addend)
            .wrapping_sub(at as u64)
            .cast_signed();
        if relocation.kind == R_X86_64_PC64 {
            return self.put(at, &value.to_le_bytes());
        }
        let value =
            i32::try_from(value).map_err(|_| ObjectError::Overflow(described.name.to_string()))?;
        self.put(at, &value.to_le_bytes())
    }
}

const NOWHERE: ObjectError = ObjectError::Format("a reference into a section without memory");
