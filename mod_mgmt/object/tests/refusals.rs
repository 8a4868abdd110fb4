//! Bytes that are no proper object give an error, or something that is safe to
//! link: no panic, bounded work, and imports in writable memory only. That
//! nothing is written outside the given memory is the compiler's promise: the
//! modules under test forbid unsafe code.

mod support;

use cell_object::ObjectError;
use cell_object::elf::Object;
use cell_object::layout::Layout;
use cell_object::pack::pack_placed;
use cell_object::{Import, LARGEST, Packed};
use goblin::elf::reloc::{R_X86_64_32, R_X86_64_64, R_X86_64_PC32};
use goblin::elf::section_header::{SHT_INIT_ARRAY, SHT_NOBITS};
use support::elf::{ALLOC, EXECUTE, WRITE, Writer};
use support::rustc;

fn attempt(bytes: &[u8]) -> Result<Vec<Import>, ObjectError> {
    support::attempt::elf(bytes, &mut Vec::new())
}

fn refused(writer: &Writer) -> ObjectError {
    attempt(&writer.write()).expect_err("this object must be refused")
}

/// Steele, Lea and Flood's SplitMix64: a seed gives the same cases for ever.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

#[test]
fn every_truncation_is_refused_or_harmless() {
    let bytes = rustc::object();
    assert!(attempt(&bytes).is_ok());
    let whole = (0..bytes.len())
        .filter(|len| attempt(&bytes[..*len]).is_ok())
        .count();
    assert_eq!(whole, 0, "the last byte belongs to the section headers");
}

#[test]
fn every_changed_byte_is_refused_or_harmless() {
    let bytes = rustc::object();
    let mut altered = bytes.clone();
    let (mut refused, mut seeded) = (0, Seeded(1));
    for at in 0..bytes.len() {
        for value in [0, 0xff, bytes[at] ^ 1 << seeded.below(8)] {
            altered[at] = value;
            refused += u32::from(attempt(&altered).is_err());
        }
        altered[at] = bytes[at];
    }
    assert!(refused > 500, "only {refused} of all changes were noticed");
}

/// Eight-byte fields with the values that overflow sums and products.
#[test]
fn extreme_numbers_are_refused_or_harmless() {
    let bytes = rustc::object();
    let extreme = [
        0,
        1,
        23,
        0x7fff_ffff,
        u64::MAX,
        u64::MAX - 7,
        1 << 63,
        1 << 32,
        1 << 40,
    ];
    for seed in 0..4000 {
        let mut seeded = Seeded(seed);
        let mut altered = bytes.clone();
        for _ in 0..=seeded.below(3) {
            let at = seeded.below(bytes.len() - 8) & !3;
            let value = extreme[seeded.below(extreme.len())];
            altered[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let _ = attempt(&altered);
    }
}

/// The same in the section headers, where most of the meaning is.
#[test]
fn altered_section_headers_are_refused_or_harmless() {
    let bytes = rustc::object();
    let headers = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    for seed in 0..8000 {
        let mut seeded = Seeded(seed);
        let mut altered = bytes.clone();
        for _ in 0..=seeded.below(2) {
            let at = headers + seeded.below(bytes.len() - headers - 4) / 4 * 4;
            let value = match seeded.below(3) {
                0 => seeded.below(bytes.len()) as u32,
                1 => seeded.below(64) as u32,
                _ => seeded.next() as u32,
            };
            altered[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let _ = attempt(&altered);
    }
}

#[test]
fn noise_is_refused() {
    for seed in 0..500 {
        let mut seeded = Seeded(seed);
        let mut noise: Vec<u8> = (0..seeded.below(600))
            .map(|_| seeded.next() as u8)
            .collect();
        assert!(attempt(&noise).is_err());
        // With a proper beginning the rest is looked at.
        let proper = Writer::new().write();
        let len = noise.len().min(24);
        noise[..len].copy_from_slice(&proper[..len]);
        let _ = attempt(&noise);
    }
}

#[test]
fn sections_that_nobody_serves_are_refused() {
    let of = |flags: u64, align: u64, kind: Option<u32>| {
        let mut w = Writer::new();
        let section = w.section(".odd", flags, align, &[0; 8]);
        w.sections[section].kind = kind.unwrap_or(w.sections[section].kind);
        refused(&w)
    };
    let format = ObjectError::Format;
    assert_eq!(of(ALLOC | 0x400, 8, None), format("thread-local storage"));
    let both = format("a section is writable and executable");
    assert_eq!(of(ALLOC | WRITE | EXECUTE, 8, None), both);
    assert_eq!(of(ALLOC, 3, None), format("alignment"));
    assert_eq!(of(ALLOC, 8192, None), format("alignment"));
    assert_eq!(
        of(ALLOC | WRITE, 8, Some(SHT_INIT_ARRAY)),
        format("constructors")
    );
    assert_eq!(of(ALLOC | 0x800, 8, None), format("a compressed section"));
}

#[test]
fn sizes_are_bounded() {
    for (size, count, message) in [
        (1 << 40, 1, "a section is too large"),
        (u64::MAX, 1, "a section is too large"),
        (LARGEST as u64, 2, "the cell is too large"),
    ] {
        let mut w = Writer::new();
        for _ in 0..count {
            w.bss(8, size);
        }
        assert_eq!(refused(&w), ObjectError::Format(message));
    }
    let mut w = Writer::new();
    let section = w.data(&[0; 8]);
    w.sections[section].size = 1 << 20;
    assert_eq!(refused(&w), ObjectError::Truncated("section"));
}

#[test]
fn relocations_stay_in_their_section() {
    let at = |offset: u64, kind: u32| {
        let mut w = Writer::new();
        let section = w.data(&[0; 16]);
        let symbol = w.object("own", section, 0);
        w.relocate(section, offset, kind, symbol, 0);
        attempt(&w.write()).err()
    };
    let outside = Some(ObjectError::Truncated("relocation"));
    assert_eq!(at(8, R_X86_64_64), None);
    assert_eq!(at(9, R_X86_64_64), outside);
    assert_eq!(at(12, R_X86_64_PC32), None);
    assert_eq!(at(13, R_X86_64_PC32), outside);
    assert_eq!(at(u64::MAX - 3, R_X86_64_PC32), outside);
    assert_eq!(
        at(0, R_X86_64_32),
        Some(ObjectError::Relocation(R_X86_64_32))
    );
}

#[test]
fn bss_has_nothing_to_relocate() {
    let mut w = Writer::new();
    let section = w.bss(8, 64);
    let symbol = w.object("own", section, 0);
    w.relocate(section, 0, R_X86_64_64, symbol, 0);
    assert_eq!(refused(&w), ObjectError::Truncated("relocation"));
}

#[test]
fn imported_addresses_lie_in_writable_memory() {
    let mut w = Writer::new();
    let constants = w.section(".rodata", ALLOC, 8, &[0; 8]);
    let import = w.import("import");
    w.relocate(constants, 0, R_X86_64_64, import, 0);
    let message = "the address of an import in memory that is not writable";
    assert_eq!(refused(&w), ObjectError::Format(message));
}

#[test]
fn symbols_stay_in_their_section() {
    let of = |shndx: u16, value: u64| {
        let mut w = Writer::new();
        w.data(&[0; 8]);
        w.raw_symbol("symbol", 0x11, shndx, value, 8);
        attempt(&w.write()).err()
    };
    assert_eq!(of(1, 8), None, "the end is a place");
    assert_eq!(of(1, 9), Some(ObjectError::Truncated("symbol")));
    assert_eq!(of(0xfff2, 8), Some(ObjectError::Format("a common symbol")));
    assert_eq!(of(999, 8), None, "nobody refers to it");
}

#[test]
fn references_to_nothing_are_refused() {
    let mut w = Writer::new();
    let data = w.data(&[0; 8]);
    let dropped = w.section(".comment", 0, 1, b"text");
    let symbol = w.local("", dropped, 0);
    w.relocate(data, 0, R_X86_64_64, symbol, 0);
    let message = "a reference into a section without memory";
    assert_eq!(refused(&w), ObjectError::Format(message));
}

#[test]
fn names_end() {
    let mut w = Writer::new();
    w.data(&[0; 8]);
    w.import(&"n".repeat(20_000));
    assert_eq!(refused(&w), ObjectError::Format("a name does not end"));
}

#[test]
fn other_files_are_refused() {
    let mut w = Writer::new();
    w.data(&[0; 8]);
    let proper = w.write();
    assert!(attempt(&proper).is_ok());
    for (at, value) in [(4, 1), (5, 2), (16, 2), (18, 3)] {
        let mut other = proper.clone();
        other[at] = value;
        assert!(attempt(&other).is_err(), "byte {at}");
    }
}

#[test]
fn memory_that_is_too_small_is_refused() {
    let mut w = Writer::new();
    let section = w.bss(8, 8192);
    w.sections[section].kind = SHT_NOBITS;
    let bytes = w.write();
    let object = Object::parse(&bytes).unwrap();
    let layout = Layout::of(&object).unwrap();
    let mut memory = vec![0; layout.size - 1];
    let packed = pack_placed(&object, &layout, "small").unwrap();
    let result = Packed::parse(&packed)
        .unwrap()
        .link(&mut memory, 4096, &|_| None);
    assert_eq!(result.err(), Some(ObjectError::Truncated("memory")));
}
