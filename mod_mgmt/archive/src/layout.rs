//! The bytes of a cell archive, version 3. All numbers are little endian.
//!
//! ```text
//! 0      Header            128 bytes
//! 128    EntryRecord[]     96 bytes each, `entry_count` of them
//! ...    UseRecord[]       24 bytes each, `use_count` of them
//! ...    strings           UTF-8, referred to by offset and length
//! table_len                end of the signed part; zeros up to a page
//! ...    payloads          each on a 4,096-byte boundary, in entry order
//! total_len
//! ```
//!
//! Offsets of strings count from the start of the strings, offsets of payloads
//! from the start of the archive. Nothing but these types knows the layout.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first eight bytes of an archive.
pub const MAGIC: [u8; 8] = *b"MITOSCEL";
/// The version this crate reads and writes.
pub const FORMAT_VERSION: u32 = 3;
/// Alignment of every payload within the archive.
pub const PAYLOAD_ALIGN: usize = 4096;
/// What is signed begins with this, so that a signature made for another
/// purpose with the same key is worth nothing here.
pub(crate) const DOMAIN: &[u8; 24] = b"mitos cell archive v1\0\0\0";

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum EntryKind {
    /// The symbols of the boot image, see [`crate::SymbolTable`].
    BaseSymbols = 0,
    /// A packed object, see the crate `cell_object`.
    Cell = 1,
    /// Bytes that some cell asks for by name.
    Data = 2,
    /// A crate that is part of the boot image: no payload, but a name, a
    /// version and a fingerprint, so that pushed cells can be checked against
    /// it.
    BaseCrate = 3,
    /// A crate of types and generics alone: nothing to load, but a fingerprint
    /// that others are checked against.
    CodelessCrate = 4,
}

impl EntryKind {
    pub(crate) fn from_raw(raw: u16) -> Option<Self> {
        Some(match raw {
            0 => Self::BaseSymbols,
            1 => Self::Cell,
            2 => Self::Data,
            3 => Self::BaseCrate,
            4 => Self::CodelessCrate,
            _ => return None,
        })
    }
}

/// Start of an archive.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct Header {
    pub magic: [u8; 8],
    pub version: U32,
    pub entry_count: U32,
    pub use_count: U32,
    pub strings_len: U32,
    pub table_len: U64,
    pub total_len: U64,
    /// First bytes of the public key, to tell "other key" from "altered".
    pub key_hint: [u8; 8],
    /// Where it comes from, in ASCII, for people; zeros behind it.
    pub label: [u8; 16],
    /// ed25519 over `DOMAIN`, then the SHA-256 of the table with this field
    /// zeroed.
    pub signature: [u8; 64],
}

/// A run of bytes among the strings.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct StringRef {
    pub offset: U32,
    pub len: U32,
}

/// One entry.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct EntryRecord {
    pub kind: U16,
    pub reserved: U16,
    pub uses_count: U32,
    pub uses_first: U32,
    pub reserved2: U32,
    pub name: StringRef,
    pub version: StringRef,
    pub offset: U64,
    pub len: U64,
    /// The entry's own interface fingerprint; 0 when it has none.
    pub fingerprint: U64,
    pub reserved3: U64,
    /// [`crate::payload_digest`] of the payload.
    pub digest: [u8; 32],
}

/// One interface an entry was compiled against.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct UseRecord {
    pub name: StringRef,
    pub fingerprint: U64,
    /// 0 library, 1 port.
    pub kind: U32,
    pub reserved: U32,
}

const _: () = assert!(size_of::<Header>() == 128);
const _: () = assert!(size_of::<EntryRecord>() == 96);
const _: () = assert!(size_of::<UseRecord>() == 24);
