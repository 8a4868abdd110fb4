//! What a task holds that a fault must not leak: in-flight counts of ports,
//! page pins, latches.
//!
//! A handle enters itself when made and leaves when dropped. After a fault the
//! gate releases what was entered since it opened and is still there: the
//! frames that would have dropped those handles are gone. Handles are dropped
//! mostly in reverse order, so leaving is a look at the top entry.
//!
//! Every port call enters and leaves, so both are a dozen instructions that are
//! compiled into the caller: the entries are a stack between pointers, and its
//! lowest one stands for none, so that a look at the top needs no look at the
//! length. All else is out of line.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

#[derive(Clone, Copy)]
struct Entry {
    /// Which one ever made; entries stand in this order.
    number: u64,
    release: fn(usize, usize),
    object: usize,
    extra: usize,
}

/// The lowest entry of every ledger. No object is at address 0.
static NONE: Entry = Entry {
    number: 0,
    release: |_, _| (),
    object: 0,
    extra: 0,
};

/// How many entries the first memory of a ledger has room for.
const FIRST: usize = 16;

/// A moment in the life of a ledger: how many entries had been made, ever. Not how
/// many there were: what was entered before may leave after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerMark(u64);

/// The list of what one task holds. Only that task touches it; others may ask
/// how much there is.
pub struct Ledger {
    /// Behind the latest entry.
    top: AtomicPtr<Entry>,
    /// Behind the last entry there is room for.
    end: AtomicPtr<Entry>,
    /// The lowest entry, which stands for none: `NONE` itself as long as nothing
    /// was ever entered, then the start of the memory.
    base: AtomicPtr<Entry>,
    /// Counts entries ever made; the watchdog looks whether it moves.
    activity: AtomicU64,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub const fn new() -> Self {
        let none = (&raw const NONE).cast_mut();
        Ledger {
            top: AtomicPtr::new(none.wrapping_add(1)),
            end: AtomicPtr::new(none.wrapping_add(1)),
            base: AtomicPtr::new(none),
            activity: AtomicU64::new(0),
        }
    }

    /// Notes that the task holds `object`; after a fault `release(object,
    /// extra)` is called. `release` must be code that is never unloaded before
    /// the handle (a port crate's).
    #[inline]
    pub fn enter(&self, object: usize, extra: usize, release: fn(usize, usize)) {
        let mut top = self.top.load(Relaxed);
        if top == self.end.load(Relaxed) {
            top = self.grow();
        }
        let number = self.activity.load(Relaxed);
        self.activity.store(number + 1, Relaxed);
        // SAFETY: below `end` and not below `base` + 1 lies memory of the ledger
        // (`grow`), which the running task alone touches: ledgers are reached
        // through the running task's header, and nothing here calls out before
        // it is done.
        unsafe {
            top.write(Entry {
                number,
                release,
                object,
                extra,
            });
            self.top.store(top.add(1), Relaxed);
        }
    }

    /// Takes the latest entry of `object` out again. False when there is none:
    /// the handle came from another task.
    #[inline]
    pub fn leave(&self, object: usize, extra: usize) -> bool {
        let latest = self.latest();
        // SAFETY: there is always a lowest entry.
        let entry = unsafe { &*latest };
        if entry.object == object && entry.extra == extra {
            self.top.store(latest, Relaxed);
            return true;
        }
        self.leave_below(&|e| e.object == object && e.extra == extra)
            .is_some()
    }

    /// Takes the latest entry with this `extra` out again, and tells its object.
    /// The other way to leave: for handles that are all the same but for this.
    #[inline]
    pub fn leave_latest(&self, extra: usize) -> Option<usize> {
        let latest = self.latest();
        // SAFETY: there is always a lowest entry.
        let entry = unsafe { &*latest };
        if entry.extra == extra {
            self.top.store(latest, Relaxed);
            return Some(entry.object);
        }
        self.leave_below(&|e| e.extra == extra)
    }

    /// The latest entry, or the lowest one.
    #[inline]
    fn latest(&self) -> *mut Entry {
        // `top` is above `base`.
        self.top.load(Relaxed).wrapping_sub(1)
    }

    /// Takes out the latest entry that fits, and tells its object.
    #[cold]
    #[inline(never)]
    fn leave_below(&self, fits: &dyn Fn(&Entry) -> bool) -> Option<usize> {
        let at = self.entries().iter().rposition(fits)?;
        let object = self.entries()[at].object;
        let above = self.len() - at - 1;
        let latest = self.latest();
        // SAFETY: entry `at` and those above it lie in the ledger's memory; no
        // reference to one is left.
        unsafe {
            let gap = latest.sub(above);
            gap.copy_from(gap.add(1), above);
        }
        self.top.store(latest, Relaxed);
        Some(object)
    }

    /// Moves to twice as much memory, and tells where the next entry goes.
    #[cold]
    #[inline(never)]
    fn grow(&self) -> *mut Entry {
        let (base, top) = (self.base.load(Relaxed), self.top.load(Relaxed));
        let used = self.len() + 1;
        let mut memory: Vec<Entry> = Vec::with_capacity((used * 2).max(FIRST));
        // SAFETY: `base` up to `top` are `used` entries.
        memory.extend_from_slice(unsafe { core::slice::from_raw_parts(base, used) });
        let room = memory.capacity();
        let fresh = memory.leak().as_mut_ptr();
        self.base.store(fresh, Relaxed);
        // SAFETY: the new memory has room for more than `used` entries.
        unsafe {
            self.top.store(fresh.add(used), Relaxed);
            self.end.store(fresh.add(room), Relaxed);
            give_back(base, top);
            fresh.add(used)
        }
    }

    /// What is held, the latest last.
    fn entries(&self) -> &[Entry] {
        let base = self.base.load(Relaxed);
        // SAFETY: behind the lowest entry lie `len` entries; callers do not keep
        // the reference while they change the ledger.
        unsafe { core::slice::from_raw_parts(base.add(1), self.len()) }
    }

    /// Whether `object` is held.
    #[must_use]
    pub fn holds(&self, object: usize) -> bool {
        self.entries().iter().any(|e| e.object == object)
    }

    /// Something held whose address is in `range`, the latest first.
    #[must_use]
    pub fn find_within(&self, range: core::ops::Range<usize>) -> Option<usize> {
        let mut held = self.entries().iter().rev().map(|e| e.object);
        held.find(|object| range.contains(object))
    }

    /// How many things are held. Another task's answer may be wrong while that
    /// one runs.
    #[must_use]
    pub fn len(&self) -> usize {
        let lowest = self.base.load(Relaxed).addr() + size_of::<Entry>();
        self.top.load(Relaxed).addr().saturating_sub(lowest) / size_of::<Entry>()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often something was entered, ever. Also read by other CPUs.
    #[must_use]
    pub fn activity(&self) -> u64 {
        self.activity.load(Relaxed)
    }

    /// Tells the watchdog that a long computation goes on.
    #[inline]
    pub fn sign_of_life(&self) {
        self.activity
            .store(self.activity.load(Relaxed) + 1, Relaxed);
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
        while let Some(entry) = self.entries().last().copied()
            && entry.number >= mark.0
        {
            self.top.store(self.latest(), Relaxed);
            (entry.release)(entry.object, entry.extra);
            released += 1;
        }
        released
    }
}

/// Frees a ledger's memory between its lowest entry and `end`.
///
/// # Safety
/// They are a ledger's, full or about to be dropped.
unsafe fn give_back(base: *mut Entry, end: *mut Entry) {
    if !core::ptr::eq(base, &raw const NONE) {
        // SAFETY: other than `NONE`, `base` is the start of a leaked vector (in
        // `grow`) whose capacity ends at `end`; entries need no drop.
        drop(unsafe { Vec::from_raw_parts(base, 0, end.offset_from(base) as usize) });
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // SAFETY: the ledger's own, for the last time.
        unsafe { give_back(self.base.load(Relaxed), self.end.load(Relaxed)) }
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
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    #[test]
    fn many_entries_leave_in_any_order() {
        fn release(_: usize, _: usize) {}
        let ledger = Ledger::new();
        assert!(!ledger.leave(1, 0));
        assert_eq!(ledger.leave_latest(7), None);
        for object in 1..=500 {
            ledger.enter(object, object % 3, release);
        }
        assert_eq!(ledger.len(), 500);
        // 500 is 2 modulo 3, the latest of remainder 0 is 498.
        assert_eq!(ledger.leave_latest(0), Some(498));
        assert_eq!(ledger.leave_latest(2), Some(500));
        assert_eq!(ledger.leave_latest(1), Some(499));
        assert!(!ledger.leave(2, 1));
        for object in (1..=497).step_by(2).chain((2..=496).step_by(2)) {
            assert!(ledger.holds(object));
            assert!(ledger.leave(object, object % 3));
            assert!(!ledger.holds(object));
        }
        assert!(ledger.is_empty());
        assert_eq!(ledger.leave_latest(1), None);
    }
}
