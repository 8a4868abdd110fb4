//! The transaction manager's state: what survives a swap of `pg_txn`.
//!
//! It lies here, in the port crate, so that the code which drops it is never
//! unloaded; what is done with it is the cell's. One spin lock protects who runs
//! and who waits ([`Shared`]); how recent transactions ended is readable without
//! it ([`Recent`]).
//!
//! A fault under the lock leaves it locked, and what it protects half changed,
//! never to be looked at again. Nobody may spin for it then: [`TxnState::with`]
//! notes each holder in its task's ledger, and from the fault on answers none.

use crate::serial_state::Serial;
use crate::{ActiveSet, LockMode, LockTarget, RowHolder, RowKey, Xid, XidStatus};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use port::{Lineage, Schemas, State};
use sync::{Completion, SpinLock};

/// The schemas of [`TxnState`]: as it is, and with its lineage.
pub const SCHEMAS: Schemas = Schemas {
    plain: 5,
    traced: 6,
};

/// Everything the transaction manager knows.
#[derive(Debug)]
pub struct TxnState {
    /// Tells this state from one rebuilt after a fault.
    instance: u64,
    /// Which start of the log it belongs to.
    start: AtomicU32,
    /// How recent transactions ended.
    pub recent: Recent,
    /// A lower bound of the ids that run.
    pub oldest_running: AtomicU64,
    /// Who runs, holds and waits. Never dropped: a fault may have left it half
    /// changed.
    shared: ManuallyDrop<SpinLock<Shared>>,
    /// The serializable ones among them; likewise.
    serial: ManuallyDrop<SpinLock<Serial>>,
}

/// The latest instances that faults have torn, in turn.
static TORN: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
/// How many were torn.
static TEARS: AtomicUsize = AtomicUsize::new(0);

/// Notes that the lock of an instance is held. Dropped with `done` unset, or
/// found in the ledger by a fault, it marks the instance as torn.
struct Hold {
    instance: u64,
    done: bool,
}

impl Hold {
    fn new(instance: u64) -> Self {
        task_port::with_ledger(|l| l.enter(TEARS.as_ptr().addr(), instance as usize, tear));
        Hold {
            instance,
            done: false,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let instance = self.instance as usize;
        task_port::with_ledger(|l| l.leave(TEARS.as_ptr().addr(), instance));
        if !self.done {
            tear(0, instance);
        }
    }
}

fn tear(_: usize, instance: usize) {
    let at = TEARS.load(Ordering::SeqCst) % TORN.len();
    TORN[at].store(instance as u64, Ordering::SeqCst);
    TEARS.fetch_add(1, Ordering::SeqCst);
}

/// What the lock protects.
#[derive(Debug, Default)]
pub struct Shared {
    /// The next id.
    pub next: u64,
    /// Ids below it are reserved in the control page.
    pub reserved: u64,
    /// Ids that run, ascending, each with its transaction's place.
    pub running: Vec<(u64, u32)>,
    /// The places of open transactions.
    pub procs: Vec<Proc>,
    /// Places nobody uses.
    pub free: Vec<u32>,
    /// Counts the uses of places.
    pub serial: u64,
    /// The set of running ones, until one of them ends.
    pub active: Option<Arc<ActiveSet>>,
    /// The set before, whose memory may be used again.
    pub spare: Option<Arc<ActiveSet>>,
    /// Locks that are not noted in their holders' places alone.
    pub locks: BTreeMap<LockTarget, Lock>,
    /// Rows with more holders than their headers name.
    pub rows: BTreeMap<RowKey, Vec<RowHolder>>,
    /// Rows in `rows` when its ended holders were last swept out.
    pub rows_swept: usize,
}

/// An open transaction's place.
#[derive(Debug, Default)]
pub struct Proc {
    /// Which use of the place this is; 0 when it is free.
    pub serial: u64,
    /// The oldest id that a snapshot of its still cares for; `u64::MAX` when it
    /// has none.
    pub xmin: u64,
    /// The same of its solid snapshots (`Keep`).
    pub solid: u64,
    /// The set of its other ones.
    pub exact: Option<Arc<ActiveSet>>,
    /// Its ids that run, ascending.
    pub xids: Vec<u64>,
    /// Weak locks that are in no [`Lock`], with the set of modes.
    pub weak: Vec<(LockTarget, u8)>,
    /// Targets whose [`Lock`] it is a holder of.
    pub held: Vec<LockTarget>,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// The place that keeps its session's locks.
    pub session: Option<u32>,
    /// Of a session's place: its transaction's place, and which use of that.
    pub tenant: Option<(u32, u64)>,
    /// Those who wait for one of its ids to end.
    pub waiters: Vec<Waiter>,
}

/// One who waits for an id to end.
#[derive(Clone, Debug)]
pub struct Waiter {
    /// The id.
    pub xid: u64,
    /// The place of who waits.
    pub slot: u32,
    /// Ended with the id.
    pub done: Completion,
}

/// What a transaction waits for.
#[derive(Clone, Debug)]
pub enum Waiting {
    /// The end of an id.
    Xid {
        /// The id.
        xid: u64,
        /// Its transaction's place.
        holder: u32,
        /// Which use of that place.
        serial: u64,
    },
    /// A lock.
    Lock {
        /// On what.
        target: LockTarget,
        /// In which mode.
        mode: LockMode,
    },
}

/// One lock: who holds it in which modes, and who waits, in order.
#[derive(Debug, Default)]
pub struct Lock {
    /// Places of the holders with their sets of modes.
    pub holders: Vec<(u32, u8)>,
    /// The waiting requests, oldest first.
    pub queue: VecDeque<Request>,
}

/// A waiting request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose.
    pub slot: u32,
    /// Who will hold it: the same, or the place of its session's locks.
    pub owner: u32,
    /// For which mode.
    pub mode: LockMode,
    /// Ended when it is granted.
    pub done: Completion,
}

impl TxnState {
    /// The state of a system that starts with the id `first`.
    #[must_use]
    pub fn new(first: Xid) -> Arc<Self> {
        Arc::new(TxnState {
            instance: task_port::now().max(1),
            start: AtomicU32::new(pg_wal_port::epoch()),
            recent: Recent::new(first),
            oldest_running: AtomicU64::new(first.0),
            shared: ManuallyDrop::new(SpinLock::new(Shared {
                next: first.0,
                reserved: first.0,
                ..Shared::default()
            })),
            serial: ManuallyDrop::new(SpinLock::new(Serial::default())),
        })
    }

    /// Tells places of this state from those of another one, and from those of
    /// before the log began anew.
    #[inline]
    #[must_use]
    pub fn instance(&self) -> u64 {
        let start = u64::from(self.start.load(Ordering::Acquire));
        self.instance.wrapping_add(start)
    }

    /// Whether the log began anew since: nobody who ran then runs any more.
    #[inline]
    #[must_use]
    pub fn is_of_the_past(&self) -> bool {
        self.start.load(Ordering::Acquire) != pg_wal_port::epoch()
    }

    /// Forgets who ran, when [`TxnState::is_of_the_past`]; the tokens of those who
    /// waited are the caller's to end. Ids go on where they were.
    pub fn begin_anew(&self, woken: &mut Vec<Completion>) {
        self.with_serial(|serial| {
            self.with(|shared| {
                let start = pg_wal_port::epoch();
                if self.start.load(Ordering::Acquire) == start {
                    return;
                }
                let waiters = shared.procs.iter_mut().flat_map(|p| p.waiters.drain(..));
                woken.extend(waiters.map(|waiter| waiter.done));
                let queues = shared.locks.values_mut().flat_map(|l| l.queue.drain(..));
                woken.extend(queues.map(|request| request.done));
                let next = shared.next;
                *shared = Shared {
                    next,
                    // What was reserved may be lost.
                    reserved: next,
                    serial: shared.serial,
                    ..Shared::default()
                };
                *serial = Serial::default();
                self.recent.first.store(next, Ordering::Release);
                self.oldest_running.store(next, Ordering::Release);
                self.start.store(start, Ordering::Release);
            })
        });
    }

    /// Whether a fault has cut short somebody who held the lock.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        let is_it = |torn: &AtomicU64| torn.load(Ordering::SeqCst) == self.instance;
        TEARS.load(Ordering::SeqCst) != 0 && TORN.iter().any(is_it)
    }

    /// Calls `body` under the lock. None, then and for ever, when a fault has cut
    /// short somebody who held it. Not re-entrant, and `body` must not wait.
    pub fn with<R>(&self, body: impl FnOnce(&mut Shared) -> R) -> Option<R> {
        self.locked(&self.shared, body)
    }

    /// The same for what is known of serializable transactions. `body` may call
    /// [`TxnState::with`]; not the other way round.
    pub fn with_serial<R>(&self, body: impl FnOnce(&mut Serial) -> R) -> Option<R> {
        self.locked(&self.serial, body)
    }

    fn locked<T, R>(&self, lock: &SpinLock<T>, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut shared = loop {
            if self.is_torn() {
                return None;
            }
            if let Some(shared) = lock.try_lock() {
                break shared;
            }
            cpu::relax();
        };
        let mut hold = Hold::new(self.instance);
        // Unwinding lets the lock go after it has marked it as torn.
        if self.is_torn() {
            hold.done = true;
            return None;
        }
        let result = body(&mut shared);
        hold.done = true;
        Some(result)
    }

    /// Wraps the state for a swap, with its lineage if the cell keeps one.
    #[must_use]
    pub fn into_state(self: Arc<Self>, lineage: Option<Lineage>) -> State {
        SCHEMAS.wrap(self, lineage)
    }

    /// Unwraps it again.
    ///
    /// # Errors
    /// The state itself when it is another one.
    pub fn from_state(state: State) -> Result<(Arc<Self>, Option<Lineage>), State> {
        SCHEMAS.unwrap(state)
    }
}

/// How the last [`Recent::WINDOW`] transactions ended: two bits each in a ring.
/// Written under the lock of [`Shared`], read without it.
#[derive(Debug)]
pub struct Recent {
    words: Box<[AtomicU64]>,
    /// Ids before it are not in the ring.
    first: AtomicU64,
    /// The next id.
    next: AtomicU64,
}

impl Recent {
    /// How many ids the ring remembers.
    pub const WINDOW: u64 = 1 << 16;
    const PER_WORD: u64 = 32;

    fn new(first: Xid) -> Self {
        let words = (0..Self::WINDOW / Self::PER_WORD).map(|_| AtomicU64::new(0));
        Recent {
            words: words.collect(),
            first: AtomicU64::new(first.0),
            next: AtomicU64::new(first.0),
        }
    }

    fn place(&self, xid: u64) -> (&AtomicU64, u64) {
        let word = (xid / Self::PER_WORD) as usize & (self.words.len() - 1);
        (&self.words[word], (xid % Self::PER_WORD) * 2)
    }

    /// `xid` begins to run; it is the next one.
    pub fn begin(&self, xid: u64) {
        let (word, shift) = self.place(xid);
        if shift == 0 {
            word.store(0, Ordering::Release);
        }
        self.next.store(xid + 1, Ordering::Release);
    }

    /// `xid` has ended. Does nothing when it has left the ring.
    pub fn end(&self, xid: u64, committed: bool) {
        if self.covers(xid) {
            let (word, shift) = self.place(xid);
            let bits = if committed { 1 } else { 2 };
            word.fetch_or(bits << shift, Ordering::Release);
        }
    }

    fn covers(&self, xid: u64) -> bool {
        let next = self.next.load(Ordering::Acquire);
        // A word less, because clearing a word forgets all of its ids at once.
        xid >= self.first.load(Ordering::Acquire)
            && xid < next
            && xid + (Self::WINDOW - Self::PER_WORD) >= next
    }

    /// What became of `xid`; none when it is not in the ring.
    #[inline]
    pub fn get(&self, xid: u64) -> Option<XidStatus> {
        let (word, shift) = self.place(xid);
        let bits = (word.load(Ordering::Acquire) >> shift) & 3;
        // Asked after the load: the word may have been cleared for newer ids.
        self.covers(xid).then_some(match bits {
            0 => XidStatus::InProgress,
            1 => XidStatus::Committed,
            _ => XidStatus::Aborted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_holder_tears_its_state_and_no_other() {
        let (state, other) = (TxnState::new(Xid(3)), TxnState::new(Xid(3)));
        assert_eq!(state.with(|s| s.next), Some(3));
        let fault = task_port::gate(|| {
            // As a CPU fault leaves things: frames are gone, nothing is dropped.
            core::mem::forget(state.shared.lock());
            core::mem::forget(Hold::new(state.instance));
            panic!("skipped");
        });
        assert_eq!(fault.map_err(|f| f.released), Err::<(), _>(1));
        assert_eq!(state.with(|s| s.next), None);
        if other.instance != state.instance {
            assert_eq!(other.with(|s| s.next), Some(3));
        }
    }

    #[test]
    fn the_ring_forgets_old_ids_and_mixes_none_up() {
        let first = 100;
        let ring = Recent::new(Xid(first));
        assert_eq!(ring.get(first), None);
        let last = first + 3 * Recent::WINDOW;
        for xid in first..last {
            ring.begin(xid);
            assert_eq!(ring.get(xid), Some(XidStatus::InProgress));
            if xid % 3 != 0 {
                ring.end(xid, xid % 3 == 1);
            }
        }
        let expected = |xid: u64| match xid % 3 {
            0 => XidStatus::InProgress,
            1 => XidStatus::Committed,
            _ => XidStatus::Aborted,
        };
        for xid in first..last {
            match ring.get(xid) {
                Some(status) => assert_eq!(status, expected(xid)),
                None => assert!(xid + Recent::WINDOW - 32 < last),
            }
        }
        assert_eq!(ring.get(last), None);
        ring.end(first, true);
        assert_eq!(ring.get(last - 1), Some(expected(last - 1)));
    }
}
