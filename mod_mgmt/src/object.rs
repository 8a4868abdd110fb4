//! Reads an object: sections, symbols and relocations, each checked once here so
//! that placing and linking need not look again.

use crate::LoadError;
use alloc::vec::Vec;
use goblin::elf::header::{EM_X86_64, ET_REL};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_NOBITS, SHT_PROGBITS, SHT_RELA,
};
use goblin::elf::sym::{STB_LOCAL, STB_WEAK, STT_FUNC, STT_SECTION, STT_TLS};
use goblin::elf::{Elf, SectionHeader};

/// What a section's memory may be used for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Access {
    /// Code.
    Execute,
    /// Constants and unwind tables.
    Read,
    /// Variables, vtables and other relocated pointers.
    Write,
}

/// A section that takes memory.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    /// Its index in the object.
    pub index: usize,
    /// Its name.
    pub name: &'a str,
    /// Its access.
    pub access: Access,
    /// Its content; shorter than `size` (empty) for `.bss`.
    pub bytes: &'a [u8],
    /// Bytes of memory.
    pub size: usize,
    /// A power of two.
    pub align: usize,
}

/// Where a symbol is defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Definition {
    /// In a section, by its place in [`Object::sections`], at an offset.
    Section(usize, u64),
    /// An absolute value.
    Absolute(u64),
    /// Elsewhere. Weak ones may stay undefined and are zero then.
    Undefined {
        /// May stay undefined.
        weak: bool,
    },
    /// In a section that takes no memory.
    Nowhere,
}

/// A symbol.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Its name; empty for section symbols.
    pub name: &'a str,
    /// Where it is.
    pub definition: Definition,
    /// Bytes; zero when unknown.
    pub size: u64,
    /// Others may link to it.
    pub exported: bool,
    /// It is code.
    pub function: bool,
}

/// A relocation.
#[derive(Clone, Copy, Debug)]
pub struct Relocation {
    /// The section it applies to, by its place in [`Object::sections`].
    pub section: usize,
    /// Offset there.
    pub offset: u64,
    /// ELF relocation type.
    pub kind: u32,
    /// The symbol, by its place in [`Object::symbols`].
    pub symbol: usize,
    /// Added to the symbol's value.
    pub addend: i64,
}

/// An object, checked.
#[derive(Debug)]
pub struct Object<'a> {
    /// Sections that take memory.
    pub sections: Vec<Section<'a>>,
    /// All symbols, in the object's order.
    pub symbols: Vec<Symbol<'a>>,
    /// All relocations of those sections.
    pub relocations: Vec<Relocation>,
}

/// No section of a cell is larger than this.
const LARGEST_SECTION: u64 = 512 << 20;

impl<'a> Object<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// When the bytes are not a complete relocatable object for x86-64.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let elf = Elf::parse(bytes).map_err(|_| LoadError::Format("no readable ELF file"))?;
        if elf.header.e_type != ET_REL
            || elf.header.e_machine != EM_X86_64
            || !elf.is_64
            || !elf.little_endian
        {
            return Err(LoadError::Format("no relocatable object for x86-64"));
        }
        let mut places = Vec::new();
        let sections = sections(&elf, bytes, &mut places)?;
        let symbols = symbols(&elf, bytes, &places, &sections)?;
        let relocations = relocations(&elf, bytes, &places, &sections, symbols.len())?;
        Ok(Object {
            sections,
            symbols,
            relocations,
        })
    }

    /// The section of this name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<usize> {
        self.sections.iter().position(|s| s.name == name)
    }
}

/// A section's bytes in the file.
fn content<'a>(bytes: &'a [u8], header: &SectionHeader) -> Result<&'a [u8], LoadError> {
    let start = usize::try_from(header.sh_offset).map_err(|_| LoadError::Truncated("section"))?;
    let size = usize::try_from(header.sh_size).map_err(|_| LoadError::Truncated("section"))?;
    let end = start
        .checked_add(size)
        .ok_or(LoadError::Truncated("section"))?;
    bytes.get(start..end).ok_or(LoadError::Truncated("section"))
}

/// The string at `at` of the string table in section `link`.
fn string<'a>(
    elf: &Elf<'_>,
    bytes: &'a [u8],
    link: usize,
    at: usize,
) -> Result<&'a str, LoadError> {
    let header = elf
        .section_headers
        .get(link)
        .ok_or(LoadError::Truncated("string table"))?;
    let table = content(bytes, header)?;
    let rest = table.get(at..).ok_or(LoadError::Truncated("string"))?;
    let len = rest
        .iter()
        .position(|b| *b == 0)
        .ok_or(LoadError::Truncated("string"))?;
    core::str::from_utf8(&rest[..len]).map_err(|_| LoadError::Format("a name is not UTF-8"))
}

fn sections<'a>(
    elf: &Elf<'_>,
    bytes: &'a [u8],
    places: &mut Vec<Option<usize>>,
) -> Result<Vec<Section<'a>>, LoadError> {
    let mut sections = Vec::new();
    for (index, header) in elf.section_headers.iter().enumerate() {
        places.push(None);
        let flags = header.sh_flags as u32;
        if flags & SHF_TLS != 0 {
            return Err(LoadError::Format("thread-local storage"));
        }
        let takes_memory = flags & SHF_ALLOC != 0 && header.sh_size > 0;
        let bss = header.sh_type == SHT_NOBITS;
        // 0x7000_0001 is SHT_X86_64_UNWIND, which some tools give .eh_frame.
        if !takes_memory
            || !(bss || header.sh_type == SHT_PROGBITS || header.sh_type == 0x7000_0001)
        {
            continue;
        }
        if header.sh_size > LARGEST_SECTION {
            return Err(LoadError::Format("a section is too large"));
        }
        let align = usize::try_from(header.sh_addralign.max(1))
            .map_err(|_| LoadError::Format("alignment"))?;
        if !align.is_power_of_two() || align > memory::PAGE_SIZE {
            return Err(LoadError::Format("alignment"));
        }
        let access = match (flags & SHF_EXECINSTR != 0, flags & SHF_WRITE != 0) {
            (true, true) => return Err(LoadError::Format("a section is writable and executable")),
            (true, false) => Access::Execute,
            (false, true) => Access::Write,
            (false, false) => Access::Read,
        };
        let name = string(
            elf,
            bytes,
            usize::from(elf.header.e_shstrndx),
            header.sh_name,
        )?;
        let content = if bss {
            &[][..]
        } else {
            content(bytes, header)?
        };
        let size = usize::try_from(header.sh_size).map_err(|_| LoadError::Truncated("section"))?;
        places[index] = Some(sections.len());
        sections.push(Section {
            index,
            name,
            access,
            bytes: content,
            size,
            align,
        });
    }
    Ok(sections)
}

fn symbols<'a>(
    elf: &Elf<'_>,
    bytes: &'a [u8],
    places: &[Option<usize>],
    sections: &[Section<'_>],
) -> Result<Vec<Symbol<'a>>, LoadError> {
    let table = elf
        .section_headers
        .iter()
        .find(|h| h.sh_type == goblin::elf::section_header::SHT_SYMTAB);
    let link = table.map_or(0, |h| h.sh_link as usize);
    let mut symbols = Vec::with_capacity(elf.syms.len());
    for raw in &elf.syms {
        if raw.st_type() == STT_TLS {
            return Err(LoadError::Format("thread-local storage"));
        }
        let definition = match raw.st_shndx {
            0 => Definition::Undefined {
                weak: raw.st_bind() == STB_WEAK,
            },
            0xfff1 => Definition::Absolute(raw.st_value),
            0xff00.. => return Err(LoadError::Format("a common symbol")),
            section => match places.get(section).copied().flatten() {
                Some(place) if raw.st_value <= sections[place].size as u64 => {
                    Definition::Section(place, raw.st_value)
                }
                Some(_) => return Err(LoadError::Truncated("symbol")),
                None => Definition::Nowhere,
            },
        };
        let section_symbol = raw.st_type() == STT_SECTION;
        let name = if section_symbol || raw.st_name == 0 {
            ""
        } else {
            string(elf, bytes, link, raw.st_name)?
        };
        symbols.push(Symbol {
            name,
            definition,
            size: raw.st_size,
            exported: raw.st_bind() != STB_LOCAL
                && matches!(definition, Definition::Section(..))
                && !name.is_empty(),
            function: raw.st_type() == STT_FUNC,
        });
    }
    Ok(symbols)
}

fn relocations(
    elf: &Elf<'_>,
    bytes: &[u8],
    places: &[Option<usize>],
    sections: &[Section<'_>],
    symbols: usize,
) -> Result<Vec<Relocation>, LoadError> {
    let mut relocations = Vec::new();
    for header in elf.section_headers.iter().filter(|h| h.sh_type == SHT_RELA) {
        let Some(section) = places.get(header.sh_info as usize).copied().flatten() else {
            continue;
        };
        let room = sections[section].bytes.len() as u64;
        let (entries, rest) = content(bytes, header)?.as_chunks::<24>();
        if !rest.is_empty() {
            return Err(LoadError::Truncated("relocations"));
        }
        relocations.reserve(entries.len());
        for entry in entries {
            let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| entry[at + i]));
            let (offset, info, addend) = (word(0), word(8), word(16).cast_signed());
            let symbol = (info >> 32) as usize;
            // The widest field is eight bytes; the applier checks its own.
            if symbol >= symbols || offset >= room {
                return Err(LoadError::Truncated("relocation"));
            }
            relocations.push(Relocation {
                section,
                offset,
                kind: info as u32,
                symbol,
                addend,
            });
        }
    }
    Ok(relocations)
}
