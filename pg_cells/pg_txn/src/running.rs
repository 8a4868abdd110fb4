//! Who runs: ids, snapshots, ends, and waiting for them. Row holders too, since
//! they count for as long as their transactions run.

use crate::{locks, place};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use pg_txn_port::state::{Proc, Shared, Waiter, Waiting};
use pg_txn_port::{
    ActiveSet, Assigned, Keep, RowHolder, RowKey, Sight, StatusReply, TxnCounts, TxnState,
    WaitReply, Xid, XidStatus, commit_log,
};
use sync::Completion;

/// Takes a place: its number and which use of it this is.
pub fn begin(shared: &mut Shared) -> (u32, u64) {
    shared.serial += 1;
    let slot = shared.free.pop().unwrap_or_else(|| {
        shared.procs.push(Proc::default());
        (shared.procs.len() - 1) as u32
    });
    let serial = shared.serial;
    let proc = place(shared, slot);
    proc.serial = serial;
    look_away(proc);
    (slot, serial)
}

/// It has no snapshot.
fn look_away(proc: &mut Proc) {
    (proc.xmin, proc.solid) = (u64::MAX, u64::MAX);
    proc.exact = None;
}

/// Takes a set for a transaction, which keeps what it says beside it.
pub fn look(shared: &mut Shared, slot: u32, keep: Keep, exact: bool) -> Arc<ActiveSet> {
    let set = active_set(shared);
    let proc = place(shared, slot);
    proc.xmin = keep.xmin.0.min(set.xmin.0);
    proc.solid = keep.solid.0;
    if exact {
        proc.exact = Some(Arc::clone(&set));
    } else {
        proc.solid = proc.solid.min(set.xmin.0);
    }
    set
}

/// Who runs now; the same set until someone ends.
pub fn active_set(shared: &mut Shared) -> Arc<ActiveSet> {
    if let Some(set) = &shared.active {
        return Arc::clone(set);
    }
    let mut set = shared.spare.take().unwrap_or_default();
    if Arc::get_mut(&mut set).is_none() {
        set = Arc::default();
    }
    if let Some(fresh) = Arc::get_mut(&mut set) {
        fresh.running.clear();
        let ids = shared.running.iter().map(|(xid, _)| Xid(*xid));
        fresh.running.extend(ids);
        fresh.xmax = Xid(shared.next);
        fresh.xmin = fresh.running.first().copied().unwrap_or(fresh.xmax);
    }
    shared.active = Some(Arc::clone(&set));
    set
}

/// Gives the transaction an id, if one is reserved.
pub fn assign(state: &TxnState, shared: &mut Shared, slot: u32) -> Assigned {
    if shared.next >= shared.reserved {
        return Assigned::Reserve(Xid(shared.reserved + commit_log::BATCH));
    }
    let xid = shared.next;
    shared.next += 1;
    state.recent.begin(xid);
    shared.running.push((xid, slot));
    place(shared, slot).xids.push(xid);
    Assigned::Xid(Xid(xid))
}

fn is_running(shared: &Shared, xid: u64) -> bool {
    shared.running.binary_search_by_key(&xid, |r| r.0).is_ok()
}

/// What became of `xid`, as far as memory knows.
pub fn status(state: &TxnState, xid: Xid) -> StatusReply {
    if let Some(status) = state.recent.get(xid.0) {
        return StatusReply::Known(status);
    }
    if xid.0 >= state.oldest_running.load(Ordering::Acquire)
        && state.with(|shared| is_running(shared, xid.0)) == Some(true)
    {
        return StatusReply::Known(XidStatus::InProgress);
    }
    StatusReply::InLog
}

/// Ends ids: they run no more, and those who wait for them go on.
fn end_ids(
    state: &TxnState,
    shared: &mut Shared,
    slot: u32,
    xids: &[u64],
    committed: bool,
    woken: &mut Vec<Completion>,
) {
    for xid in xids {
        if let Ok(at) = shared.running.binary_search_by_key(xid, |r| r.0) {
            shared.running.remove(at);
        }
        state.recent.end(*xid, committed);
    }
    if let Some(set) = shared.active.take() {
        shared.spare = Some(set);
    }
    let oldest = shared.running.first().map_or(shared.next, |r| r.0);
    state.oldest_running.store(oldest, Ordering::Release);
    let mut waiters = core::mem::take(&mut place(shared, slot).waiters);
    waiters.retain(|waiter| {
        if !xids.contains(&waiter.xid) {
            return true;
        }
        place(shared, waiter.slot).waiting = None;
        woken.push(waiter.done.clone());
        false
    });
    place(shared, slot).waiters = waiters;
}

/// Closes a transaction and gives its place back.
pub fn end(
    state: &TxnState,
    shared: &mut Shared,
    slot: u32,
    committed: bool,
    woken: &mut Vec<Completion>,
) {
    let mut xids = core::mem::take(&mut place(shared, slot).xids);
    if !xids.is_empty() {
        end_ids(state, shared, slot, &xids, committed, woken);
        xids.clear();
    }
    locks::release_all(shared, slot, woken);
    let proc = place(shared, slot);
    proc.xids = xids;
    proc.serial = 0;
    look_away(proc);
    proc.waiting = None;
    proc.session = None;
    proc.tenant = None;
    shared.free.push(slot);
}

/// Ends some of a transaction's ids as aborted.
pub fn abort_ids(
    state: &TxnState,
    shared: &mut Shared,
    slot: u32,
    xids: &[Xid],
    woken: &mut Vec<Completion>,
) {
    let gone: Vec<u64> = xids.iter().map(|x| x.0).collect();
    place(shared, slot).xids.retain(|x| !gone.contains(x));
    end_ids(state, shared, slot, &gone, false, woken);
}

/// Waits for the end of `xid`, if it runs.
pub fn wait_for(shared: &mut Shared, slot: u32, xid: Xid) -> WaitReply {
    let Ok(at) = shared.running.binary_search_by_key(&xid.0, |r| r.0) else {
        return WaitReply::Done;
    };
    let holder = shared.running[at].1;
    let done = Completion::new();
    let serial = {
        let proc = place(shared, holder);
        proc.waiters.push(Waiter {
            xid: xid.0,
            slot,
            done: done.clone(),
        });
        proc.serial
    };
    place(shared, slot).waiting = Some(Waiting::Xid {
        xid: xid.0,
        holder,
        serial,
    });
    WaitReply::Wait(done)
}

/// Before it, nobody looks: the oldest id that runs, or that was running when
/// the oldest snapshot in use was taken.
pub fn horizon(shared: &Shared) -> Xid {
    let running = shared.running.first().map_or(shared.next, |r| r.0);
    let snapshots = shared.procs.iter().filter(|p| p.serial != 0);
    Xid(snapshots
        .map(|p| p.xmin)
        .min()
        .unwrap_or(u64::MAX)
        .min(running))
}

/// Who looks.
pub fn sight(shared: &mut Shared) -> Sight {
    let now = active_set(shared);
    let open = shared.procs.iter().filter(|p| p.serial != 0);
    let solid = open.clone().map(|p| p.solid).min();
    Sight {
        horizon: horizon(shared),
        solid: Xid(solid.unwrap_or(u64::MAX)),
        now,
        exact: open.filter_map(|p| p.exact.clone()).collect(),
    }
}

/// What there is, but for serializable transactions.
pub fn counts(shared: &Shared) -> TxnCounts {
    let open = || shared.procs.iter().filter(|p| p.serial != 0);
    let modes = |set: &u8| u64::from(set.count_ones());
    let table = shared.locks.values();
    let strong: u64 = table
        .clone()
        .flat_map(|lock| lock.holders.iter().map(|(_, set)| modes(set)))
        .sum();
    let weak: u64 = open()
        .flat_map(|p| p.weak.iter().map(|(_, set)| modes(set)))
        .sum();
    let queued: usize = table.map(|lock| lock.queue.len()).sum();
    let for_ids: usize = open().map(|p| p.waiters.len()).sum();
    let holders = shared.rows.values().flatten();
    TxnCounts {
        open: open().count() as u64,
        locks: strong + weak,
        running: shared.running.len() as u64,
        snapshots: open().filter(|p| p.xmin != u64::MAX).count() as u64,
        waiting: (queued + for_ids) as u64,
        row_holders: holders.filter(|h| is_running(shared, h.xid.0)).count() as u64,
        ..TxnCounts::default()
    }
}

/// The holders of `row` in the lock table that still run.
pub fn row_holders(state: &TxnState, row: RowKey) -> Vec<RowHolder> {
    let holders = state.with(|shared| {
        let all = shared.rows.get(&row).into_iter().flatten();
        all.filter(|h| is_running(shared, h.xid.0))
            .copied()
            .collect()
    });
    // The holders of a torn state cannot commit any more.
    holders.unwrap_or_default()
}

/// Notes a holder of `row`. Sweeps holders that have ended out when the table
/// has doubled since the last time.
pub fn add_row_holder(shared: &mut Shared, row: RowKey, holder: RowHolder) {
    let running = &shared.running;
    let runs = |h: &RowHolder| running.binary_search_by_key(&h.xid.0, |r| r.0).is_ok();
    if shared.rows.len() > 2 * shared.rows_swept + 64 {
        shared.rows.retain(|_, holders| {
            holders.retain(&runs);
            !holders.is_empty()
        });
        shared.rows_swept = shared.rows.len();
    }
    let holders = shared.rows.entry(row).or_default();
    holders.retain(&runs);
    match holders.iter_mut().find(|h| h.xid == holder.xid) {
        Some(known) => known.lock = known.lock.max(holder.lock),
        None => holders.push(holder),
    }
}
