//! Reads an object: sections, symbols and relocations, each checked once here so
//! that placing and linking need not look again.
//!
//! Only what a cell has is read: the section headers, the symbol table and the
//! relocations of sections that take memory. The work is bounded by the length
//! of the object, whatever its bytes are.

use crate::{LARGEST, ObjectError};
use alloc::vec::Vec;
use goblin::container::{Container, Ctx, Endian};
use goblin::elf::Elf;
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, EM_X86_64, ET_REL};
use goblin::elf::reloc::{R_X86_64_64, R_X86_64_PC64};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_FINI_ARRAY, SHT_INIT_ARRAY,
    SHT_NOBITS, SHT_PREINIT_ARRAY, SHT_PROGBITS, SHT_REL, SHT_RELA, SHT_SYMTAB, SectionHeader,
};
use goblin::elf::sym::{STB_LOCAL, STB_WEAK, STT_FUNC, STT_SECTION, STT_TLS};

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

/// Names are no longer than this; the longest so far has 599 bytes.
const LONGEST_NAME: usize = 16 << 10;
/// Bytes of a symbol, and of a relocation.
const RECORD: usize = 24;

impl<'a> Object<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// When the bytes are not a complete relocatable object for x86-64.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ObjectError> {
        let file = File::parse(bytes)?;
        let mut places = Vec::with_capacity(file.headers.len());
        let sections = sections(&file, &mut places)?;
        let symbols = symbols(&file, &places, &sections)?;
        let relocations = relocations(&file, &places, &sections, symbols.len())?;
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

/// The bytes and their section headers.
struct File<'a> {
    bytes: &'a [u8],
    headers: Vec<SectionHeader>,
    /// Index of the section names.
    names: usize,
}

impl<'a> File<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ObjectError> {
        let unreadable = |_| ObjectError::Format("no readable ELF file");
        let header = Elf::parse_header(bytes).map_err(unreadable)?;
        if header.e_type != ET_REL
            || header.e_machine != EM_X86_64
            || header.e_ident[EI_CLASS] != ELFCLASS64
            || header.e_ident[EI_DATA] != ELFDATA2LSB
        {
            return Err(ObjectError::Format("no relocatable object for x86-64"));
        }
        let at = usize::try_from(header.e_shoff).map_err(|_| ObjectError::Truncated("sections"))?;
        if at > bytes.len() {
            return Err(ObjectError::Truncated("sections"));
        }
        let context = Ctx::new(Container::Big, Endian::Little);
        let count = usize::from(header.e_shnum);
        let headers = SectionHeader::parse(bytes, at, count, context)
            .map_err(|_| ObjectError::Truncated("sections"))?;
        Ok(File {
            bytes,
            headers,
            names: usize::from(header.e_shstrndx),
        })
    }

    /// A section's bytes.
    fn content(&self, header: &SectionHeader) -> Result<&'a [u8], ObjectError> {
        let range = usize::try_from(header.sh_offset).and_then(|start| {
            let size = usize::try_from(header.sh_size)?;
            Ok(start..start.saturating_add(size))
        });
        range
            .ok()
            .and_then(|range| self.bytes.get(range))
            .ok_or(ObjectError::Truncated("section"))
    }

    /// The bytes of section `index`, which holds strings.
    fn strings(&self, index: usize) -> Result<&'a [u8], ObjectError> {
        let header = self.headers.get(index);
        self.content(header.ok_or(ObjectError::Truncated("string table"))?)
    }

    /// A section of records of 24 bytes.
    fn records(&self, header: &SectionHeader) -> Result<&'a [[u8; RECORD]], ObjectError> {
        match self.content(header)?.as_chunks() {
            (records, []) => Ok(records),
            _ => Err(ObjectError::Truncated("records")),
        }
    }

    fn symbol_table(&self) -> Option<usize> {
        self.headers.iter().position(|h| h.sh_type == SHT_SYMTAB)
    }
}

/// The string at `at`.
fn string(table: &[u8], at: usize) -> Result<&str, ObjectError> {
    let rest = table.get(at..).ok_or(ObjectError::Truncated("string"))?;
    let rest = &rest[..rest.len().min(LONGEST_NAME)];
    let name = core::ffi::CStr::from_bytes_until_nul(rest)
        .map_err(|_| ObjectError::Format("a name does not end"))?;
    name.to_str()
        .map_err(|_| ObjectError::Format("a name is not UTF-8"))
}

fn word(record: &[u8; RECORD], at: usize) -> u64 {
    u64::from_le_bytes(core::array::from_fn(|i| record[at + i]))
}

fn sections<'a>(
    file: &File<'a>,
    places: &mut Vec<Option<usize>>,
) -> Result<Vec<Section<'a>>, ObjectError> {
    let mut sections = Vec::new();
    for (index, header) in file.headers.iter().enumerate() {
        let place = takes_memory(header)?.then_some(sections.len());
        places.push(place);
        if place.is_some() {
            sections.push(section(file, index, header)?);
        }
    }
    Ok(sections)
}

/// Whether a section is to be placed; refuses what nobody would serve.
fn takes_memory(header: &SectionHeader) -> Result<bool, ObjectError> {
    let flags = header.sh_flags as u32;
    if flags & SHF_TLS != 0 {
        return Err(ObjectError::Format("thread-local storage"));
    }
    if flags & SHF_ALLOC == 0 || header.sh_size == 0 {
        return Ok(false);
    }
    match header.sh_type {
        _ if flags & SHF_COMPRESSED != 0 => Err(ObjectError::Format("a compressed section")),
        // 0x7000_0001 is SHT_X86_64_UNWIND, which some tools give .eh_frame.
        SHT_PROGBITS | SHT_NOBITS | 0x7000_0001 => Ok(true),
        SHT_INIT_ARRAY | SHT_FINI_ARRAY | SHT_PREINIT_ARRAY => {
            Err(ObjectError::Format("constructors"))
        }
        _ => Ok(false),
    }
}

fn section<'a>(
    file: &File<'a>,
    index: usize,
    header: &SectionHeader,
) -> Result<Section<'a>, ObjectError> {
    let size = usize::try_from(header.sh_size).unwrap_or(usize::MAX);
    if size > LARGEST {
        return Err(ObjectError::Format("a section is too large"));
    }
    let align = usize::try_from(header.sh_addralign.max(1)).unwrap_or(usize::MAX);
    if !align.is_power_of_two() || align > crate::PAGE_SIZE {
        return Err(ObjectError::Format("alignment"));
    }
    let flags = header.sh_flags as u32;
    let access = match (flags & SHF_EXECINSTR != 0, flags & SHF_WRITE != 0) {
        (true, true) => return Err(ObjectError::Format("a section is writable and executable")),
        (true, false) => Access::Execute,
        (false, true) => Access::Write,
        (false, false) => Access::Read,
    };
    let bytes = match header.sh_type {
        SHT_NOBITS => &[],
        _ => file.content(header)?,
    };
    Ok(Section {
        index,
        name: string(file.strings(file.names)?, header.sh_name)?,
        access,
        bytes,
        size,
        align,
    })
}

fn symbols<'a>(
    file: &File<'a>,
    places: &[Option<usize>],
    sections: &[Section<'_>],
) -> Result<Vec<Symbol<'a>>, ObjectError> {
    let Some(table) = file.symbol_table().and_then(|at| file.headers.get(at)) else {
        return Ok(Vec::new());
    };
    let strings = file.strings(table.sh_link as usize)?;
    let records = file.records(table)?;
    let mut symbols = Vec::with_capacity(records.len());
    for record in records {
        let (head, value, size) = (word(record, 0), word(record, 8), word(record, 16));
        let (name, kind, bind) = (
            head as u32,
            (head >> 32) as u8 & 15,
            (head >> 36) as u8 & 15,
        );
        if kind == STT_TLS {
            return Err(ObjectError::Format("thread-local storage"));
        }
        let definition = match (head >> 48) as usize {
            0 => Definition::Undefined {
                weak: bind == STB_WEAK,
            },
            0xfff1 => Definition::Absolute(value),
            0xff00.. => return Err(ObjectError::Format("a common symbol")),
            section => match places.get(section).copied().flatten() {
                Some(place) if value <= sections[place].size as u64 => {
                    Definition::Section(place, value)
                }
                Some(_) => return Err(ObjectError::Truncated("symbol")),
                None => Definition::Nowhere,
            },
        };
        let name = match kind {
            STT_SECTION => "",
            _ if name == 0 => "",
            _ => string(strings, name as usize)?,
        };
        symbols.push(Symbol {
            name,
            definition,
            size,
            exported: bind != STB_LOCAL
                && matches!(definition, Definition::Section(..))
                && !name.is_empty(),
            function: kind == STT_FUNC,
        });
    }
    Ok(symbols)
}

fn relocations(
    file: &File<'_>,
    places: &[Option<usize>],
    sections: &[Section<'_>],
    symbols: usize,
) -> Result<Vec<Relocation>, ObjectError> {
    let mut relocations = Vec::new();
    let mut room = file.bytes.len() / RECORD;
    for header in &file.headers {
        if !matches!(header.sh_type, SHT_RELA | SHT_REL) {
            continue;
        }
        let Some(section) = places.get(header.sh_info as usize).copied().flatten() else {
            continue;
        };
        if header.sh_type == SHT_REL || Some(header.sh_link as usize) != file.symbol_table() {
            return Err(ObjectError::Format("relocations of another kind"));
        }
        let records = file.records(header)?;
        // Each has bytes of its own, so that no file makes more than it holds.
        room = room
            .checked_sub(records.len())
            .ok_or(ObjectError::Format("relocation sections overlap"))?;
        relocations.reserve(records.len());
        for record in records {
            let relocation = relocation(section, record);
            let field = match relocation.kind {
                R_X86_64_64 | R_X86_64_PC64 => 8,
                _ => 4,
            };
            let end = relocation.offset.checked_add(field);
            if relocation.symbol >= symbols
                || end.is_none_or(|end| end > sections[section].bytes.len() as u64)
            {
                return Err(ObjectError::Truncated("relocation"));
            }
            relocations.push(relocation);
        }
    }
    Ok(relocations)
}

fn relocation(section: usize, record: &[u8; RECORD]) -> Relocation {
    let info = word(record, 8);
    Relocation {
        section,
        offset: word(record, 0),
        kind: info as u32,
        symbol: (info >> 32) as usize,
        addend: word(record, 16).cast_signed(),
    }
}
