//! Table locks. A weak lock on a target that nobody locks strongly is only noted
//! in its holder's place; the first strong request moves all of them into a
//! [`Lock`], where conflicts are seen, and the last strong holder to go leaves
//! the weak ones to their places again.
//!
//! Requests are granted in order: one waits behind earlier ones that it
//! conflicts with, unless its transaction holds the target already (waiting
//! behind someone who waits for oneself would be a deadlock at once).

use crate::place;
use alloc::vec::Vec;
use pg_txn_port::state::{Lock, Proc, Request, Shared, Waiting};
use pg_txn_port::{LockMode, LockTarget, TxnError, WaitReply};
use sync::Completion;

/// Takes a lock for `owner`, or stands in its queue.
pub fn lock(
    shared: &mut Shared,
    slot: u32,
    owner: u32,
    target: LockTarget,
    mode: LockMode,
    nowait: bool,
) -> Result<WaitReply, TxnError> {
    if !shared.locks.contains_key(&target) {
        if mode.is_weak() {
            add_mode(&mut place(shared, owner).weak, target, mode.bit());
            return Ok(WaitReply::Done);
        }
        gather(shared, target);
    }
    let ours = ours(&shared.procs, slot);
    let lock = shared.locks.entry(target).or_default();
    let holds = lock.holders.iter().any(|(s, _)| ours.contains(s));
    let behind = !holds
        && lock
            .queue
            .iter()
            .any(|r| r.mode.conflicts() & mode.bit() != 0);
    if !behind && !conflicts(lock, ours, mode) {
        grant(shared, owner, target, mode);
        return Ok(WaitReply::Done);
    }
    if nowait {
        settle(shared, target, &mut Vec::new());
        return Err(TxnError::LockNotAvailable);
    }
    let done = Completion::new();
    let request = Request {
        slot,
        owner,
        mode,
        done: done.clone(),
    };
    if holds {
        lock.queue.push_front(request);
    } else {
        lock.queue.push_back(request);
    }
    place(shared, slot).waiting = Some(Waiting::Lock { target, mode });
    Ok(WaitReply::Wait(done))
}

fn add_mode(modes: &mut Vec<(LockTarget, u8)>, target: LockTarget, bit: u8) {
    match modes.iter_mut().find(|(t, _)| *t == target) {
        Some((_, modes)) => *modes |= bit,
        None => modes.push((target, bit)),
    }
}

/// Moves all weak locks on `target` from their holders' places into its lock.
fn gather(shared: &mut Shared, target: LockTarget) {
    let mut lock = Lock::default();
    for (slot, proc) in (0u32..).zip(&mut shared.procs) {
        if let Some(at) = proc.weak.iter().position(|(t, _)| *t == target) {
            let (_, modes) = proc.weak.swap_remove(at);
            proc.held.push(target);
            lock.holders.push((slot, modes));
        }
    }
    shared.locks.insert(target, lock);
}

/// A transaction's place and that of its session's locks; twice the same when the
/// session has none.
pub fn ours(procs: &[Proc], slot: u32) -> [u32; 2] {
    let session = procs.get(slot as usize).and_then(|p| p.session);
    [slot, session.unwrap_or(slot)]
}

/// Whether someone else holds the lock in a mode that conflicts.
fn conflicts(lock: &Lock, ours: [u32; 2], mode: LockMode) -> bool {
    let others = lock.holders.iter().filter(|(s, _)| !ours.contains(s));
    others
        .into_iter()
        .any(|(_, modes)| modes & mode.conflicts() != 0)
}

fn grant(shared: &mut Shared, slot: u32, target: LockTarget, mode: LockMode) {
    let lock = shared.locks.entry(target).or_default();
    match lock.holders.iter_mut().find(|(s, _)| *s == slot) {
        Some((_, modes)) => *modes |= mode.bit(),
        None => {
            lock.holders.push((slot, mode.bit()));
            place(shared, slot).held.push(target);
        }
    }
}

/// Grants what can be granted now, and forgets a lock that has become
/// unnecessary.
fn settle(shared: &mut Shared, target: LockTarget, woken: &mut Vec<Completion>) {
    let mut at = 0;
    let mut ahead = 0u8;
    while let Some(lock) = shared.locks.get_mut(&target) {
        let Some(request) = lock.queue.get(at).cloned() else {
            break;
        };
        let ours = ours(&shared.procs, request.slot);
        if ahead & request.mode.conflicts() != 0 || conflicts(lock, ours, request.mode) {
            ahead |= request.mode.bit();
            at += 1;
            continue;
        }
        lock.queue.remove(at);
        grant(shared, request.owner, target, request.mode);
        place(shared, request.slot).waiting = None;
        woken.push(request.done);
    }
    let weak_modes = LockMode::ALL.iter().filter(|m| m.is_weak());
    let weak = weak_modes.fold(0, |set, m| set | m.bit());
    let idle =
        |lock: &Lock| lock.queue.is_empty() && lock.holders.iter().all(|(_, m)| m & !weak == 0);
    if shared.locks.get(&target).is_some_and(idle)
        && let Some(lock) = shared.locks.remove(&target)
    {
        for (slot, modes) in lock.holders {
            let proc = place(shared, slot);
            proc.held.retain(|t| *t != target);
            proc.weak.push((target, modes));
        }
    }
}

/// Gives one lock back.
pub fn unlock(
    shared: &mut Shared,
    slot: u32,
    target: LockTarget,
    mode: LockMode,
    woken: &mut Vec<Completion>,
) {
    let weak = &mut place(shared, slot).weak;
    if let Some(at) = weak.iter().position(|(t, _)| *t == target) {
        weak[at].1 &= !mode.bit();
        if weak[at].1 == 0 {
            weak.swap_remove(at);
        }
        return;
    }
    let Some(lock) = shared.locks.get_mut(&target) else {
        return;
    };
    if let Some(at) = lock.holders.iter().position(|(s, _)| *s == slot) {
        lock.holders[at].1 &= !mode.bit();
        if lock.holders[at].1 == 0 {
            lock.holders.swap_remove(at);
            place(shared, slot).held.retain(|t| *t != target);
        }
        settle(shared, target, woken);
    }
}

/// Gives back all locks of a transaction, and takes it out of any queue.
pub fn release_all(shared: &mut Shared, slot: u32, woken: &mut Vec<Completion>) {
    if place(shared, slot).waiting.is_some() {
        stop_waiting(shared, slot, woken);
    }
    place(shared, slot).weak.clear();
    while let Some(target) = place(shared, slot).held.pop() {
        if let Some(lock) = shared.locks.get_mut(&target) {
            lock.holders.retain(|(s, _)| *s != slot);
            settle(shared, target, woken);
        }
    }
}

/// Takes the transaction out of what it waits for. True when it waits for
/// nothing: it was granted.
pub fn stop_waiting(shared: &mut Shared, slot: u32, woken: &mut Vec<Completion>) -> bool {
    match place(shared, slot).waiting.take() {
        None => true,
        Some(Waiting::Xid { holder, .. }) => {
            place(shared, holder).waiters.retain(|w| w.slot != slot);
            false
        }
        Some(Waiting::Lock { target, .. }) => {
            if let Some(lock) = shared.locks.get_mut(&target) {
                lock.queue.retain(|r| r.slot != slot);
            }
            settle(shared, target, woken);
            false
        }
    }
}
