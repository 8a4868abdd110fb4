//! A door for code that runs with interrupts off: the clock, the scheduler's
//! policy. It is called from the scheduler and from interrupt handlers, where
//! nothing can wait and there is no ledger to enter.
//!
//! [`Leaf::with`] turns interrupts off and reads one pointer; there is no count.
//! A flip changes the pointer. Who read the former one is on his CPU with
//! interrupts off, so when every CPU has switched tasks since, nobody is left:
//! the grace period of read-copy-update (McKenney and Slingwine, 1998), here by a
//! task that visits each CPU in turn.
//!
//! The provider has no state and never waits. Who calls has an answer of his own
//! for the time when there is no provider, and checks what he is told.

use crate::cell::CellRef;
use crate::{Birth, Component, CrashKind, Door, DoorStatus, State, SwapError};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use sync::{Completion, Mutex};
use task_port::{Priority, SpawnOptions};

struct Provider<T: ?Sized> {
    object: Box<T>,
    cell: CellRef,
}

/// The door: a static in its port crate.
pub struct Leaf<T: ?Sized + 'static> {
    name: &'static str,
    generation: AtomicU64,
    current: AtomicPtr<Provider<T>>,
    /// What was current before the flip, until it is retired.
    former: Mutex<Former<T>>,
    staged: Mutex<Option<Box<Provider<T>>>>,
}

enum Former<T: ?Sized> {
    /// Retired.
    Gone,
    /// There was nobody.
    Nobody,
    Provider(Box<Provider<T>>),
}

impl<T: ?Sized + Component> Leaf<T> {
    /// A door with nobody behind it.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Leaf {
            name,
            generation: AtomicU64::new(0),
            current: AtomicPtr::new(core::ptr::null_mut()),
            former: Mutex::new(Former::Gone),
            staged: Mutex::new(None),
        }
    }

    /// Calls `f` with the provider, if there is one, with interrupts off. `f` must
    /// not wait.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        let _off = cpu::IrqGuard::new();
        let provider = self.current.load(Ordering::Acquire);
        // SAFETY: a provider is freed only after its pointer was replaced and every
        // CPU has switched tasks since (`grace`); this CPU cannot while interrupts
        // are off. On the host providers are never freed.
        f(unsafe { provider.as_ref() }.map(|p| &*p.object))
    }

    pub(crate) fn stage(&self, object: Box<T>, cell: CellRef) {
        let staged = Box::new(Provider { object, cell });
        let before = self.staged.lock().replace(staged);
        drop(before);
    }

    /// Makes `next` current; gives what was.
    fn turn(&self, next: *mut Provider<T>) -> Option<Box<Provider<T>>> {
        let before = self.current.swap(next, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the pointer came from `Box::into_raw` in `flip` or `flip_back`;
        // it is freed after a grace period alone, see `retire`.
        (!before.is_null()).then(|| unsafe { Box::from_raw(before) })
    }

    /// Lets go of a provider that nobody can reach any more.
    fn bury(provider: Box<Provider<T>>, deadline: u64) -> Result<(), Box<Provider<T>>> {
        if cfg!(not(mitos)) {
            // Threads are not CPUs: nobody knows when they have looked.
            core::mem::forget(provider);
            return Ok(());
        }
        if grace(deadline) {
            Ok(())
        } else {
            Err(provider)
        }
    }
}

impl Birth<'_> {
    /// Leaves the provider for a port that is called with interrupts off.
    pub fn provide_leaf<T: ?Sized + Component>(
        &mut self,
        leaf: &'static Leaf<T>,
        provider: Box<T>,
    ) {
        leaf.stage(provider, self.keep_alive());
        self.note_staged(leaf);
    }
}

/// The least time that a grace period is given: visiting a CPU takes less, but not
/// none, and a deadline that has passed already must not end in a retry for ever.
const GRACE_NS: u64 = 20_000_000;

/// Waits until every CPU has switched tasks; false at `deadline` (ns).
fn grace(deadline: u64) -> bool {
    let deadline = deadline.max(task_port::now() + GRACE_NS);
    let visits: Vec<Completion> = (0..cpu::count()).map(|_| Completion::new()).collect();
    for (id, visit) in visits.iter().enumerate() {
        let visit = visit.clone();
        let options = SpawnOptions::new("grace")
            .priority(Priority::High)
            .pinned(id);
        if task_port::spawn(options, move || visit.complete(0)).is_err() {
            return false;
        }
    }
    visits
        .iter()
        .all(|visit| visit.wait_deadline(deadline).is_some())
}

impl<T: ?Sized + Component + 'static> Door for Leaf<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn status(&self) -> DoorStatus {
        let cell = {
            let _off = cpu::IrqGuard::new();
            let provider = self.current.load(Ordering::Acquire);
            // SAFETY: as in `with`.
            unsafe { provider.as_ref() }.map(|p| p.cell.clone())
        };
        DoorStatus {
            name: self.name,
            cell,
            generation: self.generation.load(Ordering::SeqCst),
            inflight: 0,
            closed: false,
        }
    }

    fn has_state(&self) -> bool {
        false
    }

    fn close(&self) {}

    fn drain(&self, _: u64) -> Result<(), SwapError> {
        Ok(())
    }

    fn open(&self) {}

    fn export(&self) -> Result<Option<State>, SwapError> {
        Ok(None)
    }

    fn resume(&self) {}

    fn reclaim(&self, state: State) -> Result<(), SwapError> {
        drop(state);
        Ok(())
    }

    fn flip(&self) -> Result<(), SwapError> {
        let mut former = self.former.lock();
        if !matches!(*former, Former::Gone) {
            return Err(SwapError::Busy {
                port: self.name,
                inflight: 0,
            });
        }
        let staged = self.staged.lock().take();
        let staged = staged.ok_or(SwapError::NothingStaged(self.name))?;
        *former = match self.turn(Box::into_raw(staged)) {
            Some(before) => Former::Provider(before),
            None => Former::Nobody,
        };
        Ok(())
    }

    fn flip_back(&self) -> Result<(), SwapError> {
        let mut former = self.former.lock();
        let back = match core::mem::replace(&mut *former, Former::Gone) {
            Former::Gone => return Err(SwapError::NoProvider(self.name)),
            Former::Nobody => core::ptr::null_mut(),
            Former::Provider(provider) => Box::into_raw(provider),
        };
        if let Some(failed) = self.turn(back) {
            // Retired like any other.
            *former = Former::Provider(failed);
        }
        Ok(())
    }

    fn unstage(&self) {
        let staged = self.staged.lock().take();
        drop(staged);
    }

    fn retire(&self, deadline: u64) -> Result<(), SwapError> {
        let mut former = self.former.lock();
        if let Former::Provider(old) = core::mem::replace(&mut *former, Former::Gone)
            && let Err(old) = Self::bury(old, deadline)
        {
            *former = Former::Provider(old);
            return Err(SwapError::Busy {
                port: self.name,
                inflight: 1,
            });
        }
        Ok(())
    }

    fn abandon(&self) {
        let mut former = self.former.lock();
        if let Some(old) = self.turn(core::ptr::null_mut()) {
            // Only one can wait to be retired, and a door is abandoned when
            // nothing does.
            let before = core::mem::replace(&mut *former, Former::Provider(old));
            core::mem::forget(before);
        }
    }

    fn readmit(&self) -> Result<(), SwapError> {
        match self.current.load(Ordering::SeqCst).is_null() {
            true => self.flip_back(),
            false => Ok(()),
        }
    }

    fn dismiss(&self, deadline: u64) -> Result<(), SwapError> {
        self.retire(deadline)?;
        self.abandon();
        self.retire(deadline)
    }

    fn inject(&self, _: CrashKind) -> bool {
        // A fault with interrupts off has no gate that could catch it.
        false
    }

    fn object(&self) -> Option<(usize, usize)> {
        // For the same reason.
        None
    }
}
