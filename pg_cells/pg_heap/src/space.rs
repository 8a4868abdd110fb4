//! Where the next row goes, per file.
//!
//! Each of a few lanes (a transaction's place decides which) fills a page of its
//! own, so that sessions do not stand in line for one. When a lane's page is full
//! it takes one that pruning has found roomy since (a memory of blocks), then one
//! that the free space map names, else the file grows.
//!
//! A search of the map goes on where the last one found something, whoever asked,
//! so no two sessions are sent to one page; a search for large rows goes on by
//! itself. At the map's end the search is over until a vacuum has written the map
//! anew: everything it says has been tried by then. `free_space` reads and writes
//! the map.

use crate::free_space;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use hashbrown::HashMap;
use pg_heap_port::{FileId, HeapError};
use sync::SpinLock;

const LANES: usize = 8;
const NONE: u32 = u32::MAX;
/// A page is worth remembering with this much room: more than updates of its rows
/// keep in reserve.
pub const ROOMY: usize = 2048;
/// How many roomy pages a file remembers.
const MOST: usize = 1 << 16;
/// How many files are remembered before those that nobody uses are forgotten. Files come
/// and go, and nobody says here that one has gone; what was known of a file that is still
/// there its map tells again.
const MOST_FILES: usize = 512;
/// How many searches of a map there are: for room of up to so many bytes.
const SEARCHES: [usize; 3] = [ROOMY, 2 * ROOMY, usize::MAX];
/// How many pages are remembered of which the map says too much.
const MOST_WRONG: usize = 64;

/// The memory of all files.
#[derive(Default)]
pub struct Space {
    files: SpinLock<HashMap<FileId, Arc<FileSpace>>>,
}

/// The memory of one file.
pub struct FileSpace {
    file: FileId,
    lanes: [AtomicU32; LANES],
    roomy: SpinLock<BTreeSet<u32>>,
    /// The block from which each search goes on.
    next: [AtomicU32; SEARCHES.len()],
    /// Blocks that the map named, with the room they have.
    wrong: SpinLock<Vec<(u32, usize)>>,
    some_wrong: AtomicBool,
}

impl Space {
    /// The memory of `file`.
    pub fn file(&self, file: FileId) -> Arc<FileSpace> {
        let mut gone = HashMap::new();
        let mut files = self.files.lock();
        if let Some(known) = files.get(&file) {
            return Arc::clone(known);
        }
        if files.len() >= MOST_FILES {
            let used = |known: &Arc<FileSpace>| Arc::strong_count(known) > 1;
            gone = core::mem::take(&mut *files);
            files.extend(gone.extract_if(|_, known| used(known)));
        }
        let fresh = Arc::new(FileSpace {
            file,
            lanes: [const { AtomicU32::new(NONE) }; LANES],
            roomy: SpinLock::new(BTreeSet::new()),
            next: [const { AtomicU32::new(0) }; SEARCHES.len()],
            wrong: SpinLock::new(Vec::new()),
            some_wrong: AtomicBool::new(false),
        });
        files.insert(file, Arc::clone(&fresh));
        drop(files);
        // Freeing takes time, and needs no lock.
        drop(gone);
        fresh
    }

    /// Notes a page that has `free` bytes free.
    pub fn found(&self, file: FileId, block: u32, free: usize) {
        if free >= ROOMY {
            self.file(file).add(block);
        }
    }
}

impl FileSpace {
    /// Notes a page that may have room.
    pub fn add(&self, block: u32) {
        let mut roomy = self.roomy.lock();
        if roomy.len() < MOST {
            roomy.insert(block);
        }
    }

    /// The page that the lane of `place` fills.
    pub fn current(&self, place: u32) -> Option<u32> {
        let block = self.lanes[place as usize % LANES].load(Ordering::Relaxed);
        (block != NONE).then_some(block)
    }

    /// Lets the lane of `place` fill `block`.
    pub fn set_current(&self, place: u32, block: u32) {
        self.lanes[place as usize % LANES].store(block, Ordering::Relaxed);
    }

    fn is_taken(&self, block: u32) -> bool {
        self.lanes
            .iter()
            .any(|l| l.load(Ordering::Relaxed) == block)
    }

    /// Takes a page that may have room for `len` bytes and that no lane fills.
    pub fn take(&self, len: usize) -> Result<Option<u32>, HeapError> {
        while let Some(block) = self.pop_roomy() {
            if !self.is_taken(block) {
                return Ok(Some(block));
            }
        }
        let which = SEARCHES.iter().position(|most| len <= *most).unwrap_or(0);
        let next = &self.next[which];
        loop {
            let from = next.load(Ordering::Relaxed);
            if from == NONE {
                return Ok(None);
            }
            let found = free_space::find(self.file, from, len.max(ROOMY))?;
            let after = found.map_or(NONE, |block| block.saturating_add(1));
            if next
                .compare_exchange(from, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
            {
                continue;
            }
            match found {
                Some(block) if self.is_taken(block) => {}
                found => return Ok(found),
            }
        }
    }

    fn pop_roomy(&self) -> Option<u32> {
        self.roomy.lock().pop_first()
    }

    /// Whether no lane has begun yet: after a start.
    pub fn is_new(&self) -> bool {
        self.lanes.iter().all(|l| l.load(Ordering::Relaxed) == NONE)
    }

    /// Notes that a page has `free` bytes only, which the map may not know.
    pub fn is_full(&self, block: u32, free: usize) {
        let mut wrong = self.wrong.lock();
        if wrong.len() < MOST_WRONG {
            wrong.push((block, free));
            self.some_wrong.store(true, Ordering::Relaxed);
        }
    }

    /// Tells the map what has turned out to be wrong in it. With no page latched.
    #[inline]
    pub fn settle(&self) {
        if self.some_wrong.load(Ordering::Relaxed) {
            self.correct();
        }
    }

    #[cold]
    fn correct(&self) {
        self.some_wrong.store(false, Ordering::Relaxed);
        let wrong = core::mem::take(&mut *self.wrong.lock());
        // The map is a hint, and so is a correction of it.
        let _ = free_space::correct(self.file, wrong);
    }

    /// The map was written anew: searches begin again.
    pub fn map_is_new(&self) {
        self.wrong.lock().clear();
        for next in &self.next {
            next.store(0, Ordering::Relaxed);
        }
    }

    /// Forgets pages from `pages` on.
    pub fn cut(&self, pages: u32) {
        self.roomy.lock().split_off(&pages);
        for lane in &self.lanes {
            let gone = |block| (block != NONE && block >= pages).then_some(NONE);
            let _ = lane.fetch_update(Ordering::Relaxed, Ordering::Relaxed, gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pg_buffer_port::Fork;

    #[test]
    fn files_that_nobody_uses_are_forgotten() {
        let space = Space::default();
        let file = |number| FileId::new(number, Fork::Main);
        let kept = space.file(file(1));
        kept.set_current(0, 7);
        for number in 2..10_000 {
            space.file(file(number)).set_current(0, number);
            assert!(space.files.lock().len() <= MOST_FILES);
        }
        assert_eq!(space.file(file(1)).current(0), Some(7));
    }
}
