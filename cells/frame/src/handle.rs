//! The handles of frames.
//!
//! A handle keeps its frame's pin count above zero, and an arena never frees its
//! frames while one is pinned; that is why handles carry no reference to the
//! arena and no count of it.
//!
//! In the ledger a handle is one entry: the frame's address and what is held,
//! which is also how it is found again when the handle is dropped.

use crate::{Bytes, FRAME_SIZE, Frame};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use task_port::with_ledger;

const PINNED: usize = 1;
const READING: usize = 2;

/// What the ledger calls for a handle whose frame of the stack is gone.
fn release(frame: usize, what: usize) {
    let frame: *const Frame = core::ptr::with_exposed_provenance(frame);
    // SAFETY: the address was entered by a handle that was never dropped, so its
    // pin is still counted and the frame is alive.
    let frame = unsafe { &*frame };
    if what == READING {
        frame.latch.unread();
    }
    frame.unpin();
}

/// What came of [`crate::Arena::try_read`].
#[derive(Debug)]
pub enum TryRead {
    /// Pinned and latched.
    Done(ReadGuard),
    /// Pinned; somebody writes.
    Busy(Pin),
    /// The frame holds something else.
    Gone,
}

/// Keeps a frame from being replaced. In the task's ledger.
#[derive(Debug)]
pub struct Pin {
    frame: NonNull<Frame>,
    /// The ledger is the task's own.
    _not_send: PhantomData<*mut Frame>,
}

impl Pin {
    /// # Safety
    /// The frame belongs to an arena and one pin of it is the caller's to give.
    #[inline]
    pub(crate) unsafe fn new(frame: NonNull<Frame>) -> Self {
        with_ledger(|l| l.enter(frame.as_ptr().expose_provenance(), PINNED, release));
        Pin {
            frame,
            _not_send: PhantomData,
        }
    }

    /// The frame.
    #[inline]
    #[must_use]
    pub fn frame(&self) -> &Frame {
        // SAFETY: pinned, so alive.
        unsafe { self.frame.as_ref() }
    }

    #[inline]
    fn leave(self) -> NonNull<Frame> {
        let this = ManuallyDrop::new(self);
        with_ledger(|l| l.leave(this.frame.as_ptr().addr(), PINNED));
        this.frame
    }

    /// The same pin outside the ledger, for an owner that is in it.
    #[must_use]
    pub fn keep(self) -> KeptPin {
        KeptPin {
            frame: self.leave(),
        }
    }

    /// Waits for the latch, shared.
    #[inline]
    #[must_use]
    pub fn read(self) -> ReadGuard {
        self.frame().latch.read();
        // SAFETY: the pin is handed over, the latch was just taken.
        unsafe { ReadGuard::new(self.leave()) }
    }

    /// Takes the latch, shared, if no writer has it.
    ///
    /// # Errors
    /// The pin itself.
    #[inline]
    pub fn try_read(self) -> Result<ReadGuard, Pin> {
        if self.frame().latch.try_read() {
            // SAFETY: as in `read`.
            Ok(unsafe { ReadGuard::new(self.leave()) })
        } else {
            Err(self)
        }
    }

    /// Waits for the latch, exclusive.
    #[inline]
    #[must_use]
    pub fn exclusive(self) -> Exclusive {
        self.frame().latch.write();
        // SAFETY: the pin is handed over, the latch was just taken.
        unsafe { Exclusive::new(self.leave()) }
    }

    /// Takes the latch, exclusive, if nobody has it.
    ///
    /// # Errors
    /// The pin itself.
    pub fn try_exclusive(self) -> Result<Exclusive, Pin> {
        if self.frame().latch.try_write() {
            // SAFETY: as in `exclusive`.
            Ok(unsafe { Exclusive::new(self.leave()) })
        } else {
            Err(self)
        }
    }
}

impl Drop for Pin {
    #[inline]
    fn drop(&mut self) {
        with_ledger(|l| l.leave(self.frame.as_ptr().addr(), PINNED));
        self.frame().unpin();
    }
}

/// A pin that is not in the ledger: keep it inside a `task_port::Held`.
#[derive(Debug)]
pub struct KeptPin {
    frame: NonNull<Frame>,
}

// SAFETY: a pin is a count; any task may give it back.
unsafe impl Send for KeptPin {}

impl KeptPin {
    /// The frame.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        // SAFETY: pinned, so alive.
        unsafe { self.frame.as_ref() }
    }
}

impl Drop for KeptPin {
    fn drop(&mut self) {
        self.frame().unpin();
    }
}

/// A pinned frame whose bytes nobody changes meanwhile. In the task's ledger.
#[derive(Debug)]
pub struct ReadGuard {
    frame: NonNull<Frame>,
    _not_send: PhantomData<*mut Frame>,
}

impl ReadGuard {
    /// # Safety
    /// The frame belongs to an arena; one pin and one read latch of it are the
    /// caller's to give.
    #[inline]
    pub(crate) unsafe fn new(frame: NonNull<Frame>) -> Self {
        with_ledger(|l| l.enter(frame.as_ptr().expose_provenance(), READING, release));
        ReadGuard {
            frame,
            _not_send: PhantomData,
        }
    }

    /// The frame.
    #[inline]
    #[must_use]
    pub fn frame(&self) -> &Frame {
        // SAFETY: pinned, so alive.
        unsafe { self.frame.as_ref() }
    }

    /// Gives the latch back and keeps the pin.
    #[must_use]
    pub fn unlatch(self) -> Pin {
        let this = ManuallyDrop::new(self);
        with_ledger(|l| l.leave(this.frame.as_ptr().addr(), READING));
        this.frame().latch.unread();
        // SAFETY: the guard's pin is handed over.
        unsafe { Pin::new(this.frame) }
    }

    /// Lets `change` write the bytes if no other task reads them at this moment.
    /// For changes that may be lost: hints.
    pub fn change_if_alone(&mut self, change: impl FnOnce(&mut Bytes)) -> bool {
        if !self.frame().latch.try_upgrade() {
            return false;
        }
        // A guard object, so that a panic in `change` leaves the latch as the
        // drop of this ReadGuard expects it.
        struct Downgrade<'a>(&'a Frame);
        impl Drop for Downgrade<'_> {
            fn drop(&mut self) {
                self.0.latch.downgrade();
            }
        }
        let frame = self.frame();
        let _downgrade = Downgrade(frame);
        // SAFETY: the latch is ours alone (upgraded), and the borrow of `self`
        // excludes this task's own references to the bytes.
        change(unsafe { frame.bytes().cast::<Bytes>().as_mut() });
        true
    }
}

impl Deref for ReadGuard {
    type Target = Bytes;
    #[inline]
    fn deref(&self) -> &Bytes {
        // SAFETY: FRAME_SIZE bytes that nobody changes while the read latch is
        // held.
        unsafe { self.frame().bytes().cast::<Bytes>().as_ref() }
    }
}

impl Drop for ReadGuard {
    #[inline]
    fn drop(&mut self) {
        with_ledger(|l| l.leave(self.frame.as_ptr().addr(), READING));
        let frame = self.frame();
        frame.latch.unread();
        frame.unpin();
    }
}

/// A pinned frame that is this holder's alone. Not in the ledger: keep it inside
/// a `task_port::Held`, whose drop can also put the bytes right.
#[derive(Debug)]
pub struct Exclusive {
    frame: NonNull<Frame>,
}

// SAFETY: the latch knows no task, so the right may move to another one.
unsafe impl Send for Exclusive {}

impl Exclusive {
    /// # Safety
    /// The frame belongs to an arena; one pin and the write latch of it are the
    /// caller's to give.
    #[inline]
    pub(crate) unsafe fn new(frame: NonNull<Frame>) -> Self {
        Exclusive { frame }
    }

    /// The frame.
    #[inline]
    #[must_use]
    pub fn frame(&self) -> &Frame {
        // SAFETY: pinned, so alive.
        unsafe { self.frame.as_ref() }
    }

    /// Gives the latch back and keeps the pin.
    #[must_use]
    pub fn unlatch(self) -> Pin {
        let this = ManuallyDrop::new(self);
        this.frame().latch.unwrite();
        // SAFETY: the guard's pin is handed over.
        unsafe { Pin::new(this.frame) }
    }
}

impl Deref for Exclusive {
    type Target = Bytes;
    #[inline]
    fn deref(&self) -> &Bytes {
        // SAFETY: the latch makes the FRAME_SIZE bytes ours alone.
        unsafe { self.frame().bytes().cast::<Bytes>().as_ref() }
    }
}

impl DerefMut for Exclusive {
    #[inline]
    fn deref_mut(&mut self) -> &mut Bytes {
        // SAFETY: as above.
        unsafe { self.frame().bytes().cast::<Bytes>().as_mut() }
    }
}

impl Drop for Exclusive {
    #[inline]
    fn drop(&mut self) {
        let frame = self.frame();
        frame.latch.unwrite();
        frame.unpin();
    }
}

const _: () = assert!(size_of::<Bytes>() == FRAME_SIZE);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arena, NO_TAG};
    use core::sync::atomic::{AtomicU64, Ordering};
    use std::sync::Arc;

    fn arena_with(tag: u64) -> Arena {
        let arena = Arena::new(2).unwrap();
        assert!(arena.frames()[0].claim());
        drop(arena.install(0, tag, true).unwrap());
        arena
    }

    #[test]
    fn handles_are_in_the_ledger_and_given_back_after_a_fault() {
        let arena = arena_with(7);
        let frame = &arena.frames()[0];
        let fault = task_port::gate(|| {
            let TryRead::Done(guard) = arena.try_read(0, 7) else {
                panic!("latched");
            };
            let pin = arena.pin(0, 7).unwrap();
            assert_eq!(frame.pins(), 2);
            core::mem::forget((guard, pin));
            panic!("skip the frame");
        });
        assert_eq!(fault.unwrap_err().released, 2);
        assert_eq!(frame.pins(), 0);
        assert!(!frame.latch.is_held());
        // In any order of dropping.
        let pin = arena.pin(0, 7).unwrap();
        let guard = arena.pin(0, 7).unwrap().read();
        drop(pin);
        let pin = guard.unlatch();
        let kept = pin.keep();
        assert!(task_port::with_ledger(|l| l.is_empty()));
        assert_eq!(frame.pins(), 1);
        drop(kept);
        assert_eq!(frame.pins(), 0);
    }

    #[test]
    fn a_frame_is_claimed_without_pins_only_and_pinned_under_its_tag_only() {
        let arena = arena_with(7);
        let frame = &arena.frames()[0];
        assert!(arena.pin(0, 8).is_none());
        assert!(arena.pin(1, 7).is_none());
        let pin = arena.pin(0, 7).unwrap();
        assert!(!frame.claim());
        drop(pin);
        assert!(!frame.visit(), "used twice");
        while !frame.visit() {}
        assert!(frame.claim());
        assert!(arena.pin(0, 7).is_none());
        assert!(matches!(arena.try_read(0, 7), TryRead::Gone));
        drop(arena.install(0, 9, true).unwrap());
        assert!(arena.pin(0, 9).is_some());
    }

    #[test]
    fn frames_outlive_their_arena_while_pinned() {
        let arena = arena_with(7);
        let mut exclusive = arena.pin(0, 7).unwrap().exclusive();
        drop(arena);
        exclusive.fill(3);
        assert_eq!(exclusive[8191], 3);
        let guard = exclusive.unlatch().read();
        assert_eq!((guard[0], guard.frame().index()), (3, 0));
    }

    #[test]
    fn a_lone_reader_may_change_and_others_keep_it_from_it() {
        let arena = arena_with(7);
        let mut guard = arena.pin(0, 7).unwrap().read();
        assert!(guard.change_if_alone(|bytes| bytes[5] = 1));
        let other = arena.pin(0, 7).unwrap().read();
        assert!(!guard.change_if_alone(|bytes| bytes[5] = 2));
        assert_eq!((guard[5], other[5]), (1, 1));
        drop(other);
        drop(guard);
        assert!(!arena.frames()[0].latch.is_held());
    }

    /// Two tasks take turns in giving the frame another tag while two others pin
    /// it: nobody who has it pinned ever sees the tag change.
    #[test]
    fn pins_and_claims_exclude_each_other() {
        let arena = Arc::new(arena_with(0));
        // How often the frame was claimed, and pinned.
        let counts: Arc<[AtomicU64; 2]> = Arc::default();
        let enough =
            |counts: &[AtomicU64; 2]| counts.iter().all(|c| c.load(Ordering::Relaxed) > 1_000);
        let threads: Vec<_> = (0..4u64)
            .map(|n| {
                let (arena, counts) = (Arc::clone(&arena), Arc::clone(&counts));
                std::thread::spawn(move || {
                    let frame = &arena.frames()[0];
                    for round in 0.. {
                        if enough(&counts) {
                            return;
                        }
                        if n < 2 {
                            if frame.claim() {
                                drop(arena.install(0, round % 3, true));
                                counts[0].fetch_add(1, Ordering::Relaxed);
                            }
                        } else if let Some(pin) = arena.pin(0, round % 3) {
                            assert_eq!(pin.frame().tag.load(Ordering::SeqCst), round % 3);
                            std::thread::yield_now();
                            assert_eq!(pin.frame().tag.load(Ordering::SeqCst), round % 3);
                            drop(pin);
                            counts[1].fetch_add(1, Ordering::Relaxed);
                        }
                        std::thread::yield_now();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_ne!(arena.frames()[0].tag.load(Ordering::SeqCst), NO_TAG);
        assert_eq!(arena.frames()[0].pins(), 0);
    }
}
