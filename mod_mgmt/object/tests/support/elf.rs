//! A writer of small relocatable objects, for corner cases that no compiler
//! makes on demand.

use goblin::elf::header::{EM_X86_64, ET_REL};
use goblin::elf::section_header::{SHT_NOBITS, SHT_PROGBITS, SHT_RELA, SHT_STRTAB, SHT_SYMTAB};

/// Section flags.
pub const WRITE: u64 = 1;
pub const ALLOC: u64 = 2;
pub const EXECUTE: u64 = 4;

const LOCAL: u8 = 0;
const GLOBAL: u8 = 1;
const WEAK: u8 = 2;
const FUNCTION: u8 = 2;

/// A section to come.
pub struct Section {
    pub name: &'static str,
    pub kind: u32,
    pub flags: u64,
    pub align: u64,
    pub bytes: Vec<u8>,
    /// Bytes of memory, which the header gives.
    pub size: u64,
    relocations: Vec<[u64; 3]>,
}

/// An object to come. Sections and symbols are named by their numbers.
#[derive(Default)]
pub struct Writer {
    pub sections: Vec<Section>,
    symbols: Vec<[u8; 24]>,
    strings: Vec<u8>,
}

fn put(bytes: &mut Vec<u8>, width: usize, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes()[..width]);
}

fn add(strings: &mut Vec<u8>, name: &str) -> u64 {
    let at = strings.len() as u64;
    strings.extend_from_slice(name.as_bytes());
    strings.push(0);
    at
}

impl Writer {
    pub fn new() -> Self {
        Writer {
            symbols: vec![[0; 24]],
            strings: vec![0],
            ..Writer::default()
        }
    }

    pub fn section(&mut self, name: &'static str, flags: u64, align: u64, bytes: &[u8]) -> usize {
        self.sections.push(Section {
            name,
            kind: SHT_PROGBITS,
            flags,
            align,
            bytes: bytes.to_vec(),
            size: bytes.len() as u64,
            relocations: Vec::new(),
        });
        self.sections.len() - 1
    }

    pub fn text(&mut self, bytes: &[u8]) -> usize {
        self.section(".text", ALLOC | EXECUTE, 16, bytes)
    }

    pub fn data(&mut self, bytes: &[u8]) -> usize {
        self.section(".data.rel.ro", ALLOC | WRITE, 8, bytes)
    }

    pub fn bss(&mut self, align: u64, size: u64) -> usize {
        let section = self.section(".bss", ALLOC | WRITE, align, &[]);
        self.sections[section].kind = SHT_NOBITS;
        self.sections[section].size = size;
        section
    }

    /// A symbol as ELF has it; `shndx` is the header's index.
    pub fn raw_symbol(&mut self, name: &str, info: u8, shndx: u16, value: u64, size: u64) -> u32 {
        let mut record = Vec::new();
        put(&mut record, 4, add(&mut self.strings, name));
        put(&mut record, 1, u64::from(info));
        put(&mut record, 1, 0);
        put(&mut record, 2, u64::from(shndx));
        put(&mut record, 8, value);
        put(&mut record, 8, size);
        self.symbols.push(record.try_into().unwrap());
        self.symbols.len() as u32 - 1
    }

    pub fn function(&mut self, name: &str, section: usize, offset: u64, size: u64) -> u32 {
        let shndx = section as u16 + 1;
        self.raw_symbol(name, GLOBAL << 4 | FUNCTION, shndx, offset, size)
    }

    pub fn object(&mut self, name: &str, section: usize, offset: u64) -> u32 {
        self.raw_symbol(name, GLOBAL << 4 | 1, section as u16 + 1, offset, 8)
    }

    pub fn local(&mut self, name: &str, section: usize, offset: u64) -> u32 {
        self.raw_symbol(name, LOCAL << 4, section as u16 + 1, offset, 0)
    }

    pub fn import(&mut self, name: &str) -> u32 {
        self.raw_symbol(name, GLOBAL << 4, 0, 0, 0)
    }

    pub fn weak_import(&mut self, name: &str) -> u32 {
        self.raw_symbol(name, WEAK << 4, 0, 0, 0)
    }

    pub fn relocate(&mut self, section: usize, offset: u64, kind: u32, symbol: u32, addend: i64) {
        let info = u64::from(symbol) << 32 | u64::from(kind);
        let record = [offset, info, addend.cast_unsigned()];
        self.sections[section].relocations.push(record);
    }

    /// The file: header, contents, section headers.
    pub fn write(&self) -> Vec<u8> {
        let mut file = vec![0; 64];
        let mut names = vec![0];
        let mut headers = vec![[0; 10]];
        let mut content = |file: &mut Vec<u8>, header: [u64; 10], name: &str, bytes: &[u8]| {
            file.resize(file.len().next_multiple_of(16), 0);
            let mut header = header;
            header[0] = add(&mut names, name);
            header[4] = file.len() as u64;
            file.extend_from_slice(bytes);
            headers.push(header);
        };
        let symtab = self.sections.len() as u64 + 1;
        for s in &self.sections {
            let header = [0, s.kind.into(), s.flags, 0, 0, s.size, 0, 0, s.align, 0];
            content(&mut file, header, s.name, &s.bytes);
        }
        let symbols = self.symbols.concat();
        let len = symbols.len() as u64;
        let header = [0, SHT_SYMTAB.into(), 0, 0, 0, len, symtab + 1, 1, 8, 24];
        content(&mut file, header, ".symtab", &symbols);
        let len = self.strings.len() as u64;
        let header = [0, SHT_STRTAB.into(), 0, 0, 0, len, 0, 0, 1, 0];
        content(&mut file, header, ".strtab", &self.strings);
        for (index, section) in (1..).zip(&self.sections) {
            let records: Vec<u64> = section.relocations.concat();
            let bytes: Vec<u8> = records.iter().flat_map(|w| w.to_le_bytes()).collect();
            let len = bytes.len() as u64;
            let header = [0, SHT_RELA.into(), 0, 0, 0, len, symtab, index, 8, 24];
            content(&mut file, header, ".rela", &bytes);
        }
        let own = add(&mut names, ".shstrtab");
        let at = file.len() as u64;
        let len = names.len() as u64;
        headers.push([own, SHT_STRTAB.into(), 0, 0, at, len, 0, 0, 1, 0]);
        file.extend_from_slice(&names);
        file.resize(file.len().next_multiple_of(8), 0);
        let header = file_header(file.len() as u64, headers.len() as u64);
        file[..64].copy_from_slice(&header);
        for header in &headers {
            for (value, width) in header.iter().zip([4, 4, 8, 8, 8, 8, 4, 4, 8, 8]) {
                put(&mut file, width, *value);
            }
        }
        file
    }
}

fn file_header(sections_at: u64, sections: u64) -> Vec<u8> {
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let fields = [
        (2, u64::from(ET_REL)),
        (2, u64::from(EM_X86_64)),
        (4, 1),
        (8, 0),
        (8, 0),
        (8, sections_at),
        (4, 0),
        (2, 64),
        (2, 0),
        (2, 0),
        (2, 64),
        (2, sections),
        (2, sections - 1),
    ];
    for (width, value) in fields {
        put(&mut header, width, value);
    }
    header
}
