//! The transaction manager: ids, snapshots, table locks, and who waits for whom.
//!
//! Everything it knows is in one [`TxnState`] of the port crate, which goes from
//! version to version at a swap; without one (at the start, or when a fault has
//! torn it) a fresh state begins behind the ids reserved on disk, and what ran
//! before counts as aborted. No call here sleeps or touches a page; see the
//! port crate for who does.
//!
//! - `running`: ids, snapshots, ends
//! - `locks`: table locks and their queues
//! - `deadlock`: the search for a cycle of waits
//! - `serial`: serializable transactions
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod deadlock;
mod locks;
mod running;
mod serial;
#[cfg(test)]
mod tests;
mod view;

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_txn_port::serial_state::Serial;
use pg_txn_port::state::{Proc, Shared};
use pg_txn_port::{
    ActiveSet, Assigned, Keep, LockMode, LockTarget, ProcId, Process, ReadReply, ReadTarget,
    RowHolder, RowKey, SerialStart, Sight, StatusReply, TXN, TransactionManager, TxnCounts,
    TxnError, TxnState, WaitReply, Xid, commit_log,
};
use port::{Birth, BirthError, Component, CrashKind, HandoverError, Lineage, State};
use sync::Completion;

/// What this cell says of itself.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_txn_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let (state, lineage) = match birth.inherit(&TXN) {
        Some(state) => takeover(state, birth)?,
        None => (fresh(birth)?, None),
    };
    let kept = port::Kept::of(lineage, cfg!(feature = "lineage"));
    birth.provide(&TXN, Box::new(Manager { state, kept }));
    Ok(())
}

fn takeover(
    state: State,
    birth: &Birth<'_>,
) -> Result<(Arc<TxnState>, Option<Lineage>), BirthError> {
    let (state, lineage) = TxnState::from_state(state).map_err(|other| {
        BirthError::Handover(HandoverError::Schema {
            offered: other.schema(),
        })
    })?;
    // A state that a fault has torn may be half changed.
    if state.is_torn() {
        return Ok((fresh(birth)?, None));
    }
    Ok((state, lineage))
}

/// A state that knows nothing. On a new disk ids begin with the option
/// `first_xid`: for tests of ids that are far away.
fn fresh(birth: &Birth<'_>) -> Result<Arc<TxnState>, BirthError> {
    let first = birth
        .options()
        .get("first_xid")
        .and_then(|n| n.parse().ok());
    let first = Xid(first.unwrap_or(0)).max(Xid::FIRST);
    let first = commit_log::open(first)
        .map_err(|e| BirthError::Missing(format!("the commit log cannot be opened: {e:?}")))?;
    Ok(TxnState::new(first))
}

/// The provider.
struct Manager {
    state: Arc<TxnState>,
    kept: port::Kept,
}

impl Component for Manager {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        // Instead of a torn one another is made, of what is there when nobody calls.
        !self.state.is_torn()
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        Ok(Some(Arc::clone(&self.state).into_state(self.kept.give())))
    }

    fn reclaim(&self, _state: State) -> Result<(), HandoverError> {
        // Export gave a second reference to the same state.
        Ok(())
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Manager {
    /// The state. When the log began anew nobody of before runs any more: that is
    /// noticed here, before anything is asked.
    #[inline]
    fn state(&self) -> &TxnState {
        if self.state.is_of_the_past() {
            self.begin_anew();
        }
        &self.state
    }

    #[cold]
    fn begin_anew(&self) {
        let mut woken = Vec::new();
        self.state.begin_anew(&mut woken);
        for done in woken {
            done.complete(pg_txn_port::GRANTED);
        }
    }

    /// Runs `f` under the lock, if the place is still the caller's, and then
    /// ends the tokens that `f` collects.
    fn with<R>(
        &self,
        proc: ProcId,
        f: impl FnOnce(&mut Shared, u32, &mut Vec<Completion>) -> Result<R, TxnError>,
    ) -> Result<R, TxnError> {
        let mut granted = Vec::new();
        self.state();
        let result = self.collecting(proc, &mut granted, f);
        for done in granted {
            done.complete(pg_txn_port::GRANTED);
        }
        result
    }

    /// The same, for callers that hold another lock: the tokens are theirs to end.
    /// Under a lock nobody looks whether the state is of the past.
    fn collecting<R>(
        &self,
        proc: ProcId,
        granted: &mut Vec<Completion>,
        f: impl FnOnce(&mut Shared, u32, &mut Vec<Completion>) -> Result<R, TxnError>,
    ) -> Result<R, TxnError> {
        let result = self.state.with(|shared| {
            let place = shared.procs.get(proc.slot as usize);
            let ours = place.is_some_and(|p| p.serial == proc.serial);
            if !ours || proc.instance != self.state.instance() {
                return Err(TxnError::Serialization);
            }
            f(shared, proc.slot, granted)
        });
        // A torn state counts as lost.
        result.unwrap_or(Err(TxnError::Serialization))
    }

    fn active_set_now(
        &self,
        proc: ProcId,
        keep: Keep,
        exact: bool,
    ) -> Result<Arc<ActiveSet>, TxnError> {
        self.collecting(proc, &mut Vec::new(), |shared, slot, _| {
            Ok(running::look(shared, slot, keep, exact))
        })
    }
}

impl Manager {
    /// The same for what is known of serializable transactions.
    fn with_serial<R>(
        &self,
        proc: ProcId,
        f: impl FnOnce(&mut Serial, u64, &mut Vec<Completion>) -> Result<R, TxnError>,
    ) -> Result<R, TxnError> {
        if proc.instance != self.state().instance() {
            return Err(TxnError::Serialization);
        }
        let mut ended = Vec::new();
        let result = self.state.with_serial(|s| f(s, proc.serial, &mut ended));
        for done in ended {
            done.complete(pg_txn_port::GRANTED);
        }
        result.unwrap_or(Err(TxnError::Serialization))
    }
}

/// The place `slot`, which the caller knows to be there.
fn place(shared: &mut Shared, slot: u32) -> &mut Proc {
    &mut shared.procs[slot as usize]
}

impl TransactionManager for Manager {
    fn begin(&self) -> ProcId {
        // In a torn state a place is lost from the beginning.
        let (slot, serial) = self.state().with(running::begin).unwrap_or_default();
        ProcId {
            instance: self.state().instance(),
            slot,
            serial,
        }
    }

    fn active_set(
        &self,
        proc: ProcId,
        keep: Keep,
        exact: bool,
    ) -> Result<Arc<ActiveSet>, TxnError> {
        self.state();
        self.active_set_now(proc, keep, exact)
    }

    fn advertise(&self, proc: ProcId, keep: Keep) -> Result<(), TxnError> {
        self.with(proc, |shared, slot, _| {
            let proc = place(shared, slot);
            (proc.xmin, proc.solid) = (keep.xmin.0, keep.solid.0);
            Ok(())
        })
    }

    fn assign(&self, proc: ProcId) -> Result<Assigned, TxnError> {
        self.with(proc, |shared, slot, _| {
            Ok(running::assign(&self.state, shared, slot))
        })
    }

    fn reserved(&self, limit: Xid) {
        let raise = |shared: &mut Shared| shared.reserved = shared.reserved.max(limit.0);
        // Nobody asks a torn state for ids.
        let _ = self.state().with(raise);
    }

    fn status(&self, xid: Xid) -> StatusReply {
        running::status(self.state(), xid)
    }

    fn may_commit(&self, proc: ProcId) -> Result<(), TxnError> {
        self.with(proc, |_, _, _| Ok(()))
    }

    fn end(&self, proc: ProcId, committed: bool) {
        // A lost place has nothing left to end.
        let _ = self.with(proc, |shared, slot, woken| {
            running::end(&self.state, shared, slot, committed, woken);
            Ok(())
        });
    }

    fn abort_ids(&self, proc: ProcId, xids: &[Xid]) -> Result<(), TxnError> {
        self.with(proc, |shared, slot, woken| {
            running::abort_ids(&self.state, shared, slot, xids, woken);
            Ok(())
        })
    }

    fn wait_for(&self, proc: ProcId, xid: Xid) -> Result<WaitReply, TxnError> {
        self.with(proc, |shared, slot, _| {
            Ok(running::wait_for(shared, slot, xid))
        })
    }

    fn lock(
        &self,
        proc: ProcId,
        target: LockTarget,
        mode: LockMode,
        nowait: bool,
    ) -> Result<WaitReply, TxnError> {
        self.with(proc, |shared, slot, _| {
            locks::lock(shared, slot, slot, target, mode, nowait)
        })
    }

    fn attach(&self, proc: ProcId, session: ProcId) -> Result<(), TxnError> {
        self.with(session, |shared, session, _| {
            let there = shared.procs.get(proc.slot as usize);
            if there.is_none_or(|p| p.serial != proc.serial) {
                return Err(TxnError::Serialization);
            }
            place(shared, session).tenant = Some((proc.slot, proc.serial));
            place(shared, proc.slot).session = Some(session);
            Ok(())
        })
    }

    fn lock_for_session(
        &self,
        proc: ProcId,
        target: LockTarget,
        mode: LockMode,
        nowait: bool,
    ) -> Result<WaitReply, TxnError> {
        self.with(proc, |shared, slot, _| {
            let owner = place(shared, slot).session.unwrap_or(slot);
            locks::lock(shared, slot, owner, target, mode, nowait)
        })
    }

    fn unlock(&self, proc: ProcId, target: LockTarget, mode: LockMode) -> Result<(), TxnError> {
        self.with(proc, |shared, slot, woken| {
            locks::unlock(shared, slot, target, mode, woken);
            Ok(())
        })
    }

    fn is_waited_for(&self, target: LockTarget) -> bool {
        // Of a torn state nobody knows; nobody who waits there will get anything.
        let waits = |shared: &mut Shared| {
            shared
                .locks
                .get(&target)
                .is_some_and(|l| !l.queue.is_empty())
        };
        self.state.with(waits).unwrap_or(true)
    }

    fn stop_waiting(&self, proc: ProcId) -> Result<bool, TxnError> {
        self.with(proc, |shared, slot, woken| {
            Ok(locks::stop_waiting(shared, slot, woken))
        })
    }

    fn is_deadlocked(&self, proc: ProcId) -> Result<bool, TxnError> {
        self.with(proc, |shared, slot, _| {
            Ok(deadlock::waits_for_itself(shared, slot))
        })
    }

    fn row_holders(&self, row: RowKey) -> Vec<RowHolder> {
        running::row_holders(self.state(), row)
    }

    fn add_row_holder(&self, row: RowKey, holder: RowHolder) -> Result<(), TxnError> {
        let add = |shared: &mut Shared| running::add_row_holder(shared, row, holder);
        self.state().with(add).ok_or(TxnError::Serialization)
    }

    fn serial_begin(
        &self,
        proc: ProcId,
        keep: Xid,
        read_only: bool,
        deferrable: bool,
    ) -> Result<SerialStart, TxnError> {
        self.with_serial(proc, |serial, me, _| {
            let set = self.active_set_now(proc, Keep::solid(keep), false)?;
            Ok(serial::begin(serial, me, set, read_only, deferrable))
        })
    }

    fn serial_is_safe(&self, proc: ProcId) -> Result<bool, TxnError> {
        self.with_serial(proc, |serial, me, ended| {
            Ok(serial::is_safe(serial, me, ended))
        })
    }

    fn serial_assigned(&self, proc: ProcId, xid: Xid) -> Result<(), TxnError> {
        self.with_serial(proc, |serial, me, _| {
            serial::assigned(serial, me, xid);
            Ok(())
        })
    }

    fn serial_rolled_back(&self, proc: ProcId, xids: &[Xid]) -> Result<(), TxnError> {
        self.with_serial(proc, |serial, me, _| {
            serial::rolled_back(serial, me, xids);
            Ok(())
        })
    }

    fn serial_read(
        &self,
        proc: ProcId,
        place: Option<ReadTarget>,
        unseen: &[Xid],
    ) -> Result<ReadReply, TxnError> {
        self.with_serial(proc, |serial, me, _| {
            serial::read(serial, me, place, unseen)
        })
    }

    fn serial_write(&self, proc: ProcId, target: ReadTarget, all: bool) -> Result<(), TxnError> {
        self.with_serial(proc, |serial, me, _| serial::write(serial, me, target, all))
    }

    fn serial_split(&self, file: u32, block: u32, new: &[u32]) {
        // Of a torn state nobody can commit any more.
        let _ = self
            .state()
            .with_serial(|serial| serial::split(serial, file, block, new));
    }

    fn serial_replaced(&self, from: u32, to: u32) {
        let _ = self
            .state()
            .with_serial(|serial| serial::replaced(serial, from, to));
    }

    fn serial_prepare(&self, proc: ProcId) -> Result<(), TxnError> {
        self.with_serial(proc, |serial, me, _| serial::prepare(serial, me))
    }

    fn serial_end(&self, proc: ProcId, committed: bool) {
        // A lost place has nothing left to end.
        let _ = self.with_serial(proc, |serial, me, ended| {
            self.collecting(proc, ended, |shared, slot, woken| {
                running::end(&self.state, shared, slot, committed, woken);
                Ok(())
            })?;
            serial::end(serial, me, committed, ended);
            Ok(())
        });
    }

    fn sight(&self) -> Sight {
        let sight = self.state().with(running::sight);
        sight.unwrap_or_else(Sight::unknown)
    }

    fn horizon(&self) -> Xid {
        // Of a torn state nobody knows who looks.
        let horizon = self.state().with(|shared| running::horizon(shared));
        horizon.unwrap_or(Xid::INVALID)
    }

    fn next_xid(&self) -> Xid {
        self.state().with(|s| Xid(s.next)).unwrap_or(Xid::INVALID)
    }

    fn counts(&self) -> TxnCounts {
        let counts = self.state.with(|shared| running::counts(shared));
        let serial = self.state.with_serial(|s| (s.xacts.len(), s.locks));
        let (serializable, predicate_locks) = serial.unwrap_or_default();
        TxnCounts {
            serializable: serializable as u64,
            predicate_locks: predicate_locks as u64,
            ..counts.unwrap_or_default()
        }
    }

    fn processes(&self) -> Vec<Process> {
        let all = self.state.with(|shared| view::processes(shared));
        all.unwrap_or_default()
    }
}
