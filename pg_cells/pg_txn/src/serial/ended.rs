//! The end of a serializable transaction, and what stays of one that committed:
//! as long as one that began before its commit runs, it may be part of an
//! anomaly. When too many stay, the oldest is summarised: less is known then, and
//! in doubt somebody fails.

use super::locks;
use alloc::vec::Vec;
use pg_txn_port::serial_state::{NEVER, OldXid, Serial};
use sync::Completion;

/// How many committed transactions are known one by one.
pub const FINISHED: usize = 512;
/// How many ids of summarised transactions are known.
const OLD_XIDS: usize = 1 << 16;

/// The transaction ends, with its other ids and locks, under the same lock.
pub fn end(serial: &mut Serial, me: u64, committed: bool, woken: &mut Vec<Completion>) {
    serial.active.retain(|a| *a != me);
    if !serial.xacts.contains_key(&me) {
        // It was safe, or has waited to be.
    } else if committed {
        commit(serial, me);
        watchers(serial, me, woken);
        serial.finished.push_back(me);
    } else {
        forget(serial, me, woken);
    }
    clean(serial);
}

fn commit(serial: &mut Serial, me: u64) {
    serial.now += 1;
    let now = serial.now;
    let Some(mine) = serial.xacts.get_mut(&me) else {
        return;
    };
    mine.committed = now;
    mine.prepared = mine.prepared.min(now);
    mine.read_only |= !mine.wrote;
    let mut earliest = match mine.summary_out {
        true => 0,
        false => NEVER,
    };
    let (outs, ins, read_only) = (mine.outs.clone(), mine.ins.clone(), mine.read_only);
    // Of those it did not see, the committed ones are known by the earliest of
    // them from now on.
    for out in outs {
        let Some(other) = serial.xacts.get_mut(&out) else {
            continue;
        };
        if other.is_committed() {
            earliest = earliest.min(other.prepared);
            other.ins.retain(|i| *i != me);
            drop_link(serial, me, |x| &mut x.outs, out);
        }
    }
    // Committed readers and those that only read can harm it no more.
    for reader in ins {
        let Some(other) = serial.xacts.get_mut(&reader) else {
            continue;
        };
        if other.is_committed() || other.read_only {
            other.outs.retain(|o| *o != me);
            drop_link(serial, me, |x| &mut x.ins, reader);
        }
    }
    if let Some(mine) = serial.xacts.get_mut(&me)
        && !read_only
    {
        mine.earliest_out = earliest;
    }
}

fn drop_link(
    serial: &mut Serial,
    of: u64,
    list: impl Fn(&mut pg_txn_port::serial_state::Xact) -> &mut Vec<u64>,
    gone: u64,
) {
    if let Some(xact) = serial.xacts.get_mut(&of) {
        list(xact).retain(|id| *id != gone);
    }
}

/// Tells the read-only transactions beside `me`, which has ended, what that means
/// for their snapshots.
fn watchers(serial: &mut Serial, me: u64, woken: &mut Vec<Completion>) {
    let Some(mine) = serial.xacts.get_mut(&me) else {
        return;
    };
    let others = core::mem::take(&mut mine.possibly_unsafe);
    let harmful = match mine.is_committed() && mine.wrote {
        true => mine.earliest_out,
        false => NEVER,
    };
    let reads_only = mine.declared_read_only;
    for other in others {
        drop_link(serial, other, |x| &mut x.possibly_unsafe, me);
        let Some(reader) = serial.xacts.get_mut(&other).filter(|_| !reads_only) else {
            continue;
        };
        if harmful <= reader.snapshot {
            reader.is_unsafe = true;
            let writers = core::mem::take(&mut reader.possibly_unsafe);
            woken.extend(reader.waiter.take());
            for writer in writers {
                drop_link(serial, writer, |x| &mut x.possibly_unsafe, other);
            }
        } else if reader.possibly_unsafe.is_empty() && !reader.is_unsafe {
            match reader.waiter.take() {
                Some(done) => woken.push(done),
                // It is safe from now on, and takes part no more.
                None if !reader.is_committed() => forget(serial, other, woken),
                None => {}
            }
        }
    }
}

/// Forgets a transaction that was rolled back, or need not take part.
pub fn forget(serial: &mut Serial, me: u64, woken: &mut Vec<Completion>) {
    watchers(serial, me, woken);
    locks::release(serial, me);
    serial.active.retain(|a| *a != me);
    if let Some(mine) = serial.xacts.remove(&me) {
        for xid in mine.xids {
            serial.by_xid.remove(&xid);
        }
        for out in mine.outs {
            drop_link(serial, out, |x| &mut x.ins, me);
        }
        for reader in mine.ins {
            drop_link(serial, reader, |x| &mut x.outs, me);
        }
    }
}

/// Lets go of committed transactions that cannot be part of an anomaly any more.
fn clean(serial: &mut Serial) {
    let (mut oldest, mut oldest_writer) = (NEVER, NEVER);
    for xact in serial.active.iter().filter_map(|id| serial.xacts.get(id)) {
        oldest = oldest.min(xact.snapshot);
        if !xact.declared_read_only {
            oldest_writer = oldest_writer.min(xact.snapshot);
        }
    }
    let committed = |serial: &Serial, id: u64| serial.xacts.get(&id).map_or(0, |x| x.committed);
    let mut at = 0;
    while let Some(&id) = serial.finished.get(at) {
        let moment = committed(serial, id);
        if moment > oldest_writer {
            break;
        }
        if moment <= oldest || serial.xacts.get(&id).is_some_and(|x| x.read_only) {
            serial.finished.remove(at);
            forget(serial, id, &mut Vec::new());
        } else {
            release_partly(serial, id);
            at += 1;
        }
    }
    if !serial.old_readers.is_empty() {
        serial
            .old_readers
            .retain(|_, commit| *commit > oldest_writer);
    }
    if !serial.old_xids.is_empty() {
        serial.old_xids.retain(|_, old| old.commit > oldest);
    }
    if serial.active.is_empty() {
        serial.forgotten_xid = 0;
    }
    while serial.finished.len() > FINISHED {
        summarise(serial);
    }
}

/// All who run beside it only read: nobody asks what it has read.
fn release_partly(serial: &mut Serial, id: u64) {
    let Some(xact) = serial.xacts.get_mut(&id).filter(|x| !x.partly_released) else {
        return;
    };
    xact.partly_released = true;
    for reader in core::mem::take(&mut xact.ins) {
        drop_link(serial, reader, |x| &mut x.outs, id);
    }
    locks::release(serial, id);
}

/// Keeps of the oldest committed transaction what it has read, its ids, and that
/// it had conflicts.
fn summarise(serial: &mut Serial) {
    let Some(id) = serial.finished.pop_front() else {
        return;
    };
    let places = locks::release(serial, id);
    let Some(xact) = serial.xacts.get_mut(&id) else {
        return;
    };
    let old = OldXid {
        commit: xact.committed,
        earliest_out: xact.earliest_out,
    };
    let (outs, ins) = (xact.outs.clone(), xact.ins.clone());
    if !xact.read_only {
        for xid in xact.xids.clone() {
            serial.old_xids.insert(xid, old);
        }
    }
    locks::keep_old(serial, places, old.commit);
    for out in outs {
        if let Some(other) = serial.xacts.get_mut(&out) {
            other.summary_in = true;
        }
    }
    for reader in ins {
        if let Some(other) = serial.xacts.get_mut(&reader) {
            other.summary_out = true;
        }
    }
    forget(serial, id, &mut Vec::new());
    while serial.old_xids.len() > OLD_XIDS {
        if let Some((xid, _)) = serial.old_xids.pop_first() {
            serial.forgotten_xid = serial.forgotten_xid.max(xid);
        }
    }
}
