//! Being inside a port: the in-flight counts and the guard.
//!
//! Counts are per CPU and per parity of the generation. Whoever enters adds one
//! to its CPU's count of the current parity and then looks whether that is still
//! the current generation; whoever closes or flips changes the word first and
//! then sums the counts of the old parity. Both sides are sequentially
//! consistent, so one of them sees the other (as in sleepable RCU: McKenney,
//! "Sleepable Read-Copy Update", 2006). A guard takes its one off the very count
//! it added it to, so no count is ever negative and a sum of zero is final.

use crate::atomic::AtomicU32;
use crate::door::{Port, PortBase};
use core::marker::PhantomData;
use core::ops::Deref;

/// One CPU's count, on its own cache line.
#[repr(align(64))]
#[derive(Debug)]
pub(crate) struct Count(pub(crate) AtomicU32);

impl Count {
    pub(crate) const fn zero() -> Self {
        Count(AtomicU32::new(0))
    }
}

/// The right to call the provider of a port; derefs to its trait. Leaves when
/// dropped, on whatever CPU; not in another task, since it is this task's ledger
/// that knows of it: also which count to take its one off.
pub struct Entered<'p, T: ?Sized + 'static> {
    provider: &'p T,
    base: &'p PortBase,
    _not_send: PhantomData<*const ()>,
}

impl<'p, T: ?Sized> Entered<'p, T> {
    #[inline]
    pub(crate) fn new(port: &'p Port<T>, provider: &'p T, count: &'p Count) -> Self {
        let base = port.base();
        task_port::with_ledger(|l| {
            l.enter(
                core::ptr::from_ref(count).expose_provenance(),
                core::ptr::from_ref(base).expose_provenance(),
                release,
            )
        });
        Entered {
            provider,
            base,
            _not_send: PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for Entered<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        self.provider
    }
}

impl<T: ?Sized> Drop for Entered<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let base = core::ptr::from_ref(self.base).addr();
        // Inside the same port more than once, the task has as many entries, and
        // which guard gives back which of the counts is the same to all.
        if let Some(count) = task_port::with_ledger(|l| l.leave_latest(base)) {
            let count: *const Count = core::ptr::with_exposed_provenance(count);
            // SAFETY: entered by `new` with this port's address: a count of this
            // port, which outlives the borrow of it.
            self.base.leave(unsafe { &*count });
        }
    }
}

/// What the ledger calls for a guard whose frame is gone.
fn release(count: usize, base: usize) {
    let count: *const Count = core::ptr::with_exposed_provenance(count);
    let base: *const PortBase = core::ptr::with_exposed_provenance(base);
    // SAFETY: both addresses were taken from references into a static port
    // (ports are never freed while a guard of theirs is in a ledger: unloading
    // waits for the in-flight counts), and both types are shared atomics.
    unsafe { (*base).leave(&*count) };
}
