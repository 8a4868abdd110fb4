//! What a task holds that a fault must not leak: in-flight counts of ports,
//! page pins, latches.
//!
//! A handle enters itself when made and leaves when dropped. After a fault the
//! gate releases what was entered since it opened and is still there: the
//! frames that would have dropped those handles are gone. Handles are dropped
//! mostly in reverse order, so leaving is a look at the top entry.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy)]
struct Entry {
    /// Which one ever made; entries stand in this order.
    number: u64,
    release: fn(usize, usize),
    object: usize,
    extra: usize,
}

/// A moment in the life of a ledger: how many entries had been made, ever. Not how
/// many there were: what was entered before may leave after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerMark(u64);

/// The list of what one task holds. Only that task touches it.
pub struct Ledger {
    entries: UnsafeCell<Vec<Entry>>,
    /// Counts entries ever made; the watchdog looks whether it moves.
    activity: AtomicU64,
}

// SAFETY: the ledger is reached only through the running task's own header
// (`with_ledger`), so one task at a time touches it, never re-entrantly: the
// methods below call out only in `release_since`, after the borrow has ended.
unsafe impl Sync for Ledger {}
// SAFETY: entries are plain numbers and function pointers.
unsafe impl Send for Ledger {}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub const fn new() -> Self {
        Ledger {
            entries: UnsafeCell::new(Vec::new()),
            activity: AtomicU64::new(0),
        }
    }

    #[inline]
    #[allow(clippy::mut_from_ref)]
    fn entries(&self) -> &mut Vec<Entry> {
        // SAFETY: see the Sync impl: one task, no re-entrance while borrowed.
        unsafe { &mut *self.entries.get() }
    }

    /// Notes that the task holds `object`; after a fault `release(object,
    /// extra)` is called. `release` must be code that is never unloaded before
    /// the handle (a port crate's).
    #[inline]
    pub fn enter(&self, object: usize, extra: usize, release: fn(usize, usize)) {
        let number = self.activity.load(Ordering::Relaxed);
        self.activity.store(number + 1, Ordering::Relaxed);
        self.entries().push(Entry {
            number,
            release,
            object,
            extra,
        });
    }

    /// Takes the latest entry of `object` out again. False when there is none:
    /// the handle came from another task.
    #[inline]
    pub fn leave(&self, object: usize, extra: usize) -> bool {
        let entries = self.entries();
        match entries.last() {
            Some(top) if top.object == object && top.extra == extra => {
                entries.pop();
                true
            }
            _ => match entries
                .iter()
                .rposition(|e| e.object == object && e.extra == extra)
            {
                Some(at) => {
                    entries.remove(at);
                    true
                }
                None => false,
            },
        }
    }

    /// Whether `object` is held.
    #[must_use]
    pub fn holds(&self, object: usize) -> bool {
        self.entries().iter().any(|e| e.object == object)
    }

    /// Something held whose address is in `range`, the latest first.
    #[must_use]
    pub fn find_within(&self, range: core::ops::Range<usize>) -> Option<usize> {
        let held = self.entries().iter().rev().map(|e| e.object);
        held.into_iter().find(|object| range.contains(object))
    }

    /// How many things are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often something was entered, ever. Also read by other CPUs.
    #[must_use]
    pub fn activity(&self) -> u64 {
        self.activity.load(Ordering::Relaxed)
    }

    /// Where the ledger stands now.
    #[must_use]
    pub fn mark(&self) -> LedgerMark {
        LedgerMark(self.activity())
    }

    /// Gives back what was entered since `mark`, newest first, and tells how
    /// many things that were.
    pub fn release_since(&self, mark: LedgerMark) -> usize {
        let mut released = 0;
        while let Some(entry) = self.entries().pop_if(|e| e.number >= mark.0) {
            (entry.release)(entry.object, entry.extra);
            released += 1;
        }
        released
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    static RELEASED: AtomicUsize = AtomicUsize::new(0);

    fn release(object: usize, _extra: usize) {
        RELEASED.fetch_add(object, Ordering::Relaxed);
    }

    #[test]
    fn only_what_was_entered_since_the_mark_is_given_back() {
        let ledger = Ledger::new();
        ledger.enter(1, 0, release);
        let mark = ledger.mark();
        ledger.enter(10, 0, release);
        ledger.enter(100, 0, release);
        assert!(ledger.leave(10, 0));
        assert!(!ledger.leave(10, 0));
        assert_eq!(ledger.release_since(mark), 1);
        assert_eq!(RELEASED.load(Ordering::Relaxed), 100);
        assert!(ledger.holds(1));
        assert!(ledger.leave(1, 0));
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_was_entered_before_the_mark_may_leave_after_it() {
        fn release(object: usize, _: usize) {
            assert_eq!(object, 2);
        }
        let ledger = Ledger::new();
        ledger.enter(1, 0, release);
        let mark = ledger.mark();
        ledger.enter(2, 0, release);
        assert!(ledger.leave(1, 0));
        assert_eq!(ledger.release_since(mark), 1);
        assert!(ledger.is_empty());
        ledger.enter(3, 0, release);
        assert_eq!(ledger.release_since(ledger.mark()), 0);
        assert_eq!(ledger.find_within(3..4), Some(3));
    }
}
