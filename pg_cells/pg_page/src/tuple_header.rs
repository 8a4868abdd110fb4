//! The header of a row's version, as the heap puts it before the row's content.
//!
//! ```text
//!  0        8        16     20     24          28        30         32
//!  +--------+--------+------+------+-----------+---------+----------+---------
//!  | xmin   | xmax   | cmin | cmax | next block| next slot| infomask | content
//!  | u64    | u64    | u32  | u32  | u32       | u16     | u16      |
//!  +--------+--------+------+------+-----------+---------+----------+---------
//! ```
//! - `xmin` made the version, in its command `cmin`.
//! - `xmax` replaced, deleted or locked it, in its command `cmax`; 0 for nobody.
//! - *next* is the address of the version that replaced it; its own address when
//!   there is none.
//! - `infomask` is a set of the [`bits`]. Some are hints: they repeat what the
//!   commit log says, are set without a log record and may be lost.
//!
//! Items start at even offsets, so that the infomask can be set in one access.
//! PostgreSQL shares one field between cmin and cmax and keeps a table for rows
//! that need both; 64-bit ids leave the header at 32 bytes even without that.

use crate::{get_u16, get_u32, get_u64};

/// Bytes of the header.
pub const SIZE: usize = 32;

/// Where the fields lie.
pub mod at {
    /// Who made it, u64.
    pub const XMIN: usize = 0;
    /// Who ended or locked it, u64.
    pub const XMAX: usize = 8;
    /// In which command it was made, u32.
    pub const CMIN: usize = 16;
    /// In which command it was ended, u32.
    pub const CMAX: usize = 20;
    /// The next version's page, u32.
    pub const NEXT_BLOCK: usize = 24;
    /// The next version's slot, u16.
    pub const NEXT_SLOT: usize = 28;
    /// The marks, u16.
    pub const INFOMASK: usize = 30;
}

/// The marks.
pub mod bits {
    /// Hint: xmin has committed.
    pub const XMIN_COMMITTED: u16 = 1 << 0;
    /// Hint: xmin has aborted.
    pub const XMIN_ABORTED: u16 = 1 << 1;
    /// Hint: xmax has committed.
    pub const XMAX_COMMITTED: u16 = 1 << 2;
    /// Hint: xmax is nobody, or has aborted, or its lock is over.
    pub const XMAX_INVALID: u16 = 1 << 3;
    /// Xmax only locks the version.
    pub const XMAX_LOCK_ONLY: u16 = 1 << 4;
    /// Where the strength of xmax's lock lies: two bits, weakest 0.
    pub const LOCK_SHIFT: u16 = 5;
    /// The strength's bits.
    pub const LOCK_MASK: u16 = 3 << LOCK_SHIFT;
    /// The next version is a HOT one: on this page, without index entries.
    pub const HOT_UPDATED: u16 = 1 << 7;
    /// No index entry leads here.
    pub const HEAP_ONLY: u16 = 1 << 8;
    /// More transactions may hold locks: the lock table knows them.
    pub const MORE_HOLDERS: u16 = 1 << 9;
    /// It was replaced, not deleted: *next* is another version.
    pub const UPDATED: u16 = 1 << 10;
    /// Where a HOT version's number in its chain lies: three bits, counted on
    /// from the version before it and around.
    pub const STEP_SHIFT: u16 = 11;
    /// The number's bits.
    pub const STEP_MASK: u16 = 7 << STEP_SHIFT;
    /// The version has one before or behind it on its page.
    pub const IN_CHAIN: u16 = HOT_UPDATED | HEAP_ONLY;
    /// The marks that only repeat the commit log.
    pub const HINTS: u16 = XMIN_COMMITTED | XMIN_ABORTED | XMAX_COMMITTED | XMAX_INVALID;
    /// Everything about xmax.
    pub const ABOUT_XMAX: u16 = XMAX_COMMITTED
        | XMAX_INVALID
        | XMAX_LOCK_ONLY
        | LOCK_MASK
        | HOT_UPDATED
        | MORE_HOLDERS
        | UPDATED;
}

/// A header's fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TupleHeader {
    /// Who made the version.
    pub xmin: u64,
    /// Who replaced, deleted or locked it.
    pub xmax: u64,
    /// In which command it was made.
    pub cmin: u32,
    /// In which command it was ended or locked.
    pub cmax: u32,
    /// The next version's page.
    pub next_block: u32,
    /// The next version's slot.
    pub next_slot: u16,
    /// The marks.
    pub infomask: u16,
}

impl TupleHeader {
    /// Reads a header; none when `item` is too short to have one.
    #[inline]
    #[must_use]
    pub fn read(item: &[u8]) -> Option<Self> {
        let bytes = item.first_chunk::<SIZE>()?;
        Some(TupleHeader {
            xmin: get_u64(bytes, at::XMIN),
            xmax: get_u64(bytes, at::XMAX),
            cmin: get_u32(bytes, at::CMIN),
            cmax: get_u32(bytes, at::CMAX),
            next_block: get_u32(bytes, at::NEXT_BLOCK),
            next_slot: get_u16(bytes, at::NEXT_SLOT),
            infomask: get_u16(bytes, at::INFOMASK),
        })
    }

    /// The number that the next HOT version of this one's chain gets, as it
    /// stands among the marks.
    #[inline]
    #[must_use]
    pub fn next_step(&self) -> u16 {
        (self.infomask & bits::STEP_MASK).wrapping_add(1 << bits::STEP_SHIFT) & bits::STEP_MASK
    }

    /// As it stands on the page.
    #[inline]
    #[must_use]
    pub fn encode(&self) -> [u8; SIZE] {
        let mut out = [0; SIZE];
        out[at::XMIN..at::XMIN + 8].copy_from_slice(&self.xmin.to_le_bytes());
        out[at::XMAX..at::XMAX + 8].copy_from_slice(&self.xmax.to_le_bytes());
        out[at::CMIN..at::CMIN + 4].copy_from_slice(&self.cmin.to_le_bytes());
        out[at::CMAX..at::CMAX + 4].copy_from_slice(&self.cmax.to_le_bytes());
        out[at::NEXT_BLOCK..at::NEXT_BLOCK + 4].copy_from_slice(&self.next_block.to_le_bytes());
        out[at::NEXT_SLOT..at::NEXT_SLOT + 2].copy_from_slice(&self.next_slot.to_le_bytes());
        out[at::INFOMASK..at::INFOMASK + 2].copy_from_slice(&self.infomask.to_le_bytes());
        out
    }

    /// Whether all of these marks are set.
    #[inline]
    #[must_use]
    pub fn has(&self, marks: u16) -> bool {
        self.infomask & marks == marks
    }

    /// The strength of xmax's lock, 0 to 3.
    #[inline]
    #[must_use]
    pub fn lock_code(&self) -> u8 {
        ((self.infomask & bits::LOCK_MASK) >> bits::LOCK_SHIFT) as u8
    }
}

/// The content behind the header; empty when there is no header.
#[inline]
#[must_use]
pub fn content(item: &[u8]) -> &[u8] {
    item.get(SIZE..).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        let header = TupleHeader {
            xmin: 0x0102_0304_0506_0708,
            xmax: u64::MAX - 1,
            cmin: 7,
            cmax: u32::MAX,
            next_block: 0xAABB_CCDD,
            next_slot: 0x1234,
            infomask: bits::HEAP_ONLY | 2 << bits::LOCK_SHIFT,
        };
        let mut item = header.encode().to_vec();
        item.extend_from_slice(b"row");
        assert_eq!(TupleHeader::read(&item), Some(header));
        assert_eq!((header.lock_code(), content(&item)), (2, &b"row"[..]));
        assert_eq!(TupleHeader::read(&item[..SIZE - 1]), None);
        assert!(header.has(bits::HEAP_ONLY) && !header.has(bits::UPDATED));
    }
}
