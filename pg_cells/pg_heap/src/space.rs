//! Where the next row goes: a memory of pages with room, per file.
//!
//! Each of a few lanes (a transaction's place decides which) fills a page of its
//! own, so that sessions do not stand in line for one. When a lane's page is
//! full it takes a page that pruning or vacuum has found roomy, else the file
//! grows. After a start only the last page is known; vacuum finds the rest.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use hashbrown::HashMap;
use pg_heap_port::FileId;
use sync::SpinLock;

const LANES: usize = 8;
const NONE: u32 = u32::MAX;
/// A page is worth remembering with this much room: more than updates of its rows
/// keep in reserve.
pub const ROOMY: usize = 2048;
/// How many roomy pages a file remembers.
const MOST: usize = 1 << 16;

/// The memory of all files.
#[derive(Default)]
pub struct Space {
    files: SpinLock<HashMap<FileId, Arc<FileSpace>>>,
}

/// The memory of one file.
pub struct FileSpace {
    lanes: [AtomicU32; LANES],
    roomy: SpinLock<BTreeSet<u32>>,
}

impl Space {
    /// The memory of `file`.
    pub fn file(&self, file: FileId) -> Arc<FileSpace> {
        let mut files = self.files.lock();
        if let Some(known) = files.get(&file) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(FileSpace {
            lanes: [const { AtomicU32::new(NONE) }; LANES],
            roomy: SpinLock::new(BTreeSet::new()),
        });
        files.insert(file, Arc::clone(&fresh));
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
    fn add(&self, block: u32) {
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

    /// Takes a roomy page that no lane fills.
    pub fn take(&self) -> Option<u32> {
        let block = self.roomy.lock().pop_first()?;
        let taken = self
            .lanes
            .iter()
            .any(|l| l.load(Ordering::Relaxed) == block);
        (!taken).then_some(block)
    }

    /// Whether no lane has begun yet: after a start.
    pub fn is_new(&self) -> bool {
        self.lanes.iter().all(|l| l.load(Ordering::Relaxed) == NONE)
    }
}
