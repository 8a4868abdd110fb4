//! Spinning locks for sections of a few instructions.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

struct Raw<T: ?Sized> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

impl<T: ?Sized> Raw<T> {
    #[inline]
    fn acquire(&self) {
        if self.locked.swap(true, Ordering::Acquire) {
            spin(&self.locked);
        }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        !self.locked.swap(true, Ordering::Acquire)
    }
}

#[cold]
fn spin(locked: &AtomicBool) {
    let mut looks = 1;
    while locked.swap(true, Ordering::Acquire) {
        while locked.load(Ordering::Relaxed) {
            looks += 1;
            cpu::relax();
        }
    }
    SPINS.fetch_add(looks, Ordering::Relaxed);
}

macro_rules! spinning_lock {
    ($lock:ident, $guard:ident, $hold:ty, $what:literal) => {
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
                    locked: AtomicBool::new(false),
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
            #[inline]
            pub fn lock(&self) -> $guard<'_, T> {
                task_port::interleave();
                let hold = <$hold>::new();
                self.0.acquire();
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
                self.0.try_acquire().then(|| $guard {
                    lock: &self.0,
                    _hold: hold,
                })
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
                self.lock.locked.store(false, Ordering::Release);
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

spinning_lock!(SpinLock, SpinLockGuard, PreemptGuard, "preemption off");
spinning_lock!(IrqLock, IrqLockGuard, IrqGuard, "interrupts off");
