//! Links a placed cell: fills its memory, its slots and stubs, and applies the
//! relocations, with the addresses it will run at.

use crate::LoadError;
use crate::layout::Layout;
use crate::object::{Definition, Object, Relocation};
use alloc::string::ToString;
use alloc::vec::Vec;
use goblin::elf::reloc::{
    R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PC32, R_X86_64_PC64,
    R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX,
};

/// An import: where the pointer to it lies, and whose it is.
#[derive(Clone, Debug)]
pub struct Import {
    /// The hash of the symbol's name.
    pub name: u64,
    /// The number of the cell that exports it, as the resolver gave it.
    pub exporter: usize,
    /// Offset of the pointer, in writable memory: a slot, or a place in a vtable.
    pub at: usize,
    /// What is added to the symbol's address there.
    pub addend: i64,
}

/// An address for a name, and the number of the cell it belongs to.
pub type Resolver<'r> = dyn Fn(&str) -> Option<(u64, usize)> + 'r;

/// Fills `memory` (which is zeroed and [`Layout::size`] long) with the cell as it
/// is to run at address `base`, which is on a page boundary. Gives the imports.
///
/// # Errors
/// When an import is missing or a relocation does not fit; the memory is then
/// worthless.
pub fn link(
    object: &Object<'_>,
    layout: &Layout,
    memory: &mut [u8],
    base: u64,
    resolve: &Resolver<'_>,
) -> Result<Vec<Import>, LoadError> {
    if memory.len() < layout.size {
        return Err(LoadError::Truncated("memory"));
    }
    for (section, at) in object.sections.iter().zip(&layout.sections) {
        let room = memory
            .get_mut(*at..*at + section.bytes.len())
            .ok_or(LoadError::Truncated("memory"))?;
        room.copy_from_slice(section.bytes);
    }
    let mut linker = Linker {
        object,
        layout,
        memory,
        base,
        resolve,
        imports: Vec::new(),
    };
    for symbol in layout.slots.symbols() {
        linker.fill_slot(*symbol)?;
    }
    for (number, symbol) in layout.stubs.symbols().iter().enumerate() {
        linker.write_stub(*symbol, number)?;
    }
    for relocation in &object.relocations {
        linker.apply(relocation)?;
    }
    Ok(linker.imports)
}

struct Linker<'l> {
    object: &'l Object<'l>,
    layout: &'l Layout,
    memory: &'l mut [u8],
    base: u64,
    resolve: &'l Resolver<'l>,
    imports: Vec<Import>,
}

impl Linker<'_> {
    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<(), LoadError> {
        let room = at
            .checked_add(bytes.len())
            .and_then(|end| self.memory.get_mut(at..end));
        room.ok_or(LoadError::Truncated("relocation"))?
            .copy_from_slice(bytes);
        Ok(())
    }

    /// The symbol's address; notes the import when a pointer to it plus `addend`
    /// is to be stored at `at`.
    fn address(&mut self, symbol: usize, at: usize, addend: i64) -> Result<u64, LoadError> {
        let described = &self.object.symbols[symbol];
        match described.definition {
            Definition::Section(place, offset) => {
                Ok(self.base + self.layout.sections[place] as u64 + offset)
            }
            Definition::Absolute(value) => Ok(value),
            Definition::Nowhere => Err(LoadError::Format(
                "a reference into a section without memory",
            )),
            Definition::Undefined { weak } => match (self.resolve)(described.name) {
                Some((address, exporter)) => {
                    self.imports.push(Import {
                        name: cell_archive::hash_name(described.name),
                        exporter,
                        at,
                        addend,
                    });
                    Ok(address)
                }
                None if weak => Ok(0),
                None => Err(LoadError::MissingSymbol(described.name.to_string())),
            },
        }
    }

    fn fill_slot(&mut self, symbol: usize) -> Result<(), LoadError> {
        let at = self
            .layout
            .slot_of(symbol)
            .ok_or(LoadError::Truncated("slot"))?;
        let address = self.address(symbol, at, 0)?;
        self.put(at, &address.to_le_bytes())
    }

    fn write_stub(&mut self, symbol: usize, number: usize) -> Result<(), LoadError> {
        let at = self.layout.stubs_at + number * crate::layout::STUB;
        let slot = self
            .layout
            .slot_of(symbol)
            .ok_or(LoadError::Truncated("slot"))?;
        // jmp *slot(%rip): the offset counts from the end of its six bytes.
        let offset = i32::try_from(slot as i64 - (at as i64 + 6))
            .map_err(|_| LoadError::Format("a stub is too far"))?;
        self.put(at, &[0xff, 0x25])?;
        self.put(at + 2, &offset.to_le_bytes())?;
        self.put(at + 6, &[0x0f, 0x0b])
    }

    fn apply(&mut self, relocation: &Relocation) -> Result<(), LoadError> {
        let at = self.layout.sections[relocation.section] + relocation.offset as usize;
        let symbol = relocation.symbol;
        let undefined = matches!(
            self.object.symbols[symbol].definition,
            Definition::Undefined { .. }
        );
        let place = self.base.wrapping_add(at as u64);
        let target = match relocation.kind {
            R_X86_64_64 => {
                let value = self
                    .address(symbol, at, relocation.addend)?
                    .wrapping_add_signed(relocation.addend);
                return self.put(at, &value.to_le_bytes());
            }
            R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX => {
                let slot = self
                    .layout
                    .slot_of(symbol)
                    .ok_or(LoadError::Truncated("slot"))?;
                self.base + slot as u64
            }
            R_X86_64_PLT32 | R_X86_64_PC32 if undefined => {
                let stub = self
                    .layout
                    .stub_of(symbol)
                    .ok_or(LoadError::Truncated("stub"))?;
                self.base + stub as u64
            }
            R_X86_64_PLT32 | R_X86_64_PC32 | R_X86_64_PC64 => {
                self.address(symbol, at, relocation.addend)?
            }
            other => return Err(LoadError::Relocation(other)),
        };
        let value = target
            .wrapping_add_signed(relocation.addend)
            .wrapping_sub(place)
            .cast_signed();
        if relocation.kind == R_X86_64_PC64 {
            return self.put(at, &value.to_le_bytes());
        }
        let value = i32::try_from(value)
            .map_err(|_| LoadError::Overflow(self.object.symbols[symbol].name.to_string()))?;
        self.put(at, &value.to_le_bytes())
    }
}
