//! The page header: fields, first setting up, checksum.

use crate::{HEADER_SIZE, LAYOUT_VERSION, PAGE_SIZE, Page, get_u16, get_u32, get_u64};

/// Where the fields lie.
pub mod at {
    /// Checksum, u32.
    pub const CHECKSUM: usize = 0;
    /// Flags, u16; the owner's.
    pub const FLAGS: usize = 4;
    /// Layout version, u8.
    pub const VERSION: usize = 6;
    /// Kind, u8; the owner's.
    pub const KIND: usize = 7;
    /// Log position, u64.
    pub const LSN: usize = 8;
    /// End of the item pointers, u16.
    pub const LOWER: usize = 16;
    /// Start of the items, u16.
    pub const UPPER: usize = 18;
    /// Start of the special space, u16.
    pub const SPECIAL: usize = 20;
}

/// The stored checksum.
#[inline]
#[must_use]
pub fn checksum(page: &Page) -> u32 {
    get_u32(page, at::CHECKSUM)
}

/// The owner's flags.
#[inline]
#[must_use]
pub fn flags(page: &Page) -> u16 {
    get_u16(page, at::FLAGS)
}

/// The page's kind: what its owner says it is; 0 for a page not set up yet.
#[inline]
#[must_use]
pub fn kind(page: &Page) -> u8 {
    page[at::KIND]
}

/// The layout version; 0 for a page not set up yet.
#[inline]
#[must_use]
pub fn version(page: &Page) -> u8 {
    page[at::VERSION]
}

/// End of the log record of the last change.
#[inline]
#[must_use]
pub fn lsn(page: &Page) -> u64 {
    get_u64(page, at::LSN)
}

/// Stamps the log position.
#[inline]
pub fn set_lsn(page: &mut Page, lsn: u64) {
    page[at::LSN..at::LSN + 8].copy_from_slice(&lsn.to_le_bytes());
}

/// End of the item pointers.
#[inline]
#[must_use]
pub fn lower(page: &Page) -> u16 {
    get_u16(page, at::LOWER)
}

/// Start of the items.
#[inline]
#[must_use]
pub fn upper(page: &Page) -> u16 {
    get_u16(page, at::UPPER)
}

/// Start of the special space.
#[inline]
#[must_use]
pub fn special(page: &Page) -> u16 {
    get_u16(page, at::SPECIAL)
}

/// The special space at the page's end; empty for a page not set up yet or with
/// a bad pointer.
#[inline]
#[must_use]
pub fn special_space(page: &Page) -> &[u8] {
    match usize::from(special(page)) {
        0 => &[],
        start => page.get(start..).unwrap_or(&[]),
    }
}

/// Free bytes between item pointers and items; 0 when the header makes no
/// sense.
#[inline]
#[must_use]
pub fn free_space(page: &Page) -> usize {
    usize::from(upper(page)).saturating_sub(usize::from(lower(page)))
}

/// Whether the pointers of the header are in order, as they are on every page
/// that was set up.
#[must_use]
pub fn is_sane(page: &Page) -> bool {
    let (lower, upper) = (usize::from(lower(page)), usize::from(upper(page)));
    let special = usize::from(special(page));
    lower >= HEADER_SIZE && lower <= upper && upper <= special && special <= PAGE_SIZE
}

/// Sets a page up: all zero but the header, with `special_size` bytes of special
/// space (rounded up to 8, at most the content). The log position is kept.
pub fn init(page: &mut Page, kind: u8, special_size: u16) {
    let lsn = lsn(page);
    page.fill(0);
    set_lsn(page, lsn);
    let special_size = usize::from(special_size)
        .next_multiple_of(8)
        .min(PAGE_SIZE - HEADER_SIZE);
    let special = ((PAGE_SIZE - special_size) as u16).to_le_bytes();
    page[at::VERSION] = LAYOUT_VERSION;
    page[at::KIND] = kind;
    page[at::LOWER..at::LOWER + 2].copy_from_slice(&(HEADER_SIZE as u16).to_le_bytes());
    page[at::UPPER..at::UPPER + 2].copy_from_slice(&special);
    page[at::SPECIAL..at::SPECIAL + 2].copy_from_slice(&special);
}

/// The checksum that `page` has at the address `id` (any number that tells pages
/// apart).
#[must_use]
pub fn compute_checksum(page: &Page, id: u64) -> u32 {
    let start = checksum::crc32c(0, &id.to_le_bytes());
    let field = checksum::crc32c(start, &[0; 4]);
    checksum::crc32c(field, &page[4..])
}

/// Writes the checksum for the address `id`.
pub fn seal(page: &mut Page, id: u64) {
    let sum = compute_checksum(page, id);
    page[at::CHECKSUM..at::CHECKSUM + 4].copy_from_slice(&sum.to_le_bytes());
}

/// Whether the stored checksum is the one for the address `id`.
#[must_use]
pub fn is_intact(page: &Page, id: u64) -> bool {
    checksum(page) == compute_checksum(page, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_page_is_sane_and_keeps_its_lsn() {
        let mut page = [7; PAGE_SIZE];
        set_lsn(&mut page, 99);
        init(&mut page, 3, 13);
        assert!(is_sane(&page));
        assert_eq!((kind(&page), version(&page), lsn(&page)), (3, 1, 99));
        assert_eq!(special_space(&page).len(), 16);
        assert_eq!(free_space(&page), PAGE_SIZE - HEADER_SIZE - 16);
    }

    #[test]
    fn a_seal_holds_for_one_address_and_no_flipped_bit() {
        let mut page = [0; PAGE_SIZE];
        init(&mut page, 1, 0);
        seal(&mut page, 42);
        assert!(is_intact(&page, 42));
        assert!(!is_intact(&page, 43));
        page[5000] ^= 1;
        assert!(!is_intact(&page, 42));
    }
}
