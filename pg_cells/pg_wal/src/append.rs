//! Appending: the checksum is computed outside the lock, all but its last eight
//! bytes, which are the record's position.

use core::sync::atomic::Ordering;
use pg_wal_port::record::Builder;
use pg_wal_port::{Append, Lsn, WalError, WalState};

pub(crate) fn append(
    state: &WalState,
    record: &mut Builder,
    redo_seen: Lsn,
) -> Result<Append, WalError> {
    let len = record.bytes().len() as u64;
    let xid = record.xid();
    let epoch = state.epoch.load(Ordering::SeqCst);
    // Behind the epoch: what is durable belongs to it, or the record is refused.
    let durable = state.flushed.load(Ordering::SeqCst);
    let prepared = record.prepare(epoch, durable);
    let mut insert = state.insert.lock();
    state.check()?;
    let redo = state.redo.load(Ordering::SeqCst);
    // A log that was started anew meanwhile counts as moved, too.
    if redo != redo_seen.0 || epoch != state.epoch.load(Ordering::SeqCst) {
        return Ok(Append::RedoMoved(Lsn(redo)));
    }
    let at = insert.ring.end();
    // One block stays free, so that the last one never meets the first.
    let limit = state.size.load(Ordering::Relaxed) - pg_page::superblock::BLOCK;
    if at + len - state.kept_from.load(Ordering::SeqCst) > limit {
        return Err(WalError::Full);
    }
    if insert.ring.room() < len {
        if len > insert.ring.size() / 2 {
            return Err(WalError::TooLarge);
        }
        return Ok(Append::Flush(Lsn(at)));
    }
    record.place(at, prepared);
    insert.ring.append(record.bytes());
    insert.highest_xid = insert.highest_xid.max(xid);
    let end = insert.ring.end();
    state.inserted.store(end, Ordering::SeqCst);
    state.records.fetch_add(1, Ordering::Relaxed);
    Ok(Append::Done(Lsn(end)))
}
