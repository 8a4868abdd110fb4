//! The frames and their owner.
//!
//! The state word of a frame, a u32: pins in bits 0 to 19, usage in bits 20 to
//! 23, claimed in bit 31. Pinning is one compare-and-swap that also counts the
//! usage up. A claim succeeds only when there is no pin, and keeps new pins out
//! until the claimer has given the frame its new tag.

use crate::handle::{Exclusive, Pin, ReadGuard, TryRead};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use memory::{DmaRegion, DmaSlice, OutOfMemory};
use sync::RwLatch;

/// Bytes of a frame.
pub const FRAME_SIZE: usize = 8192;
/// The tag of a frame that holds nothing.
pub const NO_TAG: u64 = u64::MAX;

const PIN: u32 = 1;
const PINS: u32 = (1 << 20) - 1;
const USAGE: u32 = 1 << 20;
const USAGE_MAX: u32 = 5 << 20;
const USAGE_MASK: u32 = 15 << 20;
const CLAIMED: u32 = 1 << 31;

/// Frames are allocated in contiguous pieces of this many, or of fewer when
/// memory is scattered. Large, because the allocator writes to each piece that it
/// cuts: memory that is not used yet should not be touched either.
const PIECE: usize = 1 << 15;

/// One page frame. Its words are the pool's to use; the frame gives them no
/// meaning.
#[repr(align(64))]
#[derive(Debug)]
pub struct Frame {
    state: AtomicU32,
    /// A link of the pool's page table.
    pub next: AtomicU32,
    /// Which page it holds; changed only by a claimer or a holder of the latch.
    pub tag: AtomicU64,
    /// The pool's flags.
    pub flags: AtomicU32,
    index: u32,
    bytes: NonNull<u8>,
    pub(crate) latch: RwLatch,
    /// A word of the pool.
    pub word: AtomicU64,
    data: DmaSlice,
}

// SAFETY: `bytes` points into `data`, which the frame owns; it is dereferenced
// only through the guards, under the latch.
unsafe impl Send for Frame {}
// SAFETY: as above; the rest are atomics and Sync types.
unsafe impl Sync for Frame {}

impl Frame {
    fn new(index: u32, data: DmaSlice) -> Self {
        debug_assert_eq!(data.len(), FRAME_SIZE);
        Frame {
            state: AtomicU32::new(0),
            next: AtomicU32::new(u32::MAX),
            tag: AtomicU64::new(NO_TAG),
            flags: AtomicU32::new(0),
            index,
            bytes: data.as_ptr(),
            latch: RwLatch::new(),
            word: AtomicU64::new(0),
            data,
        }
    }

    /// Its number in the arena.
    #[inline]
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How many pins it has.
    #[inline]
    #[must_use]
    pub fn pins(&self) -> u32 {
        self.state.load(Ordering::SeqCst) & PINS
    }

    #[inline]
    pub(crate) fn bytes(&self) -> NonNull<u8> {
        self.bytes
    }

    /// The memory, for a device. Whoever lets a device write it holds the frame
    /// exclusively until the device is done.
    #[must_use]
    pub fn dma(&self) -> DmaSlice {
        self.data.clone()
    }

    #[inline]
    fn add_pin(&self, count_usage: bool) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & CLAIMED == 0 {
            let usage = if count_usage && state & USAGE_MASK < USAGE_MAX {
                USAGE
            } else {
                0
            };
            match self.state.compare_exchange_weak(
                state,
                state + PIN + usage,
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[inline]
    pub(crate) fn unpin(&self) {
        let before = self.state.fetch_sub(PIN, Ordering::SeqCst);
        debug_assert!(before & PINS > 0);
    }

    /// One visit of the clock's hand: counts the usage down. True when the frame
    /// is worth claiming: no pins and no usage left.
    pub fn visit(&self) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if state & (CLAIMED | PINS) != 0 {
                return false;
            }
            if state & USAGE_MASK == 0 {
                return true;
            }
            match self.state.compare_exchange_weak(
                state,
                state - USAGE,
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return false,
                Err(now) => state = now,
            }
        }
    }

    /// Whether nobody has it pinned and the next visit of the clock's hand would
    /// find it worth claiming.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state.load(Ordering::Relaxed) == 0
    }

    /// Whether somebody has its latch, for people and tests.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        self.latch.is_taken()
    }

    /// Whether it is being given to another page, for people and tests.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.state.load(Ordering::Relaxed) & CLAIMED != 0
    }

    /// Takes an unpinned frame out of use: no pin succeeds until
    /// [`Arena::install`] or [`Frame::unclaim`].
    pub fn claim(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state & (CLAIMED | PINS) == 0
            && self
                .state
                .compare_exchange(state, CLAIMED, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
    }

    /// Gives a claimed frame back.
    pub fn unclaim(&self) {
        self.state.store(0, Ordering::SeqCst);
    }

    fn unclaim_pinned(&self, used: bool) {
        let usage = if used { USAGE } else { 0 };
        self.state.store(PIN | usage, Ordering::SeqCst);
    }
}

/// The frames of a pool. Dropping it frees them unless a handle still exists; the
/// frames stay for ever then.
#[derive(Debug)]
pub struct Arena {
    frames: NonNull<[Frame]>,
}

// SAFETY: the arena owns its frames, which are Send and Sync.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// Allocates `count` frames. What they hold at first is anything: whoever takes
    /// a frame fills it.
    ///
    /// # Errors
    /// When there is not that much memory.
    pub fn new(count: u32) -> Result<Self, OutOfMemory> {
        let mut frames = Vec::new();
        frames
            .try_reserve_exact(count as usize)
            .map_err(|_| OutOfMemory)?;
        let mut piece = PIECE;
        while frames.len() < count as usize {
            let here = piece.min(count as usize - frames.len());
            let region = match DmaRegion::allocate_for_pool(here * FRAME_SIZE) {
                Ok(region) => region,
                Err(OutOfMemory) if piece > 1 => {
                    piece /= 2;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for at in 0..here {
                let data = DmaSlice::new(region.clone(), at * FRAME_SIZE, FRAME_SIZE)
                    .ok_or(OutOfMemory)?;
                frames.push(Frame::new(frames.len() as u32, data));
            }
        }
        let frames = NonNull::from(Box::leak(frames.into_boxed_slice()));
        Ok(Arena { frames })
    }

    /// All frames.
    #[inline]
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        // SAFETY: from a leaked box, freed in `drop` only.
        unsafe { self.frames.as_ref() }
    }

    /// Pins frame `index` if it holds `tag`.
    #[inline]
    #[must_use]
    pub fn pin(&self, index: u32, tag: u64) -> Option<Pin> {
        self.pin_counted(index, tag, true)
    }

    /// The same without counting as a use: for those who look after pages and do
    /// not want them.
    #[must_use]
    pub fn pin_quietly(&self, index: u32, tag: u64) -> Option<Pin> {
        self.pin_counted(index, tag, false)
    }

    #[inline]
    fn pin_counted(&self, index: u32, tag: u64, count_usage: bool) -> Option<Pin> {
        let frame = self.frames().get(index as usize)?;
        if !frame.add_pin(count_usage) {
            return None;
        }
        if frame.tag.load(Ordering::SeqCst) != tag {
            frame.unpin();
            return None;
        }
        // SAFETY: the frame is in an arena, and the pin was just counted.
        Some(unsafe { Pin::new(NonNull::from(frame)) })
    }

    /// Pins and read-latches frame `index` in one step if it holds `tag`.
    #[inline]
    #[must_use]
    pub fn try_read(&self, index: u32, tag: u64) -> TryRead {
        self.try_read_counted(index, tag, true)
    }

    /// The same without counting as a use: for those who read every page once.
    #[must_use]
    pub fn try_read_quietly(&self, index: u32, tag: u64) -> TryRead {
        self.try_read_counted(index, tag, false)
    }

    #[inline]
    fn try_read_counted(&self, index: u32, tag: u64, count_usage: bool) -> TryRead {
        let Some(frame) = self.frames().get(index as usize) else {
            return TryRead::Gone;
        };
        if !frame.add_pin(count_usage) {
            return TryRead::Gone;
        }
        if frame.tag.load(Ordering::SeqCst) != tag {
            frame.unpin();
            return TryRead::Gone;
        }
        if frame.latch.try_read() {
            // SAFETY: in an arena; pin and latch were just taken.
            return TryRead::Done(unsafe { ReadGuard::new(NonNull::from(frame)) });
        }
        // SAFETY: in an arena; the pin was just counted.
        TryRead::Busy(unsafe { Pin::new(NonNull::from(frame)) })
    }

    /// Pins and latches frame `index` exclusively in one step if it holds `tag`
    /// and nobody has the latch.
    #[inline]
    #[must_use]
    pub fn try_exclusive(&self, index: u32, tag: u64) -> Option<Exclusive> {
        let frame = self.frames().get(index as usize)?;
        if !frame.add_pin(true) {
            return None;
        }
        if frame.tag.load(Ordering::SeqCst) == tag && frame.latch.try_write() {
            // SAFETY: in an arena; pin and latch were just taken.
            return Some(unsafe { Exclusive::new(NonNull::from(frame)) });
        }
        frame.unpin();
        None
    }

    /// Puts the claimed frame `index` to use for `tag`, pinned once. That counts
    /// as a use only if it is `used`: a page that is read ahead, or by who reads
    /// every page once, may go at the clock's next visit.
    #[must_use]
    pub fn install(&self, index: u32, tag: u64, used: bool) -> Option<Pin> {
        let frame = self.frames().get(index as usize)?;
        frame.tag.store(tag, Ordering::SeqCst);
        frame.unclaim_pinned(used);
        // SAFETY: in an arena, with the one pin just stored.
        Some(unsafe { Pin::new(NonNull::from(frame)) })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let busy = |f: &Frame| f.state.load(Ordering::SeqCst) & PINS != 0;
        if self.frames().iter().any(busy) {
            return;
        }
        // SAFETY: from `Box::leak` in `new`. Handles count as pins, there is
        // none, and none can come: pinning needs a reference to the arena.
        drop(unsafe { Box::from_raw(self.frames.as_ptr()) });
    }
}
