//! What the database holds and has done, as numbers with names: for scripts that
//! look for leaks. A part that does not run has no numbers.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// A number and its name.
type Counter = (&'static str, u64);

pub(crate) fn all() -> Vec<(String, u64)> {
    let all = pool().into_iter().chain(temporary());
    let all = all.chain(log()).chain(transactions());
    let own = |(name, number): Counter| (name.to_string(), number);
    all.chain(sessions()).map(own).collect()
}

fn pool() -> Vec<Counter> {
    let (Ok(now), Ok(done)) = (pg_buffer_port::under_way(), pg_buffer_port::stats()) else {
        return Vec::new();
    };
    let files = pg_buffer_port::files().map_or(0, |files| files.len() as u64);
    alloc::vec![
        ("pool.pins", now.pins),
        ("pool.latched", now.latched),
        ("pool.claimed", now.claimed),
        ("pool.writing", now.writing),
        ("pool.wanted", now.wanted),
        ("pool.reading", now.reading),
        ("pool.frames", done.frames),
        ("pool.dirty", done.dirty),
        ("pool.hits", done.hits),
        ("pool.reads", done.reads),
        ("pool.read_ahead", done.read_ahead),
        ("pool.writes", done.writes),
        ("pool.write_requests", done.write_requests),
        ("pool.evictions", done.evictions),
        ("pool.corrupt", done.corrupt),
        ("pool.checkpoints", done.checkpoints),
        ("pool.restarts", done.restarts),
        ("pool.checkpoint_pages", done.checkpoint_pages),
        ("pool.checkpoint_requests", done.checkpoint_requests),
        ("space.files", files),
        ("space.extents", done.extents),
        ("space.extents_used", done.extents - done.free_extents),
    ]
}

fn temporary() -> Vec<Counter> {
    let (Ok(state), Ok(room)) = (pg_temp_port::state(), pg_buffer_port::room()) else {
        return Vec::new();
    };
    let (used, _) = state.in_use();
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    alloc::vec![
        ("temp.used", used),
        ("temp.extents", room.lent),
        ("temp.files", read(&state.counters.files)),
        ("temp.written", read(&state.counters.written)),
        ("temp.read", read(&state.counters.read)),
    ]
}

fn log() -> Vec<Counter> {
    let done = pg_wal_port::stats();
    alloc::vec![
        ("log.records", done.records),
        ("log.flushes", done.flushes),
        ("log.used", done.used),
        ("log.size", done.size),
    ]
}

fn transactions() -> Vec<Counter> {
    let Ok(now) = pg_txn_port::TXN.enter().map(|txn| txn.counts()) else {
        return Vec::new();
    };
    alloc::vec![
        ("txn.open", now.open),
        ("txn.locks", now.locks),
        ("txn.running", now.running),
        ("txn.snapshots", now.snapshots),
        ("txn.waiting", now.waiting),
        ("txn.row_holders", now.row_holders),
        ("txn.serializable", now.serializable),
        ("txn.predicate_locks", now.predicate_locks),
    ]
}

fn sessions() -> Vec<Counter> {
    alloc::vec![("sessions", pg_wire_port::sessions().len() as u64)]
}
