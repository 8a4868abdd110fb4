//! Lists of free objects.
//!
//! What is free has no owner to protect it: a stray write may change a link. A link that
//! leads out of the heap ends the list, and what was behind it is lost ([`damage`]).

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A free object. Its first word is the link to the next one.
type Link = *mut *mut u8;

/// How often a list has ended in a link that leads nowhere.
static DAMAGE: AtomicU64 = AtomicU64::new(0);

/// How often somebody had written to free objects, as far as that was seen.
#[must_use]
pub fn damage() -> u64 {
    DAMAGE.load(Relaxed)
}

/// Whether an object of the heap can be there.
#[inline]
fn is_plausible(object: Link) -> bool {
    object.addr().is_multiple_of(16) && is_in_window(object.addr())
}

/// Whether the window maps physical memory there, of a TiB at most.
#[cfg(mitos)]
#[inline]
fn is_in_window(address: usize) -> bool {
    address >> 40 == (crate::WINDOW >> 40) as usize
}

/// The heap of a test is anywhere.
#[cfg(not(mitos))]
fn is_in_window(_address: usize) -> bool {
    true
}

/// The object after `link`.
///
/// # Safety
/// `link` is on a list.
unsafe fn next(link: Link) -> Link {
    // SAFETY: the caller's promise; the first word of an object on a list is the link.
    unsafe { link.read() }.cast()
}

/// A list of free objects, linked through their first words. One task or handler
/// at a time works on it; anybody may read its length.
pub(super) struct FreeList {
    head: Link,
    len: AtomicU32,
}

// SAFETY: the list alone reaches its objects, which are memory without an owner.
unsafe impl Send for FreeList {}

impl FreeList {
    pub(super) const fn new() -> Self {
        FreeList {
            head: null_mut(),
            len: AtomicU32::new(0),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    pub(super) fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    /// Where the length of a list is that others may be at work on.
    pub(super) const fn len_of(list: *const FreeList) -> *const AtomicU32 {
        list.wrapping_byte_add(core::mem::offset_of!(FreeList, len))
            .cast()
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<NonNull<u8>> {
        let head = NonNull::new(self.head)?;
        if !is_plausible(head.as_ptr()) {
            self.abandon();
            return None;
        }
        // SAFETY: it is the first object of this list.
        self.head = unsafe { next(head.as_ptr()) };
        let len = self.len.get_mut();
        *len = len.saturating_sub(1);
        Some(head.cast())
    }

    /// Loses what is on the list.
    #[cold]
    #[inline(never)]
    fn abandon(&mut self) {
        DAMAGE.fetch_add(1, Relaxed);
        *self = FreeList::new();
    }

    /// # Safety
    /// `object` is free, aligned for a word, and at least 16 bytes large.
    #[inline]
    pub(super) unsafe fn push(&mut self, object: *mut u8) {
        let link: Link = object.cast();
        // SAFETY: the caller's promise.
        unsafe { link.write(self.head.cast()) };
        self.head = link;
        *self.len.get_mut() += 1;
    }

    /// Moves up to `count` objects to `other`.
    pub(super) fn give(&mut self, other: &mut FreeList, count: u32) {
        for _ in 0..count.min(self.len()) {
            let Some(object) = self.pop() else { break };
            // SAFETY: it was on this list.
            unsafe { other.push(object.as_ptr()) };
        }
    }

    /// Takes all objects out.
    pub(super) const fn take(&mut self) -> FreeList {
        core::mem::replace(self, FreeList::new())
    }

    /// Puts the objects of `other` before its own. `last` is the last one of them.
    ///
    /// # Safety
    /// It is.
    pub(super) unsafe fn prepend(&mut self, mut other: FreeList, last: NonNull<u8>) {
        if other.is_empty() {
            return;
        }
        // SAFETY: an object on a list, which is `other`'s alone and now this one's.
        unsafe { last.as_ptr().cast::<*mut u8>().write(self.head.cast()) };
        self.head = other.head;
        *self.len.get_mut() += *other.len.get_mut();
    }

    /// Sorts by address, the highest first: a merge sort that needs no memory. Piece `n`
    /// of the sorted ones has 2^n objects.
    pub(super) fn sort(&mut self) {
        let mut sorted: [Link; u32::BITS as usize] = [null_mut(); _];
        let mut rest = self.head;
        let mut count = 0;
        while !rest.is_null() && count < self.len() {
            if !is_plausible(rest) {
                DAMAGE.fetch_add(1, Relaxed);
                break;
            }
            count += 1;
            let mut piece = rest;
            // SAFETY: on this list; afterwards a list of its own.
            unsafe {
                rest = next(piece);
                piece.write(null_mut());
            }
            let mut at = 0;
            while !sorted[at].is_null() {
                let other = core::mem::replace(&mut sorted[at], null_mut());
                // SAFETY: both are lists that this one was taken apart into.
                piece = unsafe { merge(other, piece) };
                at += 1;
            }
            sorted[at] = piece;
        }
        let all = sorted.into_iter();
        // SAFETY: as above.
        self.head = all.fold(null_mut(), |all, piece| unsafe { merge(piece, all) });
        *self.len.get_mut() = count;
    }
}

/// One list out of two, the highest address first as in these.
///
/// # Safety
/// Nobody else has them; each ends with null.
unsafe fn merge(mut one: Link, mut other: Link) -> Link {
    let mut first = null_mut();
    let mut link: Link = &raw mut first;
    loop {
        if one.is_null() || (!other.is_null() && other > one) {
            core::mem::swap(&mut one, &mut other);
        }
        // SAFETY: `link` is `first` or the link of the last object taken.
        unsafe { link.write(one.cast()) };
        if other.is_null() {
            return first.cast();
        }
        link = one;
        // SAFETY: `other` is not null and `one` before it, so `one` is an object too.
        one = unsafe { next(one) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(16))]
    struct Object([usize; 2]);

    #[test]
    fn a_link_that_leads_nowhere_ends_the_list() {
        let mut objects = [const { Object([0; 2]) }; 8];
        let (mut list, mut other) = (FreeList::new(), FreeList::new());
        // What was written to the fourth object while it was free.
        for garbage in [1, 0x0003_0000_0000_0007, usize::MAX] {
            let before = damage();
            for object in &mut objects {
                // SAFETY: nobody else uses it.
                unsafe { list.push(object.0.as_mut_ptr().cast()) };
            }
            objects[4].0[0] = garbage;
            list.give(&mut other, 2);
            assert_eq!((list.len(), other.len()), (6, 2));
            list.sort();
            list.give(&mut other, u32::MAX);
            assert!(list.is_empty());
            assert_eq!(list.len(), 0);
            assert_eq!(other.len(), 4, "those in front of it and itself");
            assert!(damage() > before);
            while other.pop().is_some() {}
            assert_eq!(other.len(), 0);
        }
    }

    #[test]
    fn a_list_that_leads_back_into_itself_ends() {
        let mut objects = [const { Object([0; 2]) }; 4];
        let mut list = FreeList::new();
        for object in &mut objects {
            // SAFETY: nobody else uses it.
            unsafe { list.push(object.0.as_mut_ptr().cast()) };
        }
        let (first, last) = (&raw mut objects[3], &raw mut objects[0]);
        // SAFETY: the last one's link.
        unsafe { last.cast::<*mut Object>().write(first) };
        let mut other = FreeList::new();
        list.give(&mut other, u32::MAX);
        assert_eq!(other.len(), 4);
    }
}
