//! The spinning locks, as locks of the model checker: it knows that a task which
//! waits for one cannot run, and does not try what spinning would do.

use crate::tasks::mutex;
use loom::sync::MutexGuard;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicUsize;

/// A lock; [`SpinLock`] and [`IrqLock`] are the same in a model without
/// interrupts.
#[derive(Debug, Default)]
pub struct Lock<T> {
    place: AtomicUsize,
    value: UnsafeCell<T>,
}

/// Stands for the lock with preemption off.
pub type SpinLock<T> = Lock<T>;
/// Stands for the lock with interrupts off.
pub type IrqLock<T> = Lock<T>;

// SAFETY: the value is handed to one holder at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The right to use what a [`Lock`] protects.
pub struct LockGuard<'a, T> {
    value: &'a UnsafeCell<T>,
    _held: MutexGuard<'a, ()>,
}

impl<T> Lock<T> {
    /// An unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Lock {
            place: AtomicUsize::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> LockGuard<'_, T> {
        LockGuard {
            value: &self.value,
            _held: mutex(&self.place),
        }
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while its holder has the lock.
        unsafe { &*self.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists only while its holder has the lock.
        unsafe { &mut *self.value.get() }
    }
}
