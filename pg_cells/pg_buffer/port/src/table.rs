//! The page table: which frame holds which page.
//!
//! Buckets are chains through the frames' `next` links. Looking up takes no
//! lock: a frame that moves to another chain meanwhile can lead the search
//! astray, so a miss is only believed under the bucket's lock, and a hit only
//! when the tag is still there after pinning.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};
use frame::{Arena, Frame};
use sync::{SpinLock, SpinLockGuard};

const NONE: u32 = u32::MAX;
/// A search without a lock gives up after so many steps.
const STEPS: usize = 32;
const LOCKS: usize = 128;

/// The table.
#[derive(Debug)]
pub struct PageTable {
    buckets: Box<[AtomicU32]>,
    locks: Box<[SpinLock<()>]>,
    shift: u32,
}

impl PageTable {
    /// An empty table for `frames` frames.
    #[must_use]
    pub fn new(frames: usize) -> Self {
        let buckets = (frames.max(8) * 2).next_power_of_two();
        PageTable {
            buckets: (0..buckets).map(|_| AtomicU32::new(NONE)).collect(),
            locks: (0..LOCKS).map(|_| SpinLock::new(())).collect(),
            shift: 64 - buckets.trailing_zeros(),
        }
    }

    #[inline]
    fn bucket(&self, tag: u64) -> usize {
        // Fibonacci hashing (Knuth, TAOCP 3, 6.4); the file's bits are folded in.
        ((tag ^ (tag >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    fn lock(&self, bucket: usize) -> SpinLockGuard<'_, ()> {
        self.locks[bucket % LOCKS].lock()
    }

    #[inline]
    fn walk(&self, frames: &[Frame], bucket: usize, tag: u64, steps: usize) -> Option<u32> {
        let mut at = self.buckets[bucket].load(Ordering::Acquire);
        for _ in 0..steps {
            let frame = frames.get(at as usize)?;
            if frame.tag.load(Ordering::Acquire) == tag {
                return Some(at);
            }
            at = frame.next.load(Ordering::Acquire);
        }
        None
    }

    /// The frame that seems to hold `tag`. None may be wrong.
    #[inline]
    #[must_use]
    pub fn look(&self, arena: &Arena, tag: u64) -> Option<u32> {
        self.walk(arena.frames(), self.bucket(tag), tag, STEPS)
    }

    /// The frame that holds `tag`.
    #[must_use]
    pub fn find(&self, arena: &Arena, tag: u64) -> Option<u32> {
        let bucket = self.bucket(tag);
        let _lock = self.lock(bucket);
        self.walk(arena.frames(), bucket, tag, usize::MAX)
    }

    /// Enters the claimed frame `index` for `tag`, which it gets.
    ///
    /// # Errors
    /// The frame that holds the tag already.
    pub fn link(&self, arena: &Arena, tag: u64, index: u32) -> Result<(), u32> {
        let bucket = self.bucket(tag);
        let _lock = self.lock(bucket);
        if let Some(other) = self.walk(arena.frames(), bucket, tag, usize::MAX) {
            return Err(other);
        }
        if let Some(frame) = arena.frames().get(index as usize) {
            let head = self.buckets[bucket].load(Ordering::Relaxed);
            frame.next.store(head, Ordering::Release);
            frame.tag.store(tag, Ordering::SeqCst);
            self.buckets[bucket].store(index, Ordering::Release);
        }
        Ok(())
    }

    /// Takes frame `index` out if it holds `tag`; it holds nothing then.
    pub fn unlink(&self, arena: &Arena, tag: u64, index: u32) -> bool {
        let frames = arena.frames();
        let Some(frame) = frames.get(index as usize) else {
            return false;
        };
        let bucket = self.bucket(tag);
        let _lock = self.lock(bucket);
        if frame.tag.load(Ordering::SeqCst) != tag {
            return false;
        }
        let after = frame.next.load(Ordering::Relaxed);
        let mut link = &self.buckets[bucket];
        loop {
            let at = link.load(Ordering::Relaxed);
            if at == index {
                link.store(after, Ordering::Release);
                frame.tag.store(frame::NO_TAG, Ordering::SeqCst);
                return true;
            }
            match frames.get(at as usize) {
                Some(other) => link = &other.next,
                None => return false,
            }
        }
    }
}
