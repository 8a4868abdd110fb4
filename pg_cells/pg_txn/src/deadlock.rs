//! Deadlocks: a cycle in the graph of who waits for whom. Looked for when a wait
//! has lasted a while, by the one who waits; if the cycle goes through it, it is
//! the victim. The last to close a cycle waits too and will look, so none is
//! missed.

use crate::locks;
use alloc::vec;
use alloc::vec::Vec;
use pg_txn_port::state::{Shared, Waiting};

/// Whether the transaction at `slot` waits, through others, for itself.
pub fn waits_for_itself(shared: &Shared, slot: u32) -> bool {
    let mut seen = vec![false; shared.procs.len()];
    let mut open = Vec::new();
    blockers(shared, slot, &mut open);
    while let Some(other) = open.pop() {
        if other == slot {
            return true;
        }
        if let Some(seen) = seen.get_mut(other as usize)
            && !core::mem::replace(seen, true)
        {
            blockers(shared, other, &mut open);
        }
    }
    false
}

/// Appends those whom the transaction at `slot` waits for.
pub fn blockers(shared: &Shared, slot: u32, out: &mut Vec<u32>) {
    let Some(proc) = shared.procs.get(slot as usize) else {
        return;
    };
    match &proc.waiting {
        None => {}
        Some(Waiting::Xid { holder, serial, .. }) => {
            let place = shared.procs.get(*holder as usize);
            let still_there = place.filter(|p| p.serial == *serial);
            out.extend(still_there.map(|_| *holder));
        }
        Some(Waiting::Lock { target, mode }) => {
            let Some(lock) = shared.locks.get(target) else {
                return;
            };
            let ours = locks::ours(&shared.procs, slot);
            let holders = lock
                .holders
                .iter()
                .filter(|(s, m)| !ours.contains(s) && m & mode.conflicts() != 0);
            for (holder, _) in holders {
                out.push(*holder);
                // Of a session's lock: its transaction, if it has one now.
                let place = shared.procs.get(*holder as usize);
                let tenant = place.and_then(|p| p.tenant);
                let there = |(slot, serial): &(u32, u64)| {
                    let tenant = shared.procs.get(*slot as usize);
                    tenant.is_some_and(|t| t.serial == *serial)
                };
                out.extend(tenant.filter(there).map(|(slot, _)| slot));
            }
            let ahead = lock.queue.iter().take_while(|r| r.slot != slot);
            let ahead = ahead.filter(|r| r.mode.conflicts() & mode.bit() != 0);
            out.extend(ahead.map(|r| r.slot));
        }
    }
}
