//! The port itself: its word, its two generations and the steps of a swap.

use crate::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::cell::CellRef;
use crate::entry::{Count, Entered};
use crate::{Component, CrashKind, DoorStatus, PortError, State, SwapError};
use alloc::boxed::Box;
use cpu::MAX_CPUS;
use sync::{Mutex, WaitQueue};

/// Bits of the word. Zero apart from the parity means: open, nothing special.
const PARITY: u32 = 1;
const CLOSED: u32 = 2;
const EMPTY: u32 = 4;
const INJECT: u32 = 8;
/// Someone waits for a count to reach zero.
const DRAINING: u32 = 16;
/// The provider has faulted: the next call that enters is looked at.
const WATCHED: u32 = 32;
/// It has entered: when a call leaves, that is noted.
const SERVING: u32 = 64;
/// What keeps nobody from entering.
const ENTERABLE: u32 = PARITY | DRAINING | SERVING;

/// The part of a port that does not depend on its trait.
#[derive(Debug)]
pub(crate) struct PortBase {
    pub(crate) name: &'static str,
    word: AtomicU32,
    inject: AtomicU8,
    generation: AtomicU64,
    /// When a call ended that began after the last [`Door::watch`]; 0 before.
    served: AtomicU64,
    counts: [[Count; MAX_CPUS]; 2],
    /// Before the flip the port was empty, and is so again if that is undone.
    former_empty: AtomicBool,
    /// Callers that wait for the port to open.
    closed_out: WaitQueue,
    /// The swap, waiting for the last call to leave.
    drained: WaitQueue,
}

/// Why one cannot enter now.
enum Refusal {
    Empty,
    Closed,
}

struct Provider<T: ?Sized> {
    object: Box<T>,
    cell: CellRef,
}

/// The door of a cell: a static in its port crate.
pub struct Port<T: ?Sized + 'static> {
    base: PortBase,
    /// The providers of the two parities; null when there is none.
    providers: [AtomicPtr<Provider<T>>; 2],
    staged: Mutex<Option<Box<Provider<T>>>>,
}

impl PortBase {
    const fn new(name: &'static str) -> Self {
        PortBase {
            name,
            word: AtomicU32::new(EMPTY),
            inject: AtomicU8::new(0),
            generation: AtomicU64::new(0),
            served: AtomicU64::new(0),
            counts: [const { [const { Count::zero() }; MAX_CPUS] }; 2],
            former_empty: AtomicBool::new(false),
            closed_out: WaitQueue::new(),
            drained: WaitQueue::new(),
        }
    }

    /// Counts the caller in if there is nothing special about the port.
    #[inline(always)]
    fn enter_open(&self) -> Option<(usize, &Count)> {
        let word = self.word.load(Ordering::SeqCst);
        if word & !ENTERABLE != 0 {
            return None;
        }
        let parity = (word & PARITY) as usize;
        let count = self.count(parity);
        count.0.fetch_add(1, Ordering::SeqCst);
        if (self.word.load(Ordering::SeqCst) ^ word) & !(DRAINING | SERVING) != 0 {
            self.step_back(count);
            return None;
        }
        Some((parity, count))
    }

    #[cold]
    #[inline(never)]
    fn step_back(&self, count: &Count) {
        self.leave(count);
    }

    #[inline]
    pub(crate) fn leave(&self, count: &Count) {
        let before = count.0.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(before > 0, "left {} more often than entered", self.name);
        if self.word.load(Ordering::SeqCst) & (DRAINING | SERVING) != 0 {
            self.left();
        }
    }

    /// Somebody wants to know that a call has left.
    #[cold]
    #[inline(never)]
    fn left(&self) {
        let word = self.word.fetch_and(!SERVING, Ordering::SeqCst);
        if word & SERVING != 0 {
            self.served.store(task_port::now(), Ordering::SeqCst);
        }
        if word & DRAINING != 0 {
            self.drained.wake_all();
        }
    }

    /// A call has entered; if the port was watched, its end counts.
    fn note_entry(&self) {
        let word = self.word.load(Ordering::SeqCst);
        if word & WATCHED != 0 {
            self.word.fetch_or(SERVING, Ordering::SeqCst);
            self.word.fetch_and(!WATCHED, Ordering::SeqCst);
        }
    }

    /// The running CPU's count of `parity`. The remainder is no change: it spares
    /// the check that the number is below it.
    #[inline]
    fn count(&self, parity: usize) -> &Count {
        &self.counts[parity & 1][cpu::id() % MAX_CPUS]
    }

    fn parity(&self) -> usize {
        (self.word.load(Ordering::SeqCst) & PARITY) as usize
    }

    fn inflight(&self, parity: usize) -> u32 {
        self.counts[parity]
            .iter()
            .map(|c| c.0.load(Ordering::SeqCst))
            .sum()
    }

    /// The count of `parity` that this task holds already, if it does. Entering
    /// a closed port adds to that very count: a sum that is taken meanwhile reads
    /// one count after the other, and would miss a task that enters by a count it
    /// has passed and then leaves by one it has not reached.
    fn held(&self, parity: usize) -> Option<&Count> {
        let counts = &self.counts[parity];
        let start = core::ptr::from_ref(counts).addr();
        let range = start..start + core::mem::size_of_val(counts);
        let at = task_port::with_ledger(|l| l.find_within(range))?;
        counts.get((at - start) / core::mem::size_of::<Count>())
    }

    /// Makes the other parity the current one, which is `empty` or not.
    fn turn(&self, empty: bool) {
        let now = if empty { EMPTY } else { 0 };
        let turned = self
            .word
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |w| {
                Some((w ^ PARITY) & !EMPTY | now)
            });
        let (Ok(before) | Err(before)) = turned;
        self.former_empty
            .store(before & EMPTY != 0, Ordering::SeqCst);
        // After the word: who reads the new number enters the new provider.
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until no call of `parity` is in flight.
    fn drain(&self, parity: usize, deadline: u64) -> Result<(), SwapError> {
        self.word.fetch_or(DRAINING, Ordering::SeqCst);
        let done = self
            .drained
            .wait_deadline(deadline, || (self.inflight(parity) == 0).then_some(()));
        self.word.fetch_and(!DRAINING, Ordering::SeqCst);
        done.ok_or_else(|| SwapError::Busy {
            port: self.name,
            inflight: self.inflight(parity),
        })
    }
}

impl<T: ?Sized + Component> Port<T> {
    /// A port with nobody behind it.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Port {
            base: PortBase::new(name),
            providers: [
                AtomicPtr::new(core::ptr::null_mut()),
                AtomicPtr::new(core::ptr::null_mut()),
            ],
            staged: Mutex::new(None),
        }
    }

    /// Enters the port. Blocks while it is closed for a swap, unless this task
    /// is inside already.
    ///
    /// # Errors
    /// When no cell stands behind it.
    #[inline]
    pub fn enter(&self) -> Result<Entered<'_, T>, PortError> {
        match self.enter_open() {
            Some(entered) => Ok(entered),
            None => self.enter_slowly(),
        }
    }

    /// Enters the port if that needs no waiting; `None` while it is closed for a
    /// swap or has no provider. For callers that are inside another port: they
    /// must not sleep there.
    #[inline]
    pub fn try_enter(&self) -> Option<Entered<'_, T>> {
        match self.enter_open() {
            Some(entered) => Some(entered),
            None => self.enter_now().ok(),
        }
    }

    /// Enters if there is nothing special about the port. In the caller itself:
    /// this is what every call of every cell goes through. For those who want to
    /// take [`Port::enter`] behind a gate, and not pay for one each time.
    #[inline(always)]
    pub fn enter_open(&self) -> Option<Entered<'_, T>> {
        let (parity, count) = self.base.enter_open()?;
        Some(self.entered(parity, count))
    }

    #[inline(always)]
    fn entered<'p>(&'p self, parity: usize, count: &'p Count) -> Entered<'p, T> {
        let provider = self.providers[parity & 1].load(Ordering::Acquire);
        debug_assert!(!provider.is_null(), "{} has no provider", self.base.name);
        // SAFETY: a provider is freed only after its parity was replaced and
        // drained; our count in that parity, taken before the word was seen
        // unchanged, keeps that from happening while the guard lives. The
        // pointer is not null: the word said that the port is not empty.
        let provider = unsafe { &(*provider).object };
        Entered::new(self, provider, count)
    }

    #[cold]
    #[inline(never)]
    fn enter_slowly(&self) -> Result<Entered<'_, T>, PortError> {
        loop {
            match self.enter_now() {
                Ok(entered) => return Ok(entered),
                Err(Refusal::Empty) => return Err(PortError::NoProvider(self.base.name)),
                Err(Refusal::Closed) => self.base.closed_out.wait_until(|| {
                    let word = self.base.word.load(Ordering::SeqCst);
                    (word & (CLOSED | EMPTY) != CLOSED).then_some(())
                }),
            }
        }
    }

    /// Enters in any state of the port that allows it, without waiting.
    #[cold]
    fn enter_now(&self) -> Result<Entered<'_, T>, Refusal> {
        loop {
            let word = self.base.word.load(Ordering::SeqCst);
            if word & EMPTY != 0 {
                return Err(Refusal::Empty);
            }
            let parity = (word & PARITY) as usize;
            let count = if word & CLOSED == 0 {
                self.base.count(parity)
            } else {
                self.base.held(parity).ok_or(Refusal::Closed)?
            };
            count.0.fetch_add(1, Ordering::SeqCst);
            let mask = PARITY | EMPTY | CLOSED;
            if self.base.word.load(Ordering::SeqCst) & mask != word & mask {
                self.base.leave(count);
                continue;
            }
            let entered = self.entered(parity, count);
            self.base.note_entry();
            self.inject_if_told(&entered);
            return Ok(entered);
        }
    }

    fn inject_if_told(&self, entered: &Entered<'_, T>) {
        // The flag first: a command that comes now sets it again.
        let word = self.base.word.fetch_and(!INJECT, Ordering::SeqCst);
        if word & INJECT == 0 {
            return;
        }
        let code = self.base.inject.swap(0, Ordering::SeqCst);
        if let Some(kind) = CrashKind::from_code(code) {
            entered.crash(kind);
        }
    }

    /// The cell of the current provider. Asked by anyone at any time, so this is
    /// inside the port for a moment, also of a closed one.
    fn cell(&self) -> Option<CellRef> {
        loop {
            let word = self.base.word.load(Ordering::SeqCst);
            if word & EMPTY != 0 {
                return None;
            }
            let parity = (word & PARITY) as usize;
            let count = self.base.count(parity);
            count.0.fetch_add(1, Ordering::SeqCst);
            let mask = PARITY | EMPTY;
            let same = self.base.word.load(Ordering::SeqCst) & mask == word & mask;
            let cell = same.then(|| {
                let provider = self.providers[parity].load(Ordering::Acquire);
                // SAFETY: as in `entered`.
                unsafe { (*provider).cell.clone() }
            });
            self.base.leave(count);
            if same {
                return cell;
            }
        }
    }

    /// Counts up with each flip: whoever keeps objects of a provider compares it
    /// with what it was to see whether they are of the present one. Read it
    /// *before* entering: a flip in between then makes them look old, never new.
    /// One load.
    #[inline]
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.base.generation.load(Ordering::Acquire)
    }

    /// Puts a provider in the wings; [`Door::flip`] brings it on stage.
    pub(crate) fn stage(&self, object: Box<T>, cell: CellRef) {
        *self.staged.lock() = Some(Box::new(Provider { object, cell }));
    }

    /// The current provider, for the steps of a swap.
    fn current(&self) -> Option<&Provider<T>> {
        let provider = self.providers[self.base.parity()].load(Ordering::SeqCst);
        // SAFETY: only the swap, which is one at a time, frees providers, and
        // only the one that is not current; `Door`'s methods are its steps.
        unsafe { provider.as_ref() }
    }

    fn take_provider(&self, parity: usize) -> Option<Box<Provider<T>>> {
        let provider = self.providers[parity].swap(core::ptr::null_mut(), Ordering::SeqCst);
        // SAFETY: the pointer came from `Box::into_raw` in `flip`, and the swap
        // has made it unreachable by taking it out.
        (!provider.is_null()).then(|| unsafe { Box::from_raw(provider) })
    }
}

impl<T: ?Sized> Port<T> {
    #[inline]
    pub(crate) fn base(&self) -> &PortBase {
        &self.base
    }
}

/// A port as the swap sees it. The methods are the steps of one swap; one swap
/// runs at a time (the swap engine's lock), and it alone calls them.
pub trait Door: Sync {
    /// The port's name, which is the cell's.
    fn name(&self) -> &'static str;
    /// What lists show.
    fn status(&self) -> DoorStatus;
    /// Whether the current provider has state; false without one.
    fn has_state(&self) -> bool;
    /// Whether its state may be handed over while calls go on; see
    /// [`Component::shares_state`].
    fn shares_state(&self) -> bool {
        false
    }
    /// How many calls are inside the current provider.
    fn inside(&self) -> u32 {
        0
    }
    /// New callers wait from now on.
    fn close(&self);
    /// Waits until nobody is inside.
    ///
    /// # Errors
    /// [`SwapError::Busy`] at `deadline` (ns).
    fn drain(&self, deadline: u64) -> Result<(), SwapError>;
    /// Callers may enter again.
    fn open(&self);
    /// Asks the current provider for its state.
    ///
    /// # Errors
    /// When there is no provider or it refuses.
    fn export(&self) -> Result<Option<State>, SwapError>;
    /// The current provider serves on after [`Door::export`].
    fn resume(&self);
    /// Gives the current provider its state back.
    ///
    /// # Errors
    /// When it does not take it.
    fn reclaim(&self, state: State) -> Result<(), SwapError>;
    /// Makes the staged provider the current one. The former one stays until
    /// [`Door::retire`].
    ///
    /// # Errors
    /// When nothing is staged, or the generation before last is still in use.
    fn flip(&self) -> Result<(), SwapError>;
    /// Undoes [`Door::flip`]: the former provider is current again, or the port as
    /// empty as it was.
    ///
    /// # Errors
    /// When the former provider is gone: [`Door::retire`].
    fn flip_back(&self) -> Result<(), SwapError>;
    /// Forgets what is staged.
    fn unstage(&self);
    /// Waits until nobody is inside the former provider and drops it.
    ///
    /// # Errors
    /// [`SwapError::Busy`] at `deadline` (ns); it can be tried again.
    fn retire(&self, deadline: u64) -> Result<(), SwapError>;
    /// Takes the current provider away and leaves the port empty: the cell has
    /// failed and its replacement is not there yet. Callers get an error.
    fn abandon(&self);
    /// Undoes [`Door::abandon`]: the provider that was current is so again.
    ///
    /// # Errors
    /// When there is none.
    fn readmit(&self) -> Result<(), SwapError>;
    /// Waits until nobody is inside an abandoned door and drops both providers:
    /// the port crate has moved, and this is the door of its earlier generation.
    ///
    /// # Errors
    /// [`SwapError::Busy`] at `deadline` (ns); it can be tried again.
    fn dismiss(&self, deadline: u64) -> Result<(), SwapError>;
    /// The next call faults; false if this door's calls cannot be made to.
    fn inject(&self, kind: CrashKind) -> bool;
    /// The provider has faulted just now: the end of the next call that enters is
    /// noted ([`DoorStatus::served`]).
    fn watch(&self) {}
    /// Whether it is called with interrupts off, by callers who have an answer of
    /// their own: a [`crate::Leaf`].
    fn is_leaf(&self) -> bool {
        false
    }
    /// Takes the provider of a leaf away at once, without waiting for anything: it
    /// has faulted where nothing can be unwound.
    fn fail(&self) -> bool {
        false
    }
    /// Whether [`Door::fail`] was called since this was asked last.
    fn has_failed(&self) -> bool {
        false
    }
    /// Where the current provider lies and how many bytes it has, for the
    /// injection of faults; it may be gone when this returns.
    fn object(&self) -> Option<(usize, usize)>;
}

impl<T: ?Sized + Component + 'static> Door for Port<T> {
    fn name(&self) -> &'static str {
        self.base.name
    }

    fn status(&self) -> DoorStatus {
        let word = self.base.word.load(Ordering::SeqCst);
        DoorStatus {
            name: self.base.name,
            generation: self.generation(),
            inflight: self.base.inflight(0) + self.base.inflight(1),
            cell: self.cell(),
            closed: word & CLOSED != 0,
            served: self.base.served.load(Ordering::SeqCst),
        }
    }

    fn watch(&self) {
        self.base.served.store(0, Ordering::SeqCst);
        self.base.word.fetch_and(!SERVING, Ordering::SeqCst);
        self.base.word.fetch_or(WATCHED, Ordering::SeqCst);
    }

    fn has_state(&self) -> bool {
        self.current().is_some_and(|p| p.object.has_state())
    }

    fn shares_state(&self) -> bool {
        self.current().is_some_and(|p| p.object.shares_state())
    }

    fn inside(&self) -> u32 {
        self.base.inflight(self.base.parity())
    }

    fn close(&self) {
        self.base.word.fetch_or(CLOSED, Ordering::SeqCst);
    }

    fn drain(&self, deadline: u64) -> Result<(), SwapError> {
        self.base.drain(self.base.parity(), deadline)
    }

    fn open(&self) {
        self.base.word.fetch_and(!CLOSED, Ordering::SeqCst);
        self.base.closed_out.wake_all();
    }

    fn export(&self) -> Result<Option<State>, SwapError> {
        let provider = self
            .current()
            .ok_or(SwapError::NoProvider(self.base.name))?;
        provider
            .object
            .export()
            .map_err(|e| SwapError::Handover(self.base.name, e))
    }

    fn resume(&self) {
        if let Some(provider) = self.current() {
            provider.object.resume();
        }
    }

    fn reclaim(&self, state: State) -> Result<(), SwapError> {
        let provider = self
            .current()
            .ok_or(SwapError::NoProvider(self.base.name))?;
        provider
            .object
            .reclaim(state)
            .map_err(|e| SwapError::Handover(self.base.name, e))
    }

    fn flip(&self) -> Result<(), SwapError> {
        let next = self.base.parity() ^ 1;
        // A count of a generation that was retired is that of a caller who has
        // yet to see that it comes too late; it does no harm.
        if !self.providers[next].load(Ordering::SeqCst).is_null() {
            return Err(SwapError::Busy {
                port: self.base.name,
                inflight: self.base.inflight(next),
            });
        }
        let staged = self
            .staged
            .lock()
            .take()
            .ok_or(SwapError::NothingStaged(self.base.name))?;
        self.providers[next].store(Box::into_raw(staged), Ordering::SeqCst);
        self.base.turn(false);
        Ok(())
    }

    fn flip_back(&self) -> Result<(), SwapError> {
        let next = self.base.parity() ^ 1;
        let empty = self.base.former_empty.load(Ordering::SeqCst);
        if !empty && self.providers[next].load(Ordering::SeqCst).is_null() {
            return Err(SwapError::NoProvider(self.base.name));
        }
        self.base.turn(empty);
        Ok(())
    }

    fn unstage(&self) {
        let staged = self.staged.lock().take();
        drop(staged);
    }

    fn retire(&self, deadline: u64) -> Result<(), SwapError> {
        let old = self.base.parity() ^ 1;
        self.base.drain(old, deadline)?;
        self.base.former_empty.store(false, Ordering::SeqCst);
        drop(self.take_provider(old));
        Ok(())
    }

    fn abandon(&self) {
        self.base.word.fetch_or(EMPTY, Ordering::SeqCst);
        self.base.closed_out.wake_all();
    }

    fn readmit(&self) -> Result<(), SwapError> {
        if self.current().is_none() {
            return Err(SwapError::NoProvider(self.base.name));
        }
        self.base.word.fetch_and(!EMPTY, Ordering::SeqCst);
        Ok(())
    }

    fn dismiss(&self, deadline: u64) -> Result<(), SwapError> {
        self.abandon();
        self.retire(deadline)?;
        let current = self.base.parity();
        self.base.drain(current, deadline)?;
        drop(self.take_provider(current));
        Ok(())
    }

    fn inject(&self, kind: CrashKind) -> bool {
        self.base.inject.store(kind as u8, Ordering::SeqCst);
        self.base.word.fetch_or(INJECT, Ordering::SeqCst);
        true
    }

    fn object(&self) -> Option<(usize, usize)> {
        let object: &T = &self.current()?.object;
        Some((core::ptr::from_ref(object).addr(), size_of_val(object)))
    }
}
