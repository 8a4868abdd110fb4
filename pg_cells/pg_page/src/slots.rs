//! Slotted pages: the item pointers and the items they point to.
//!
//! An item pointer is a u32: offset in bits 0 to 14, state in bits 15 and 16,
//! length in bits 17 to 31 (PostgreSQL's `ItemIdData`, 15). Slots are numbered
//! from 1, so that a row's address is never zero. Pages are changed through
//! page operations, so this module reads, and encodes what a change writes.

use crate::{HEADER_SIZE, PAGE_SIZE, Page, get_u32, header};

/// Bytes of an item pointer.
pub const POINTER_SIZE: usize = 4;

/// What a slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// Free for use.
    Unused = 0,
    /// Points to an item.
    Normal = 1,
    /// Stands for another slot, whose number is in `offset`.
    Redirect = 2,
    /// In use, without an item: something may still refer to it.
    Dead = 3,
}

/// An item pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItemPointer {
    /// Where the item starts (or the slot a redirect stands for), below 32768.
    pub offset: u16,
    /// Bytes of the item, below 32768.
    pub len: u16,
    /// What the slot is.
    pub state: State,
}

impl ItemPointer {
    /// A free slot.
    pub const UNUSED: ItemPointer = ItemPointer {
        offset: 0,
        len: 0,
        state: State::Unused,
    };

    /// A pointer to an item.
    #[must_use]
    pub fn normal(offset: u16, len: u16) -> Self {
        ItemPointer {
            offset,
            len,
            state: State::Normal,
        }
    }

    /// A pointer that stands for slot `to`.
    #[must_use]
    pub fn redirect(to: u16) -> Self {
        ItemPointer {
            offset: to,
            len: 0,
            state: State::Redirect,
        }
    }

    /// As it stands on the page.
    #[must_use]
    pub fn encode(self) -> [u8; POINTER_SIZE] {
        debug_assert!(self.offset < 0x8000 && self.len < 0x8000);
        let word = u32::from(self.offset & 0x7FFF)
            | (self.state as u32) << 15
            | u32::from(self.len & 0x7FFF) << 17;
        word.to_le_bytes()
    }

    /// From the page's word. Every word is a pointer; whether the item lies on
    /// the page is for [`item`] to say.
    #[inline]
    #[must_use]
    pub fn decode(word: u32) -> Self {
        let state = match (word >> 15) & 3 {
            0 => State::Unused,
            1 => State::Normal,
            2 => State::Redirect,
            _ => State::Dead,
        };
        ItemPointer {
            offset: (word & 0x7FFF) as u16,
            len: (word >> 17) as u16,
            state,
        }
    }
}

/// How many slots the page has: their numbers are 1 to this.
#[inline]
#[must_use]
pub fn count(page: &Page) -> u16 {
    let lower = usize::from(header::lower(page)).min(PAGE_SIZE);
    (lower.saturating_sub(HEADER_SIZE) / POINTER_SIZE) as u16
}

/// Where the pointer of slot `number` (from 1) lies on the page.
#[inline]
#[must_use]
pub fn pointer_offset(number: u16) -> usize {
    HEADER_SIZE + usize::from(number.max(1) - 1) * POINTER_SIZE
}

/// The pointer of slot `number`, if there is such a slot.
#[inline]
#[must_use]
pub fn pointer(page: &Page, number: u16) -> Option<ItemPointer> {
    (number >= 1 && number <= count(page))
        .then(|| ItemPointer::decode(get_u32(page, pointer_offset(number))))
}

/// The item of slot `number`: none when the slot is not normal or its bytes
/// would not lie between header and special space.
#[inline]
#[must_use]
pub fn item(page: &Page, number: u16) -> Option<&[u8]> {
    let pointer = pointer(page, number)?;
    let (start, len) = (usize::from(pointer.offset), usize::from(pointer.len));
    if pointer.state != State::Normal || start < HEADER_SIZE {
        return None;
    }
    page.get(start..start + len)
}

/// All slots with their numbers.
pub fn pointers(page: &Page) -> impl Iterator<Item = (u16, ItemPointer)> + '_ {
    let words = page[HEADER_SIZE..].chunks_exact(POINTER_SIZE);
    words
        .take(usize::from(count(page)))
        .zip(1..)
        .map(|(word, number)| (number, ItemPointer::decode(get_u32(word, 0))))
}

/// The first free slot.
#[must_use]
pub fn first_unused(page: &Page) -> Option<u16> {
    const STATE: u32 = 3 << 15;
    let words = page[HEADER_SIZE..].chunks_exact(POINTER_SIZE);
    let mut words = words.take(usize::from(count(page)));
    let at = words.position(|word| get_u32(word, 0) & STATE == 0)?;
    u16::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_come_back_as_they_were_written() {
        for pointer in [
            ItemPointer::UNUSED,
            ItemPointer::normal(0x7FFF, 1),
            ItemPointer::normal(24, 0x7FFF),
            ItemPointer::redirect(7),
        ] {
            let word = u32::from_le_bytes(pointer.encode());
            assert_eq!(ItemPointer::decode(word), pointer);
        }
    }

    #[test]
    fn items_outside_the_page_are_none() {
        let mut page = [0; PAGE_SIZE];
        assert_eq!(count(&page), 0);
        header::init(&mut page, 1, 0);
        page[16..18].copy_from_slice(&36u16.to_le_bytes());
        page[24..28].copy_from_slice(&ItemPointer::normal(8188, 4).encode());
        page[28..32].copy_from_slice(&ItemPointer::normal(8188, 5).encode());
        page[32..36].copy_from_slice(&ItemPointer::normal(3, 5).encode());
        assert_eq!(count(&page), 3);
        assert_eq!(item(&page, 1), Some(&[0; 4][..]));
        assert_eq!((item(&page, 2), item(&page, 3)), (None, None));
        assert_eq!((item(&page, 0), item(&page, 4)), (None, None));
        assert_eq!(pointers(&page).count(), 3);
        assert_eq!(first_unused(&page), None);
        page[28..32].copy_from_slice(&ItemPointer::UNUSED.encode());
        assert_eq!(first_unused(&page), Some(2));
        page[16..18].copy_from_slice(&u16::MAX.to_le_bytes());
        assert!(pointers(&page).count() <= usize::from(count(&page)));
    }
}
