//! A reference that many read on hot paths and that is seldom replaced.

use core::sync::atomic::{AtomicPtr, Ordering};

/// Holds a `&'static T` or nothing. Reading costs one load.
#[derive(Debug)]
pub struct StaticRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> StaticRef<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        StaticRef(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// What it holds now.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: the pointer is null or came from a `&'static T` in `set`.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Replaces it.
    pub fn set(&self, value: Option<&'static T>) {
        let pointer = value.map_or(core::ptr::null(), core::ptr::from_ref);
        self.0.store(pointer.cast_mut(), Ordering::Release);
    }
}

impl<T: Sync> Default for StaticRef<T> {
    fn default() -> Self {
        Self::new()
    }
}
