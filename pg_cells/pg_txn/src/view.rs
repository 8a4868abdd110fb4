//! What the views over the running system show of the transactions.

use crate::deadlock::blockers;
use alloc::vec::Vec;
use pg_txn_port::state::{Shared, Waiting};
use pg_txn_port::{Process, WaitsFor, Xid};

/// Every place in use.
pub fn processes(shared: &Shared) -> Vec<Process> {
    let mut all = Vec::new();
    for (slot, proc) in (0u32..).zip(&shared.procs) {
        if proc.serial == 0 {
            continue;
        }
        let mut locks: Vec<_> = proc.weak.iter().map(|(t, m)| (*t, *m, true)).collect();
        for target in &proc.held {
            let holders = shared.locks.get(target).map(|l| l.holders.as_slice());
            let mut ours = holders.unwrap_or_default().iter();
            if let Some((_, modes)) = ours.find(|(s, _)| *s == slot) {
                locks.push((*target, *modes, false));
            }
        }
        let waits = proc.waiting.as_ref().map(|waiting| match waiting {
            Waiting::Xid { xid, .. } => WaitsFor::Xid(Xid(*xid)),
            Waiting::Lock { target, mode } => WaitsFor::Lock(*target, *mode),
        });
        let mut in_the_way = Vec::new();
        blockers(shared, slot, &mut in_the_way);
        in_the_way.sort_unstable();
        in_the_way.dedup();
        all.push(Process {
            slot,
            serial: proc.serial,
            xids: proc.xids.iter().map(|xid| Xid(*xid)).collect(),
            xmin: (proc.xmin != u64::MAX).then_some(Xid(proc.xmin)),
            locks,
            waits,
            blockers: in_the_way,
            session: proc.session,
        });
    }
    all
}
