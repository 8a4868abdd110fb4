//! The bytes of a packed object, version 1. All numbers are little endian.
//!
//! ```text
//! 0    Header        68 bytes
//! ...  image         LZ4 block: the cell's memory from its start, at address 0
//! ...  links         LZ4 block: own addresses, then imports
//! ...  Export[]      12 bytes each
//! ...  names         see below
//! ```
//!
//! The links are variable-length numbers (seven bits a byte, low ones first):
//!
//! ```text
//! own addresses: count, then the distance of each place from the one before
//! imports:       count, then for each: 2 * length of the name + (1 if weak), the
//!                name, the number of places, and for each place its distance
//!                from the one before and what is added there (zigzag)
//! ```
//!
//! A place is the offset of eight bytes in the cell's memory. At a place with an
//! address of its own the image holds an offset, to which the start is added.
//!
//! The names serve reports and stay packed until one is asked for:
//!
//! ```text
//! 0    NameBlock[]   16 bytes each, by offset
//! ...  LZ4 blocks    for each function, by offset: distance from the one before
//!                    (from 0 in each block), length of the name, the name
//! ```

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first eight bytes.
pub(crate) const MAGIC: [u8; 8] = *b"MITOSOBJ";
/// The version that is read and written.
pub(crate) const VERSION: u32 = 1;
/// "There is none", for offsets.
pub(crate) const NONE: u32 = u32::MAX;
/// An LZ4 block of n bytes holds at most so many times n bytes.
pub(crate) const LARGEST_RATIO: usize = 255;

/// Start of a packed object. Offsets count from the start of the cell's memory.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct Header {
    pub magic: [u8; 8],
    pub version: U32,
    /// Bytes of memory, whole pages.
    pub size: U32,
    /// Where reading pages start.
    pub read_at: U32,
    /// Where writable pages start.
    pub write_at: U32,
    /// `.eh_frame`, or [`NONE`].
    pub eh_frame: U32,
    /// `.eh_frame_hdr`, or [`NONE`].
    pub eh_frame_hdr: U32,
    /// The static `CELL` of the crate, or [`NONE`].
    pub descriptor: U32,
    /// Bytes of the image; the memory behind it is zero.
    pub image: U32,
    /// Bytes of the image as packed.
    pub image_packed: U32,
    /// Bytes of the links.
    pub links: U32,
    /// Bytes of the links as packed.
    pub links_packed: U32,
    /// How many exports.
    pub exports: U32,
    /// Blocks of names; they reach to the end of the object.
    pub name_blocks: U32,
    /// The static `MOVES` of the crate, or [`NONE`].
    pub moves: U32,
    /// [`MUTABLE`] or zero.
    pub flags: U32,
}

/// Flag: it has variables, `.data` or `.bss`.
pub(crate) const MUTABLE: u32 = 1;

/// A symbol that others may link to.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct Export {
    pub hash: U64,
    pub offset: U32,
}

/// The names of some functions.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub(crate) struct NameBlock {
    /// Offset of the first function.
    pub first: U32,
    /// Bytes.
    pub len: U32,
    /// Where the packed bytes start, from the start of the names.
    pub at: U32,
    /// Bytes as packed.
    pub packed: U32,
}

const _: () = assert!(size_of::<Header>() == 68);
const _: () = assert!(size_of::<Export>() == 12);
const _: () = assert!(size_of::<NameBlock>() == 16);

/// Reads numbers and strings from the front of bytes; `None` at their end.
pub(crate) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(crate) fn string(&mut self, len: usize) -> Option<&'a str> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        core::str::from_utf8(bytes).ok()
    }
}

/// Unpacks an LZ4 block into the whole of `out`.
pub(crate) fn unpack(packed: &[u8], out: &mut [u8]) -> bool {
    lz4_flex::block::decompress_into(packed, out).is_ok_and(|len| len == out.len())
}
