//! Spinning locks for sections of a few instructions.
//!
//! The word says which CPU holds the lock, so that taking a lock twice is a panic
//! and not an endless wait. A fault that skips the frame of a holder leaves its lock
//! *torn*: nobody gets it any more, since what it protects may be half done, and who
//! tries panics instead of waiting for ever. Whoever puts the value right, or knows
//! that nothing was wrong with it, says so by [`SpinLock::mend`]. A lock with interrupts
//! off is freed instead, and what it protects checks itself where it can. The same becomes
//! of a lock whose word somebody has written over: it would never be let go of.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::panic::Location;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use cpu::{IrqGuard, PreemptGuard};

/// Looks at locks that were taken, all together.
static SPINS: AtomicU64 = AtomicU64::new(0);

/// How often, since the start, a CPU looked at a spinning lock and found it taken:
/// what locks cost beyond their own instructions. A lock that nobody else has
/// counts nothing.
#[must_use]
pub fn spins() -> u64 {
    SPINS.load(Ordering::Relaxed)
}

/// The word of a lock that nobody holds.
const FREE: u32 = 0;
/// The word of a lock whose holder's frame was skipped by a fault. Else it is the
/// number of the holder's CPU and one.
const TORN: u32 = 1 << 31;

/// After so many looks at one lock, some ten milliseconds, the CPU tells that it spins
/// for long.
const LONG: u64 = 1 << 20;
/// Nobody holds a spinning lock for so long. The host may take its holder's CPU away
/// meanwhile, so it is generous.
const PATIENCE_NS: u64 = 10_000_000_000;
/// And for so many looks: all CPUs may have stood still meanwhile, but not the clock.
const MANY: u64 = 256 * LONG;

struct Raw<T: ?Sized> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

/// What becomes of a lock whose word is damaged, or that is not let go of.
#[derive(Clone, Copy)]
enum Lost {
    /// It is torn.
    Torn,
    /// It is free: of what it protects there is one in the system.
    Free,
}

impl<T: ?Sized> Raw<T> {
    #[inline]
    #[track_caller]
    fn acquire(&self, lost: Lost) {
        while !self.try_acquire() {
            let what = core::any::type_name::<T>();
            contended(&self.word, lost, what, Location::caller());
        }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        let me = cpu::id() as u32 + 1;
        let taken = self
            .word
            .compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    }
}

/// Waits until the lock may be free.
#[cold]
#[inline(never)]
fn contended(word: &AtomicU32, lost: Lost, what: &str, at: &Location<'_>) {
    let (mut looks, mut since) = (1, None);
    loop {
        match word.load(Ordering::Relaxed) {
            FREE => {
                SPINS.fetch_add(looks, Ordering::Relaxed);
                return;
            }
            TORN => panic!("the lock of a {what} was left half done by a fault (at {at})"),
            // Threads of the host share numbers.
            #[cfg(mitos)]
            holder if holder == cpu::id() as u32 + 1 => {
                panic!("the lock of a {what} is taken twice (at {at})")
            }
            holder if holder as usize > cpu::MAX_CPUS => lose(word, holder, lost),
            holder => {
                looks += 1;
                if looks.is_multiple_of(LONG)
                    && let Some(now) = cpu::spins_long()
                    && now.saturating_sub(*since.get_or_insert(now)) > PATIENCE_NS
                    && looks > MANY
                {
                    lose(word, holder, lost);
                }
                cpu::relax();
            }
        }
    }
}

/// Gives up on who holds the lock: a word that names no CPU is damaged, and one that is
/// not let go of for so long names the wrong one.
#[cold]
fn lose(word: &AtomicU32, holder: u32, lost: Lost) {
    let new = match lost {
        Lost::Torn => TORN,
        Lost::Free => FREE,
    };
    // If it has changed meanwhile, all the better.
    let _ = word.compare_exchange(holder, new, Ordering::SeqCst, Ordering::Relaxed);
}

/// Marks the lock with this word as torn if the running CPU holds it; says whether
/// it did. For the gate that a fault has unwound to, with preemption off ever since.
#[cfg(mitos)]
pub fn tear(word: &AtomicU32) -> bool {
    let me = cpu::id() as u32 + 1;
    word.compare_exchange(me, TORN, Ordering::SeqCst, Ordering::Relaxed)
        .is_ok()
}

/// Frees the lock with this word if the running CPU holds it; says whether it did. For the
/// gate that a fault has unwound to, and for locks with interrupts off: what they protect
/// is the system's own, of which there is one, so nobody is helped by a torn one.
#[cfg(mitos)]
pub fn set_free(word: &AtomicU32) -> bool {
    let me = cpu::id() as u32 + 1;
    word.compare_exchange(me, FREE, Ordering::SeqCst, Ordering::Relaxed)
        .is_ok()
}

macro_rules! spinning_lock {
    ($lock:ident, $guard:ident, $hold:ty, $lost:expr, $what:literal, $note:expr, $forget:expr) => {
        #[doc = concat!("A lock that spins, with ", $what, " while it is held.")]
        pub struct $lock<T: ?Sized>(Raw<T>);

        // SAFETY: the lock hands out the value to one holder at a time, so
        // sharing the lock only ever sends the value.
        unsafe impl<T: ?Sized + Send> Sync for $lock<T> {}
        // SAFETY: owning the lock is owning the value.
        unsafe impl<T: ?Sized + Send> Send for $lock<T> {}

        #[doc = concat!("The right to use what a [`", stringify!($lock), "`] protects.")]
        pub struct $guard<'a, T: ?Sized> {
            lock: &'a Raw<T>,
            _hold: $hold,
        }

        impl<T> $lock<T> {
            /// An unlocked lock around `value`.
            pub const fn new(value: T) -> Self {
                $lock(Raw {
                    word: AtomicU32::new(FREE),
                    value: UnsafeCell::new(value),
                })
            }

            /// The value, when nobody else has the lock any more.
            pub fn into_inner(self) -> T {
                self.0.value.into_inner()
            }
        }

        impl<T: ?Sized> $lock<T> {
            /// Waits for the lock by spinning.
            ///
            /// # Panics
            /// When this CPU holds it already, or a fault has left it torn.
            #[inline]
            #[track_caller]
            pub fn lock(&self) -> $guard<'_, T> {
                task_port::interleave();
                let hold = <$hold>::new();
                self.0.acquire($lost);
                $note(&self.0.word);
                $guard {
                    lock: &self.0,
                    _hold: hold,
                }
            }

            /// Takes the lock if it is free.
            #[inline]
            pub fn try_lock(&self) -> Option<$guard<'_, T>> {
                task_port::interleave();
                let hold = <$hold>::new();
                if !self.0.try_acquire() {
                    return None;
                }
                $note(&self.0.word);
                Some($guard {
                    lock: &self.0,
                    _hold: hold,
                })
            }

            /// Whether a fault has skipped a holder's frame.
            #[must_use]
            pub fn is_torn(&self) -> bool {
                self.0.word.load(Ordering::SeqCst) == TORN
            }

            /// Frees the lock if a fault has left it torn: what it protects is in
            /// order. Says whether it was torn.
            pub fn mend(&self) -> bool {
                self.0
                    .word
                    .compare_exchange(TORN, FREE, Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
            }

            /// The value, which nobody else can reach.
            pub fn get_mut(&mut self) -> &mut T {
                self.0.value.get_mut()
            }
        }

        impl<T: ?Sized> Deref for $guard<'_, T> {
            type Target = T;
            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the guard exists only while its holder has the lock.
                unsafe { &*self.lock.value.get() }
            }
        }

        impl<T: ?Sized> DerefMut for $guard<'_, T> {
            #[inline]
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: the guard exists only while its holder has the lock.
                unsafe { &mut *self.lock.value.get() }
            }
        }

        impl<T: ?Sized> Drop for $guard<'_, T> {
            #[inline]
            fn drop(&mut self) {
                $forget();
                self.lock.word.store(FREE, Ordering::Release);
                task_port::interleave();
            }
        }

        impl<T: Default> Default for $lock<T> {
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        impl<T: ?Sized> core::fmt::Debug for $lock<T> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($lock))
            }
        }
    };
}

/// Lets the gate find the lock should a fault skip its holder's frame.
#[inline]
fn note(word: &AtomicU32) {
    cpu::note_held(core::ptr::from_ref(word).expose_provenance());
}

/// The same for a lock with interrupts off.
#[inline]
fn note_irq(word: &AtomicU32) {
    cpu::note_irq_held(core::ptr::from_ref(word).expose_provenance());
}

/// It is given back.
#[inline]
fn forget() {
    cpu::note_held(0);
}

spinning_lock!(
    SpinLock,
    SpinLockGuard,
    PreemptGuard,
    Lost::Torn,
    "preemption off",
    note,
    forget
);
spinning_lock!(
    IrqLock,
    IrqLockGuard,
    IrqGuard,
    Lost::Free,
    "interrupts off",
    note_irq,
    cpu::forget_irq_held
);

impl<T: ?Sized> IrqLock<T> {
    /// Waits for the lock, but not when this CPU holds it already: for who may be called
    /// while a fault in the middle of such a section is seen to.
    #[inline]
    pub fn lock_unless_mine(&self) -> Option<IrqLockGuard<'_, T>> {
        let hold = IrqGuard::new();
        let mine = cfg!(mitos) && self.0.word.load(Ordering::Relaxed) == cpu::id() as u32 + 1;
        drop(hold);
        // Nobody takes it in this CPU's name in between: who interrupts gives back what he
        // takes, and another CPU has another number.
        (!mine).then(|| self.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// What somebody wrote over the word of a lock.
    const GARBAGE: u32 = 0x5eed_dead;

    #[test]
    fn a_lock_whose_word_is_damaged_fails_those_who_want_it() {
        let lock = SpinLock::new(7);
        lock.0.word.store(GARBAGE, Ordering::SeqCst);
        let failed = catch_unwind(AssertUnwindSafe(|| *lock.lock()));
        assert!(failed.is_err() && lock.is_torn());
    }

    #[test]
    fn with_interrupts_off_it_is_free_again() {
        let lock = IrqLock::new(7);
        lock.0.word.store(GARBAGE, Ordering::SeqCst);
        assert_eq!(*lock.lock(), 7);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn a_torn_lock_fails_those_who_want_it_until_it_is_mended() {
        let lock = SpinLock::new(7);
        lock.0.word.store(TORN, Ordering::SeqCst);
        assert!(lock.is_torn() && lock.try_lock().is_none());
        let failed = catch_unwind(AssertUnwindSafe(|| *lock.lock()));
        let text = failed.unwrap_err().downcast::<std::string::String>();
        assert!(text.unwrap().contains("half done"));
        assert!(lock.mend());
        assert!(!lock.mend());
        assert_eq!(*lock.lock(), 7);
    }
}
