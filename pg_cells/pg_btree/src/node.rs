//! A tree page's layout.
//!
//! ```text
//! header | pointers, in the order of the entries ... free ... items | special
//!
//! leaf item       tid u48 | key                 an entry
//! inner item      tid u48 | child u32 | key     the least (key, tid) below child
//! special         link u32 | level u16 | high_len u16 | [stamp u64] | high: tid u48 | key
//! header flags    1 free   2 stamp is there   4 (root) link is the first free page
//! ```
//! - The *position* of an entry is (key, tid): keys compare as bytes, then tids
//!   as numbers (block, then slot).
//! - `high` is above every position on the page and at most every position to
//!   its right; absent (`high_len` 0) on the rightmost page of a level. It never
//!   changes but by a split.
//! - `link` is the next page of the level, 0 for none: page 0 is the root, and
//!   stays where it is when the tree grows.
//! - A *free* page belongs to no level; its link is the next free page. The root,
//!   which has no page to its right, links to the first one.
//! - `stamp` is where the log stood when a free page was taken into use again: a
//!   link to it that is older leads to what it was before (`free.rs`).
//! - An item pointer in state dead is a *killed* entry: its row is dead to all
//!   snapshots. A hint: set without the log, and it may be lost.
//! - The first item of the leftmost inner page of a level has the least position
//!   there is: the empty key and tid 0.

use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_page::slots::{self, POINTER_SIZE};
use pg_page::{HEADER_SIZE, PAGE_SIZE, Page, get_u16, get_u32, get_u64, header};

/// The kind of tree pages.
pub const KIND: u8 = 17;
/// The page that is always the root.
pub const ROOT: u32 = 0;
/// Bytes of an inner or leaf item before the key.
pub(crate) const TID: usize = 6;
pub const CHILD: usize = 4;
pub(crate) const SPECIAL: usize = 8;
pub(crate) const STAMP: usize = 8;
/// Header flag: the page is free.
pub(crate) const FREE: u16 = 1;
/// Header flag: the stamp is there.
pub(crate) const STAMPED: u16 = 2;
/// Header flag of the root: its link leads to the first free page.
pub(crate) const LIST: u16 = 4;
/// The bit that makes a pointer's state dead out of normal.
pub(crate) const KILLED: u32 = 1 << 16;
/// Bytes for pointers, items and special space.
pub const CAPACITY: usize = PAGE_SIZE - HEADER_SIZE;

/// Where an entry stands in the tree's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its tid, packed; above all of them for what stands behind a key.
    pub tid: u64,
}

impl<'a> Position<'a> {
    /// Before everything.
    pub const LEAST: Position<'static> = Position { key: &[], tid: 0 };

    /// Before all entries of `key`.
    pub fn before(key: &'a [u8]) -> Self {
        Position { key, tid: 0 }
    }

    /// Behind all entries of `key`.
    pub fn behind(key: &'a [u8]) -> Self {
        Position { key, tid: u64::MAX }
    }

    /// The same, on its own memory.
    pub fn to_owned(self) -> Bound {
        Bound {
            key: self.key.to_vec(),
            tid: self.tid,
        }
    }
}

impl PartialOrd for Position<'_> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Position<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(other.key).then(self.tid.cmp(&other.tid))
    }
}

/// A position on its own memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bound {
    /// The key.
    pub key: Vec<u8>,
    /// The tid, packed.
    pub tid: u64,
}

impl Bound {
    /// As a position.
    pub fn position(&self) -> Position<'_> {
        Position {
            key: &self.key,
            tid: self.tid,
        }
    }
}

/// An item, of a leaf or (with a child) of an inner page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Its position.
    pub at: Bound,
    /// The page below, for an inner item.
    pub child: Option<u32>,
}

impl Item {
    /// Its bytes on a page, without the pointer.
    pub fn size(&self) -> usize {
        TID + self.child.map_or(0, |_| CHILD) + self.at.key.len()
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at.tid.to_le_bytes()[..TID]);
        if let Some(child) = self.child {
            out.extend_from_slice(&child.to_le_bytes());
        }
        out.extend_from_slice(&self.at.key);
    }
}

/// A page of the tree, for reading.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    page: &'a Page,
    special: &'a [u8],
    flags: u16,
    level: u16,
    len: u16,
}

impl<'a> Node<'a> {
    /// The page as a tree page; none when it is not one.
    #[inline]
    pub fn new(page: &'a Page) -> Option<Self> {
        let special = header::special_space(page);
        if header::kind(page) != KIND || special.len() < SPECIAL {
            return None;
        }
        Some(Node {
            page,
            special,
            flags: header::flags(page),
            level: get_u16(special, 4),
            len: slots::count(page),
        })
    }

    /// 0 for leaves.
    #[inline]
    pub fn level(&self) -> u16 {
        self.level
    }

    /// Whether it is a leaf.
    #[inline]
    pub fn is_leaf(&self) -> bool {
        self.level == 0
    }

    fn link(&self) -> Option<u32> {
        Some(get_u32(self.special, 0)).filter(|r| *r != ROOT)
    }

    /// The next page of the level.
    #[inline]
    pub fn right(&self) -> Option<u32> {
        self.link().filter(|_| self.flags & (FREE | LIST) == 0)
    }

    /// Whether it belongs to no level.
    #[inline]
    pub fn is_free(&self) -> bool {
        self.flags & FREE != 0
    }

    /// The free page to which the root or a free page links.
    pub fn next_free(&self) -> Option<u32> {
        self.link().filter(|_| self.flags & (FREE | LIST) != 0)
    }

    /// Where the log stood when it was taken into use again.
    pub fn stamp(&self) -> Option<u64> {
        (self.flags & STAMPED != 0).then(|| get_u64(self.special, SPECIAL))
    }

    /// Whether a link that was read when the log stood at `since`, or later, need
    /// not have meant what the page is now: it is free, or was since.
    #[inline]
    pub fn is_other_than(&self, since: u64) -> bool {
        self.flags & (FREE | STAMPED) != 0
            && (self.is_free() || self.stamp().is_some_and(|stamp| stamp > since))
    }

    /// The bound of its positions; none on the rightmost page.
    #[inline]
    pub fn high(&self) -> Option<Position<'a>> {
        let len = usize::from(get_u16(self.special, 6));
        let start = SPECIAL + if self.flags & STAMPED != 0 { STAMP } else { 0 };
        let bytes = self.special.get(start..start + len)?;
        let (tid, key) = bytes.split_at_checked(TID)?;
        Some(Position {
            key,
            tid: tid_of(tid),
        })
    }

    /// Whether `at` belongs on a page to the right.
    #[inline]
    pub fn is_left_of(&self, at: Position<'_>) -> bool {
        self.high().is_some_and(|high| at >= high)
    }

    /// How many items there are.
    #[inline]
    pub fn len(&self) -> u16 {
        self.len
    }

    /// The position of item `index` (from 0); the least one when there is no
    /// such item.
    #[inline]
    pub fn position(&self, index: u16) -> Position<'a> {
        let Some((tid, rest)) = self.item_bytes(index) else {
            return Position::LEAST;
        };
        let key = if self.is_leaf() {
            rest
        } else {
            rest.get(CHILD..).unwrap_or(&[])
        };
        Position { key, tid }
    }

    #[inline]
    fn item_bytes(&self, index: u16) -> Option<(u64, &'a [u8])> {
        // Every slot of a tree page points to an item.
        let word = get_u32(self.page, HEADER_SIZE + usize::from(index) * POINTER_SIZE);
        let (start, len) = ((word & 0x7FFF) as usize, (word >> 17) as usize);
        let (tid, rest) = self.page.get(start..start + len)?.split_at_checked(TID)?;
        Some((tid_of(tid), rest))
    }

    /// Whether an entry was killed.
    #[inline]
    pub fn is_killed(&self, index: u16) -> bool {
        get_u32(self.page, slots::pointer_offset(index + 1)) & KILLED != 0
    }

    /// The page below item `index`, on an inner page.
    #[inline]
    pub fn child(&self, index: u16) -> Option<u32> {
        let (_, rest) = self.item_bytes(index)?;
        rest.first_chunk().map(|c| u32::from_le_bytes(*c))
    }

    /// How many items stand before `at`.
    #[inline]
    pub fn count_before(&self, at: Position<'_>) -> u16 {
        let wanted = prefix(at.key);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let before = match self.prefix(middle) {
                Some(found) if found != wanted => found < wanted,
                _ => self.position(middle) < at,
            };
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The [`prefix`] of an item's key; none when it lies too near the page's
    /// end to be read in one access.
    #[inline]
    fn prefix(&self, index: u16) -> Option<u64> {
        let head = TID + if self.is_leaf() { 0 } else { CHILD };
        let word = get_u32(self.page, HEADER_SIZE + usize::from(index) * POINTER_SIZE);
        let (start, len) = ((word & 0x7FFF) as usize, (word >> 17) as usize);
        let bytes = self.page.get(start + head..)?.first_chunk()?;
        let len = len.saturating_sub(head);
        let beyond = if len < 8 { u64::MAX >> (8 * len) } else { 0 };
        Some(u64::from_be_bytes(*bytes) & !beyond)
    }

    /// The item of an inner page below which `at` is found, or (`strictly`)
    /// below which the last position before `at` is.
    #[inline]
    pub fn branch(&self, at: Position<'_>, strictly: bool) -> u16 {
        let before = self.count_before(at);
        if !strictly && before < self.len() && self.position(before) == at {
            return before;
        }
        before.saturating_sub(1)
    }

    /// All items, on their own memory.
    pub fn items(&self) -> Vec<Item> {
        let own = |index| Item {
            at: self.position(index).to_owned(),
            child: if self.is_leaf() {
                None
            } else {
                self.child(index)
            },
        };
        (0..self.len()).map(own).collect()
    }

    /// Whether an entry with this key fits as one more, on a leaf.
    pub fn has_room_for(&self, key: &[u8]) -> bool {
        TID + key.len() + POINTER_SIZE <= header::free_space(self.page)
    }

    /// Whether `item` fits as one more.
    pub fn has_room(&self, item: &Item) -> bool {
        item.size() + POINTER_SIZE <= header::free_space(self.page)
    }
}

/// The first eight bytes of a key, with zeros behind a shorter one. Two of them
/// that differ are in the order of their keys: where they first differ, one byte
/// is greater than zero, and the other key has a lesser one there or has ended.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

#[inline]
fn tid_of(bytes: &[u8]) -> u64 {
    let low = get_u32(bytes, 0);
    let high = get_u16(bytes, 4);
    u64::from(low) | u64::from(high) << 32
}
