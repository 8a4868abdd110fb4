//! A value that is dropped even when the frame that owns it is skipped by a
//! fault.

use crate::with_ledger;
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// An owned value entered in the running task's ledger: dropping the `Held`
/// drops it, and if a fault skips the frame that holds the `Held`, the gate
/// drops it.
///
/// The code that drops a `T` is instantiated where [`Held::new`] is called: call
/// it in the port crate that defines `T`, never in a cell.
pub struct Held<T> {
    value: NonNull<T>,
    /// The ledger is the task's own.
    _not_send: PhantomData<*mut T>,
}

impl<T> Held<T> {
    /// Boxes `value` and enters it.
    #[must_use]
    pub fn new(value: T) -> Self {
        Held::from_box(Box::new(value))
    }

    /// Enters a value that is in a box already.
    #[must_use]
    pub fn from_box(value: Box<T>) -> Self {
        let value = NonNull::from(Box::leak(value));
        with_ledger(|l| l.enter(value.as_ptr().expose_provenance(), 0, release::<T>));
        Held {
            value,
            _not_send: PhantomData,
        }
    }

    /// Takes the value out.
    #[must_use]
    pub fn into_inner(self) -> T {
        *self.into_box()
    }

    /// Takes the value out in its box.
    #[must_use]
    pub fn into_box(self) -> Box<T> {
        let value = self.value;
        with_ledger(|l| l.leave(value.as_ptr().addr(), 0));
        core::mem::forget(self);
        // SAFETY: the pointer came from a leaked box, this Held owned it, and
        // the ledger has forgotten it.
        unsafe { Box::from_raw(value.as_ptr()) }
    }
}

fn release<T>(value: usize, _: usize) {
    // SAFETY: the ledger calls this once, for an address that `Held::new` took
    // from a leaked box and whose Held will never be used again: its frame is
    // gone.
    drop(unsafe { Box::from_raw(core::ptr::with_exposed_provenance_mut::<T>(value)) });
}

impl<T> Deref for Held<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the Held owns the box behind the pointer.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the Held owns the box behind the pointer.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        with_ledger(|l| l.leave(self.value.as_ptr().addr(), 0));
        // SAFETY: as in `into_box`.
        drop(unsafe { Box::from_raw(self.value.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_skipped_frame_does_not_leak_what_it_held() {
        let witness = Rc::new(());
        let copy = Rc::clone(&witness);
        let result = crate::gate(move || core::mem::forget(Held::new(copy)));
        // Nothing faulted, so the gate leaves the ledger alone ...
        assert!(result.is_ok());
        assert_eq!(Rc::strong_count(&witness), 2);
        let copy = Rc::clone(&witness);
        let fault = crate::gate(move || {
            core::mem::forget(Held::new(copy));
            panic!("skip the frame");
        });
        // ... and after a fault it drops what was entered behind it.
        assert_eq!(fault.unwrap_err().released, 1);
        assert_eq!(Rc::strong_count(&witness), 2);
    }
}
