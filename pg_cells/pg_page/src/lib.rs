//! Layouts of database bytes: the page, its header and item pointers, and the
//! operations by which pages are changed and replayed.
//!
//! Everything here is a checked view over plain bytes: total functions, no
//! state, no port. Every number on disk is little-endian.
//!
//! ```text
//!  page, 8192 bytes
//!  0         4      6        7     8        16       18       20        22
//!  +---------+------+--------+-----+--------+--------+--------+---------+----------+
//!  | checksum| flags| layout | kind| lsn    | lower  | upper  | special | reserved |
//!  | u32     | u16  | u8     | u8  | u64    | u16    | u16    | u16     | u16      |
//!  +---------+------+--------+-----+--------+--------+--------+---------+----------+
//!  24  item pointers, growing up ... lower
//!                                  (free)
//!      upper ... items, growing down ... special ... 8192
//! ```
//!
//! - `checksum`: CRC-32C of the page with this field zero, started from the
//!   page's address, so that a page written to the wrong place is found. Valid
//!   on disk only; in memory it is whatever was read.
//! - `lsn`: end of the log record of the page's last change; 0 for a page that
//!   was never changed. The log up to here is durable before the page is written.
//! - `lower`, `upper`, `special` are kept by the page's owner (heap, tree, ...);
//!   an all-zero page is a valid page of kind 0 without items.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod header;
pub mod maps;
pub mod ops;
pub mod slots;
pub mod superblock;
pub mod tuple_header;

/// Bytes of a page.
pub const PAGE_SIZE: usize = 8192;
/// Bytes of the page header; content starts here.
pub const HEADER_SIZE: usize = 24;
/// The layout version written into new pages.
pub const LAYOUT_VERSION: u8 = 1;

/// A page's bytes.
pub type Page = [u8; PAGE_SIZE];

/// Reads a little-endian u16; 0 when it would lie outside.
#[inline]
#[must_use]
pub fn get_u16(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |b| u16::from_le_bytes(*b))
}

/// Reads a little-endian u32; 0 when it would lie outside.
#[inline]
#[must_use]
pub fn get_u32(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |b| u32::from_le_bytes(*b))
}

/// Reads a little-endian u64; 0 when it would lie outside.
#[inline]
#[must_use]
pub fn get_u64(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |b| u64::from_le_bytes(*b))
}
