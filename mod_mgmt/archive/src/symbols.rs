//! The symbols of the boot image, as the payload of one archive entry.
//!
//! ```text
//! 0    magic "MITOSSYM", count u32, strings_len u32
//! 16   SymbolRecord[count]   32 bytes each, sorted by name hash
//! ...  u32[count]            indices of the records, sorted by address
//! ...  strings
//! ```
//!
//! Used where it lies: a name is found by binary search on its hash, an
//! address by binary search through the second table. The writer refuses two
//! linkable names with one hash, yet [`SymbolTable::find`] compares the
//! name as well, since a cell's import may be a name the writer never saw.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) const SYMBOLS_MAGIC: [u8; 8] = *b"MITOSSYM";
/// Flag of a record: other cells may link to it.
pub(crate) const LINKABLE: u16 = 1;
/// Flag of a record: it is code.
pub(crate) const FUNCTION: u16 = 2;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct SymbolHeader {
    pub magic: [u8; 8],
    pub count: U32,
    pub strings_len: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct SymbolRecord {
    pub hash: U64,
    pub address: U64,
    pub size: U32,
    pub name_offset: U32,
    pub name_len: U16,
    pub flags: U16,
    pub reserved: U32,
}

const _: () = assert!(size_of::<SymbolRecord>() == 32);

/// FNV-1a, 64 bit: the order of the table.
pub const fn hash_name(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
}

/// One symbol of the boot image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its mangled name.
    pub name: &'a str,
    /// Its virtual address.
    pub address: u64,
    /// Its size in bytes; 0 when unknown (assembly).
    pub size: u32,
    /// True for code.
    pub is_function: bool,
    /// True when cells may link to it; others serve backtraces only.
    pub is_linkable: bool,
}

/// A checked view of a symbol table.
#[derive(Clone, Copy)]
pub struct SymbolTable<'a> {
    records: &'a [SymbolRecord],
    by_address: &'a [U32],
    strings: &'a str,
}

impl<'a> SymbolTable<'a> {
    /// Checks the layout; `None` when the bytes are no symbol table.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = SymbolHeader::ref_from_prefix(bytes).ok()?;
        if header.magic != SYMBOLS_MAGIC {
            return None;
        }
        let count = usize::try_from(header.count.get()).ok()?;
        let (records, rest) = <[SymbolRecord]>::ref_from_prefix_with_elems(rest, count).ok()?;
        let (by_address, rest) = <[U32]>::ref_from_prefix_with_elems(rest, count).ok()?;
        let strings = rest.get(..usize::try_from(header.strings_len.get()).ok()?)?;
        Some(Self {
            records,
            by_address,
            strings: core::str::from_utf8(strings).ok()?,
        })
    }

    /// Number of symbols.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True for a table without symbols.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All symbols, in no useful order.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let table = *self;
        self.records.iter().map(move |record| table.symbol(record))
    }

    /// The linkable symbol of this name.
    pub fn find(&self, name: &str) -> Option<Symbol<'a>> {
        let hash = hash_name(name);
        let first = self
            .records
            .partition_point(|record| record.hash.get() < hash);
        self.records
            .get(first..)?
            .iter()
            .take_while(|record| record.hash.get() == hash)
            .map(|record| self.symbol(record))
            .find(|symbol| symbol.is_linkable && symbol.name == name)
    }

    /// The symbol that covers `address`, or the nearest one below it when
    /// sizes are unknown.
    pub fn covering(&self, address: u64) -> Option<Symbol<'a>> {
        let above = self.by_address.partition_point(|index| {
            self.record(*index)
                .is_some_and(|record| record.address.get() <= address)
        });
        let record = self.record(*self.by_address.get(above.checked_sub(1)?)?)?;
        let symbol = self.symbol(record);
        let covers = symbol.size == 0 || address - symbol.address < u64::from(symbol.size);
        covers.then_some(symbol)
    }

    fn record(&self, index: U32) -> Option<&'a SymbolRecord> {
        self.records.get(usize::try_from(index.get()).ok()?)
    }

    fn symbol(&self, record: &SymbolRecord) -> Symbol<'a> {
        let start = record.name_offset.get() as usize;
        let end = start.saturating_add(usize::from(record.name_len.get()));
        Symbol {
            name: self.strings.get(start..end).unwrap_or_default(),
            address: record.address.get(),
            size: record.size.get(),
            is_function: record.flags.get() & FUNCTION != 0,
            is_linkable: record.flags.get() & LINKABLE != 0,
        }
    }
}
