//! Rows and keys of the simulation.
//!
//! ```text
//!  0          4          12                20        21
//!  | id (BE)  | tag      | tag it replaced | group   | filler, by the tag ...
//! ```

use crate::model::Tag;

const HEADER: usize = 21;

/// A row's bytes.
#[must_use]
pub fn make(id: u32, tag: Tag, before: Tag, group: u8, filler: usize) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEADER + filler);
    row.extend_from_slice(&id.to_be_bytes());
    row.extend_from_slice(&tag.to_le_bytes());
    row.extend_from_slice(&before.to_le_bytes());
    row.push(group);
    row.resize(HEADER + filler, tag as u8);
    row
}

/// Its id.
#[must_use]
pub fn id(row: &[u8]) -> u32 {
    let bytes = row.first_chunk().copied();
    bytes.map_or(u32::MAX, u32::from_be_bytes)
}

/// Its tag.
#[must_use]
pub fn tag(row: &[u8]) -> Tag {
    let bytes = row.get(4..).and_then(|r| r.first_chunk().copied());
    bytes.map_or(0, u64::from_le_bytes)
}

/// Its group.
#[must_use]
pub fn group(row: &[u8]) -> u8 {
    row.get(20).copied().unwrap_or(0)
}

/// How many groups there are.
pub const GROUPS: u64 = 6;

/// The key of the unique index: with so much behind the id that its pages empty
/// when a stretch of ids goes.
#[must_use]
pub fn id_key(id: u32) -> Vec<u8> {
    let mut key = id.to_be_bytes().to_vec();
    key.resize(120, b'i');
    key
}

/// The key of the other index: long, so that its pages split often.
#[must_use]
pub fn group_key(group: u8) -> Vec<u8> {
    let mut key = vec![b'g'; 150];
    key.push(group);
    key
}
