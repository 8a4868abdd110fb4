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
//!
//! A fault of such code cannot be unwound to a gate: between them lie the scheduler or
//! a handler, which hold locks. So the call that faulted is made to *return*, with
//! [`NO_ANSWER`], and its door is without a provider from then on ([`Door::fail`]),
//! until the captain has replaced the cell. Every method of such a port must therefore
//! give a number, of which that one means nothing else.

use crate::cell::CellRef;
use crate::{Birth, Component, CrashKind, Door, DoorStatus, State, SwapError};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, Ordering};
use sync::{Completion, Mutex};
use task_port::{Priority, SpawnOptions};

/// What a call returns whose code has faulted: all bits.
pub const NO_ANSWER: u64 = u64::MAX;

/// Some door has lost its provider by a fault.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Whether some [`Leaf`] has lost its provider by a fault since this was asked last.
#[must_use]
pub fn a_leaf_has_failed() -> bool {
    FAILED.load(Ordering::Relaxed) && FAILED.swap(false, Ordering::SeqCst)
}

struct Provider<T: ?Sized> {
    object: Box<T>,
    cell: CellRef,
}

/// The bit of the current provider's address that says: the next call faults.
const INJECT: usize = 1;

/// The door: a static in its port crate.
pub struct Leaf<T: ?Sized + 'static> {
    name: &'static str,
    generation: AtomicU64,
    current: AtomicPtr<Provider<T>>,
    /// What was current when it faulted, until it is retired.
    failed: AtomicPtr<Provider<T>>,
    has_failed: AtomicBool,
    /// How the next call faults, if [`INJECT`] is set.
    inject: AtomicU8,
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
            failed: AtomicPtr::new(core::ptr::null_mut()),
            has_failed: AtomicBool::new(false),
            inject: AtomicU8::new(0),
            former: Mutex::new(Former::Gone),
            staged: Mutex::new(None),
        }
    }

    /// Calls `f` with the provider, if there is one, with interrupts off. `f` must
    /// not wait.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        let _off = cpu::IrqGuard::new();
        let mut provider = self.current.load(Ordering::Acquire);
        if provider.addr() & INJECT != 0 {
            provider = self.fault(provider);
        }
        // SAFETY: a provider is freed only after its pointer was replaced and every
        // CPU has switched tasks since (`grace`); this CPU cannot while interrupts
        // are off. On the host providers are never freed.
        f(unsafe { provider.as_ref() }.map(|p| &*p.object))
    }

    /// Faults as it was told to, and gives the provider that there is after that.
    #[cold]
    #[inline(never)]
    fn fault(&self, marked: *mut Provider<T>) -> *mut Provider<T> {
        let provider = marked.map_addr(|address| address & !INJECT);
        let told =
            self.current
                .compare_exchange(marked, provider, Ordering::SeqCst, Ordering::SeqCst);
        let kind = CrashKind::from_code(self.inject.swap(0, Ordering::SeqCst));
        if let (Ok(_), Some(kind)) = (told, kind) {
            // SAFETY: as in `with`.
            unsafe { (*provider).object.crash(kind) };
        }
        let now = self.current.load(Ordering::Acquire);
        now.map_addr(|address| address & !INJECT)
    }

    pub(crate) fn stage(&self, object: Box<T>, cell: CellRef) {
        let staged = Box::new(Provider { object, cell });
        let before = self.staged.lock().replace(staged);
        drop(before);
    }

    /// Makes `next` current; gives what was.
    fn turn(&self, next: *mut Provider<T>) -> Option<Box<Provider<T>>> {
        let before = self.current.swap(next, Ordering::SeqCst);
        let before = before.map_addr(|address| address & !INJECT);
        self.generation.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the pointer came from `Box::into_raw` in `flip` or `flip_back`;
        // it is freed after a grace period alone, see `retire`.
        (!before.is_null()).then(|| unsafe { Box::from_raw(before) })
    }

    /// What was current when it faulted. Somebody may still be on his way out of it.
    fn take_failed(&self) -> Option<Box<Provider<T>>> {
        let failed = self.failed.swap(core::ptr::null_mut(), Ordering::SeqCst);
        // SAFETY: it was current, so it came from `Box::into_raw`, and `fail` gave it
        // away.
        (!failed.is_null()).then(|| unsafe { Box::from_raw(failed) })
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
            let provider = provider.map_addr(|address| address & !INJECT);
            // SAFETY: as in `with`.
            unsafe { provider.as_ref() }.map(|p| p.cell.clone())
        };
        DoorStatus {
            name: self.name,
            cell,
            generation: self.generation.load(Ordering::SeqCst),
            inflight: 0,
            closed: false,
            served: 0,
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
            None => self.take_failed().map_or(Former::Nobody, Former::Provider),
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
        // Until there is another, it is the one that a flip can be taken back to.
        let has_successor = !self.current.load(Ordering::SeqCst).is_null();
        if has_successor
            && let Some(failed) = self.take_failed()
            && let Err(failed) = Self::bury(failed, deadline)
        {
            self.failed.store(Box::into_raw(failed), Ordering::SeqCst);
        }
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
        if let Some(failed) = self.take_failed()
            && let Err(failed) = Self::bury(failed, deadline)
        {
            self.failed.store(Box::into_raw(failed), Ordering::SeqCst);
        }
        self.retire(deadline)
    }

    fn inject(&self, kind: CrashKind) -> bool {
        // There is nobody who could wake the one that waits here.
        if kind == CrashKind::Wait {
            return false;
        }
        self.inject.store(kind as u8, Ordering::SeqCst);
        let current = self.current.load(Ordering::SeqCst);
        let marked = current.map_addr(|address| address | INJECT);
        let told = || {
            self.current
                .compare_exchange(current, marked, Ordering::SeqCst, Ordering::SeqCst)
        };
        !current.is_null() && told().is_ok()
    }

    fn fail(&self) -> bool {
        let failed = self.current.swap(core::ptr::null_mut(), Ordering::SeqCst);
        let failed = failed.map_addr(|address| address & !INJECT);
        if !failed.is_null() {
            self.generation.fetch_add(1, Ordering::SeqCst);
            // One that failed before and was not retired yet stays for good.
            self.failed.store(failed, Ordering::SeqCst);
        }
        self.has_failed.store(true, Ordering::SeqCst);
        FAILED.store(true, Ordering::SeqCst);
        true
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn has_failed(&self) -> bool {
        self.has_failed.swap(false, Ordering::SeqCst)
    }

    fn object(&self) -> Option<(usize, usize)> {
        // Who calls has no way to tell a damaged answer from a right one.
        None
    }
}
