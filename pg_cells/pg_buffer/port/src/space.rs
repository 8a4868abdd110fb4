//! The space map in memory: which extent belongs to which file.
//!
//! On the disk it is an array of entries of 16 bytes, one for each extent, on
//! pages that change through mini-transactions like any other:
//!
//! ```text
//!  0           4               8                     12
//!  | file u32  | index u32     | used u32            | reserved u32 |
//!    0: free     place in file   pages in use of it
//! ```
//! A file is its extents in the order of their index. All but the last are in
//! use fully. An extent's pages are formatted by the log record that makes them
//! part of the file, so what lies there from before is never seen.

use crate::{FileId, Lent, PageId};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_page::superblock::{ENTRIES_PER_MAP_PAGE, MAP_ENTRY, Superblock};
use pg_page::{HEADER_SIZE, PAGE_SIZE, Page, get_u32};

/// One extent's entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// The file; 0 when free.
    pub file: u32,
    /// Which extent of the file it is.
    pub index: u32,
    /// How many of its pages are in use.
    pub used: u32,
}

impl Entry {
    /// As it stands on the page.
    #[must_use]
    pub fn encode(self) -> [u8; MAP_ENTRY] {
        let mut out = [0; MAP_ENTRY];
        out[..4].copy_from_slice(&self.file.to_le_bytes());
        out[4..8].copy_from_slice(&self.index.to_le_bytes());
        out[8..12].copy_from_slice(&self.used.to_le_bytes());
        out
    }
}

const NONE: u32 = u32::MAX;

/// The map.
#[derive(Debug, Default)]
pub struct Space {
    map_offset: u64,
    map_pages: u32,
    data_offset: u64,
    /// Pages of an extent.
    pub extent_pages: u32,
    entries: Vec<Entry>,
    files: BTreeMap<u32, Vec<u32>>,
    free: usize,
    /// Extents promised to an operation under way, not free any more.
    reserved: BTreeSet<u32>,
    /// Extents lent to others, which are free as far as the map goes.
    lent: Arc<Lent>,
    /// Where the search for a free extent starts.
    hint: usize,
}

/// The page of the space map that holds an extent's entry, and where.
#[must_use]
pub fn entry_place(extent: u32) -> (PageId, usize) {
    let page = PageId::new(FileId::SPACE_MAP, extent / ENTRIES_PER_MAP_PAGE);
    let at = (extent % ENTRIES_PER_MAP_PAGE) as usize * MAP_ENTRY;
    (page, HEADER_SIZE + at)
}

impl Space {
    /// The map of a disk, all free.
    #[must_use]
    pub fn new(disk: &Superblock) -> Self {
        let extents = disk.extents as usize;
        Space {
            map_offset: disk.map_offset,
            map_pages: disk.map_pages,
            data_offset: disk.data_offset,
            extent_pages: disk.extent_pages,
            entries: alloc::vec![Entry::default(); extents],
            files: BTreeMap::new(),
            free: extents,
            reserved: BTreeSet::new(),
            lent: Arc::default(),
            hint: 0,
        }
    }

    /// The same, while these extents are lent.
    #[must_use]
    pub fn with_lent(mut self, lent: Arc<Lent>) -> Self {
        self.lent = lent;
        self
    }

    /// How many pages the map itself has.
    #[must_use]
    pub fn map_pages(&self) -> u32 {
        self.map_pages
    }

    /// How many extents there are, and how many are free.
    #[must_use]
    pub fn extents(&self) -> (u64, u64) {
        (self.entries.len() as u64, self.free as u64)
    }

    /// Where a page lies on the disk, if it exists.
    #[must_use]
    pub fn locate(&self, id: PageId) -> Option<u64> {
        if id.file == FileId::SPACE_MAP {
            let offset = u64::from(id.block) * PAGE_SIZE as u64;
            return (id.block < self.map_pages).then_some(self.map_offset + offset);
        }
        let extents = self.files.get(&id.file.0)?;
        let within = id.block % self.extent_pages;
        let extent = *extents.get((id.block / self.extent_pages) as usize)?;
        let entry = self.entries.get(extent as usize)?;
        let page = u64::from(extent) * u64::from(self.extent_pages) + u64::from(within);
        (within < entry.used).then_some(self.data_offset + page * PAGE_SIZE as u64)
    }

    /// A file's length in pages.
    #[must_use]
    pub fn blocks(&self, file: FileId) -> Option<u32> {
        let extents = self.files.get(&file.0)?;
        let last = self.entries.get(*extents.last()? as usize)?;
        Some((extents.len() as u32 - 1) * self.extent_pages + last.used)
    }

    /// A file's extents.
    #[must_use]
    pub fn extents_of(&self, file: FileId) -> &[u32] {
        self.files.get(&file.0).map_or(&[], Vec::as_slice)
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = FileId> + '_ {
        self.files.keys().map(|file| FileId(*file))
    }

    /// An extent's entry.
    #[must_use]
    pub fn entry(&self, extent: u32) -> Entry {
        self.entries
            .get(extent as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Finds a free extent, from `near` on or wherever the last search ended, and
    /// keeps it from others until [`Space::set`] or [`Space::unreserve`].
    pub fn reserve(&mut self, near: Option<u32>) -> Option<u32> {
        let len = self.entries.len();
        let start = near.map_or(self.hint, |n| n as usize);
        let found = self.lent.look(|lent| {
            if self.free <= self.reserved.len() + lent.len() {
                return None;
            }
            let free = |at: &usize| {
                let extent = *at as u32;
                self.entries[*at].file == 0
                    && !self.reserved.contains(&extent)
                    && !lent.contains(&extent)
            };
            (0..len).map(|step| (start + step) % len).find(free)
        })?;
        self.hint = found;
        self.reserved.insert(found as u32);
        Some(found as u32)
    }

    /// Gives a reserved extent back.
    pub fn unreserve(&mut self, extent: u32) {
        self.reserved.remove(&extent);
    }

    /// Where an extent lies on the disk and how long it is, in bytes.
    #[must_use]
    pub fn place(&self, extent: u32) -> (u64, u64) {
        let len = u64::from(self.extent_pages) * PAGE_SIZE as u64;
        (self.data_offset + u64::from(extent) * len, len)
    }

    /// Sets an extent's entry, and with it what belongs to the files.
    pub fn set(&mut self, extent: u32, entry: Entry) {
        let Some(place) = self.entries.get_mut(extent as usize) else {
            return;
        };
        let old = core::mem::replace(place, entry);
        self.reserved.remove(&extent);
        self.free += usize::from(entry.file == 0);
        self.free -= usize::from(old.file == 0);
        if (old.file, old.index) == (entry.file, entry.index) {
            return;
        }
        if old.file != 0 {
            self.forget(old, extent);
        }
        // An index beyond the number of extents cannot be right; the check after
        // recovery finds the hole that is left.
        if entry.file != 0 && (entry.index as usize) < self.entries.len() {
            let extents = self.files.entry(entry.file).or_default();
            let at = entry.index as usize;
            if extents.len() <= at {
                extents.resize(at + 1, NONE);
            }
            extents[at] = extent;
        }
    }

    fn forget(&mut self, old: Entry, extent: u32) {
        let Some(extents) = self.files.get_mut(&old.file) else {
            return;
        };
        if let Some(place) = extents.get_mut(old.index as usize)
            && *place == extent
        {
            *place = NONE;
        }
        while extents.last() == Some(&NONE) {
            extents.pop();
        }
        if extents.is_empty() {
            self.files.remove(&old.file);
        }
    }

    /// Takes over what a page of the map says.
    pub fn refresh(&mut self, map_page: u32, page: &Page) {
        let first = map_page.saturating_mul(ENTRIES_PER_MAP_PAGE);
        for (at, bytes) in page[HEADER_SIZE..].chunks_exact(MAP_ENTRY).enumerate() {
            let extent = first + at as u32;
            let entry = Entry {
                file: get_u32(bytes, 0),
                index: get_u32(bytes, 4),
                used: get_u32(bytes, 8),
            };
            if self
                .entries
                .get(extent as usize)
                .is_some_and(|e| *e != entry)
            {
                self.set(extent, entry);
            }
        }
    }

    /// The extent at which the map contradicts itself, if it does.
    #[must_use]
    pub fn contradiction(&self) -> Option<u32> {
        for (file, extents) in &self.files {
            for (at, extent) in extents.iter().enumerate() {
                let entry = self.entry(*extent);
                let last = at + 1 == extents.len();
                let full = entry.used == self.extent_pages;
                let right = (entry.file, entry.index as usize) == (*file, at);
                if !right || entry.used > self.extent_pages || !(full || last) {
                    return Some(*extent);
                }
            }
        }
        let known: usize = self.files.values().map(Vec::len).sum();
        (known + self.free != self.entries.len()).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space::new(&Superblock::plan(16 << 20, None, [0; 16]).unwrap())
    }

    #[test]
    fn files_grow_shrink_and_are_located() {
        let mut space = space();
        let (file, pages) = (8, space.extent_pages);
        let entry = |index, used| Entry { file, index, used };
        let (a, b) = (space.reserve(None).unwrap(), space.reserve(None).unwrap());
        assert_ne!(a, b);
        space.set(b, entry(0, pages));
        space.set(a, entry(1, 3));
        assert_eq!(space.blocks(FileId(file)), Some(pages + 3));
        assert_eq!(space.contradiction(), None);
        let last = PageId::new(FileId(file), pages + 2);
        let offset = space.locate(last).unwrap();
        assert_eq!(
            space.locate(PageId::new(FileId(file), pages)),
            Some(offset - 2 * 8192)
        );
        assert_eq!(space.locate(PageId::new(FileId(file), pages + 3)), None);
        space.set(a, Entry::default());
        assert_eq!(space.locate(last), None);
        space.set(b, Entry::default());
        assert_eq!(
            (space.blocks(FileId(file)), space.contradiction()),
            (None, None)
        );
        assert_eq!(space.extents().0, space.extents().1);
    }

    #[test]
    fn contradictions_are_found() {
        let mut space = space();
        space.set(
            5,
            Entry {
                file: 8,
                index: 1,
                used: 1,
            },
        );
        assert_eq!(space.contradiction(), Some(NONE));
        space.set(
            6,
            Entry {
                file: 8,
                index: 0,
                used: 2,
            },
        );
        assert_eq!(space.contradiction(), Some(6));
        space.set(
            6,
            Entry {
                file: 8,
                index: 0,
                used: space.extent_pages,
            },
        );
        assert_eq!(space.contradiction(), None);
        space.set(
            7,
            Entry {
                file: 8,
                index: 1,
                used: 1,
            },
        );
        assert!(space.contradiction().is_some());
    }
}
