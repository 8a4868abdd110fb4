//! Serializable snapshot isolation. Transactions run under snapshots; what they
//! read is noted as SIREAD locks, which block nobody. Where a reader did not see
//! a concurrent writer's change there is a *conflict* reader → writer. Every
//! anomaly has two of them in a row, T1 → T2 → T3 (T2 is the *pivot*), where T3
//! commits first; where that shows, one of the three fails (40001).
//!
//! The rules are those of PostgreSQL's `README-SSI` and of Ports and Grittner
//! (2012); where moments are compared here, PostgreSQL compares its serializable
//! commit sequence numbers. What differs:
//!
//! - A snapshot and its moment, and an end and its moment, are taken under one
//!   lock, so being concurrent is a comparison of moments alone.
//! - All ids of a transaction are known, those of savepoints too.
//!
//! Lock order: this state, then that of the other transactions; never back.
//!
//! - `conflict`: conflicts, and which of them are dangerous
//! - `locks`: SIREAD locks, coarser where there are many
//! - `ended`: what stays of a transaction that has ended, and until when

mod conflict;
mod ended;
mod locks;
#[cfg(test)]
mod tests;

pub use conflict::{prepare, write};
pub use ended::end;
pub use locks::{replaced, split};

use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_txn_port::serial_state::{Serial, Xact};
use pg_txn_port::{ActiveSet, ReadReply, ReadTarget, SerialStart, TxnError, Xid};
use sync::Completion;

/// Begins: `set` is the snapshot, taken under this lock.
pub fn begin(
    serial: &mut Serial,
    me: u64,
    set: Arc<ActiveSet>,
    read_only: bool,
    deferrable: bool,
) -> SerialStart {
    let mut mine = Xact::new(serial.now, read_only);
    if read_only {
        let could_harm = |id: &u64| {
            let other = serial.xacts.get(id);
            other.is_some_and(|o| !o.declared_read_only && !o.doomed)
        };
        mine.possibly_unsafe = serial.active.iter().copied().filter(could_harm).collect();
        if mine.possibly_unsafe.is_empty() {
            return SerialStart::Safe(set);
        }
        for writer in &mine.possibly_unsafe {
            if let Some(writer) = serial.xacts.get_mut(writer) {
                writer.possibly_unsafe.push(me);
            }
        }
    }
    let start = if deferrable {
        let done = Completion::new();
        mine.waiter = Some(done.clone());
        SerialStart::Wait(set, done)
    } else {
        SerialStart::Tracked(set)
    };
    serial.active.push(me);
    serial.xacts.insert(me, mine);
    start
}

/// Whether the snapshot that was waited for is safe. It takes no part in either
/// case: a safe one need not, another one is given up.
pub fn is_safe(serial: &mut Serial, me: u64, woken: &mut Vec<Completion>) -> bool {
    let safe = serial
        .xacts
        .get(&me)
        .is_none_or(|x| !x.is_unsafe && x.possibly_unsafe.is_empty());
    ended::forget(serial, me, woken);
    safe
}

/// The transaction has a new id.
pub fn assigned(serial: &mut Serial, me: u64, xid: Xid) {
    if let Some(mine) = serial.xacts.get_mut(&me) {
        mine.xids.push(xid.0);
        serial.by_xid.insert(xid.0, me);
    }
}

/// Ids of the transaction were rolled back with a savepoint.
pub fn rolled_back(serial: &mut Serial, me: u64, xids: &[Xid]) {
    for xid in xids {
        serial.by_xid.remove(&xid.0);
    }
    if let Some(mine) = serial.xacts.get_mut(&me) {
        mine.xids.retain(|x| !xids.contains(&Xid(*x)));
    }
}

/// Notes what was read, and whose changes to it were not seen.
pub fn read(
    serial: &mut Serial,
    me: u64,
    place: Option<ReadTarget>,
    unseen: &[Xid],
) -> Result<ReadReply, TxnError> {
    if !serial.xacts.contains_key(&me) {
        return Ok(ReadReply::Safe);
    }
    for xid in unseen {
        conflict::unseen(serial, me, *xid)?;
    }
    let Some(place) = place else {
        return Ok(ReadReply::Noted);
    };
    Ok(ReadReply::Covered(locks::acquire(serial, me, place)))
}
