//! The two maps of a table: how much room each of its pages has, and which of
//! them hold nothing but rows that everyone sees. Each is a file of its own
//! (`Fork::FreeSpace`, `Fork::Visibility`) of ordinary pages without items:
//!
//! ```text
//!  free space, kind 22, from byte 24     a byte for each page of the table
//!     its free bytes in units of 32, rounded down; 255 means 8160 or more
//!  visibility, kind 23, from byte 24     a bit for each page, low bits first
//!     1: all its rows are visible to everyone, and no index leads to another row
//! ```
//! An all-zero page is an empty map, and so is one that does not exist. The first
//! map may say anything: who follows it looks at the page. The second never says 1
//! of a page for which it is not true.

use crate::{HEADER_SIZE, PAGE_SIZE, Page};

/// The kind of pages of the free space map.
pub const FREE_SPACE_KIND: u8 = 22;
/// The kind of pages of the visibility map.
pub const VISIBILITY_KIND: u8 = 23;

const BYTES: u32 = (PAGE_SIZE - HEADER_SIZE) as u32;
/// Free bytes that one step of a category stands for.
const UNIT: usize = 32;

/// The map of free space.
pub mod free_space {
    use super::{BYTES, HEADER_SIZE, Page, UNIT};

    /// Pages of the table that one page of the map describes.
    pub const PER_PAGE: u32 = BYTES;

    /// The map's page that describes `block`, and the byte.
    #[must_use]
    pub const fn place(block: u32) -> (u32, usize) {
        (block / PER_PAGE, HEADER_SIZE + (block % PER_PAGE) as usize)
    }

    /// What a page with so many free bytes is noted as.
    #[must_use]
    pub fn category(free: usize) -> u8 {
        u8::try_from(free / UNIT).unwrap_or(u8::MAX)
    }

    /// The least category of pages that surely have `wanted` bytes; none has more
    /// than 8160.
    #[must_use]
    pub fn wanted(wanted: usize) -> u8 {
        u8::try_from(wanted.div_ceil(UNIT)).unwrap_or(u8::MAX)
    }

    /// The free bytes that a category promises.
    #[must_use]
    pub fn promised(category: u8) -> usize {
        usize::from(category) * UNIT
    }

    /// The first place on the map's page, from the one of `block` on, that has
    /// the category `least` or a higher one; as a block.
    #[must_use]
    pub fn find(page: &Page, block: u32, least: u8) -> Option<u32> {
        let at = place(block).1;
        let ahead = page[at..].iter().position(|category| *category >= least)?;
        block.checked_add(u32::try_from(ahead).ok()?)
    }
}

/// The visibility map.
pub mod visibility {
    use super::{BYTES, HEADER_SIZE, Page};

    /// Pages of the table that one page of the map describes.
    pub const PER_PAGE: u32 = BYTES * 8;

    /// The map's page that describes `block`, its byte there, and the bit.
    #[must_use]
    pub const fn place(block: u32) -> (u32, usize, u8) {
        let within = block % PER_PAGE;
        let byte = HEADER_SIZE + (within / 8) as usize;
        (block / PER_PAGE, byte, 1 << (within % 8))
    }

    /// What the map's page says of `block`.
    #[must_use]
    pub fn is_set(page: &Page, block: u32) -> bool {
        let (_, byte, bit) = place(block);
        page[byte] & bit != 0
    }

    /// How many bits are set on the map's page.
    #[must_use]
    pub fn count(page: &Page) -> u32 {
        page[HEADER_SIZE..].iter().map(|b| b.count_ones()).sum()
    }
}

const _: () = assert!(u8::MAX as usize * UNIT >= PAGE_SIZE - UNIT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_found_has_the_room() {
        for free in 0..PAGE_SIZE {
            let noted = free_space::category(free);
            assert!(free_space::promised(noted) <= free);
            for wanted in [free, free + 1, free / 2, 0] {
                let least = free_space::wanted(wanted);
                assert!(noted < least || free >= wanted.min(8160), "{free} {wanted}");
            }
            // At most a unit of it is not known of.
            assert!(noted == u8::MAX || noted >= free_space::wanted(free.saturating_sub(UNIT)));
        }
    }

    #[test]
    fn places_do_not_meet() {
        let mut page = [0; PAGE_SIZE];
        let last = visibility::PER_PAGE - 1;
        for block in [0, 1, 7, 8, last, last + 1, u32::MAX] {
            let (_, byte, bit) = visibility::place(block);
            assert!(!visibility::is_set(&page, block));
            page[byte] |= bit;
            assert!(visibility::is_set(&page, block));
            page[byte] = 0;
        }
        assert_eq!(visibility::place(last + 1), (1, HEADER_SIZE, 1));
        assert_eq!(visibility::place(last), (0, PAGE_SIZE - 1, 128));
        assert_eq!(free_space::place(8168), (1, HEADER_SIZE));
        page[HEADER_SIZE + 9] = 9;
        assert_eq!(free_space::find(&page, 8168, 9), Some(8168 + 9));
        assert_eq!(free_space::find(&page, 10, 1), None);
        assert_eq!(free_space::find(&page, 0, 10), None);
    }
}
