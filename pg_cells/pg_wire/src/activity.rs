//! What the sessions and their transactions do now: `pg_stat_activity`,
//! `pg_locks`, `pg_blocking_pids`, and the sums of what was done.

use crate::eval::Eval;
use crate::views::{Named, instant};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use pg_buffer_port::{FileId, Fork};
use pg_builtins::EvalContext;
use pg_executor_port::errors::txn_error;
use pg_txn_port::{LockMode, LockTarget, Locked, Process, WaitsFor, Xid};
use pg_types::{Datum, SqlError, SqlResult, SqlState, oid};
use pg_wire_port::{Entry, Kind, State};

/// The `pg_database` id of the only database.
const DATABASE: u32 = 5;
/// Between two looks whether a session has ended.
const LOOK_NS: u64 = 5_000_000;

fn count(n: u64) -> Datum {
    Datum::Int8(i64::try_from(n).unwrap_or(i64::MAX))
}

fn xid(xid: Xid) -> Datum {
    // Shown as the 32 bits that clients expect.
    Datum::Oid(xid.0 as u32)
}

/// The transactions and whose they are.
struct Seen {
    entries: Vec<Arc<Entry>>,
    processes: Vec<Process>,
}

impl Seen {
    fn now() -> Self {
        Seen {
            entries: pg_wire_port::sessions(),
            // None when the transaction manager is being replaced for good.
            processes: pg_txn_port::processes().unwrap_or_default(),
        }
    }

    fn transaction(&self, entry: &Entry) -> Option<&Process> {
        let serial = entry.transaction.load(Ordering::Relaxed);
        self.processes.iter().find(|p| p.serial == serial)
    }

    /// The session of a place, and whether the place is its transaction's.
    fn owner(&self, process: &Process) -> Option<(u32, bool)> {
        self.entries.iter().find_map(|entry| {
            let is = |serial: u64| serial == process.serial;
            if is(entry.transaction.load(Ordering::Relaxed)) {
                return Some((entry.pid, true));
            }
            is(entry.locks.load(Ordering::Relaxed)).then_some((entry.pid, false))
        })
    }

    fn pid_of(&self, slot: u32) -> Option<u32> {
        let process = self.processes.iter().find(|p| p.slot == slot)?;
        self.owner(process).map(|(pid, _)| pid)
    }
}

/// `pg_blocking_pids`, `pg_cancel_backend` and `pg_terminate_backend`; none for
/// another function.
pub fn call(eval: &Eval<'_>, name: &str, args: &[Datum]) -> Option<SqlResult<Datum>> {
    let pid = args.first().and_then(Datum::as_i64).unwrap_or(0);
    match name {
        "pg_blocking_pids" => Some(blocking(pid)),
        "pg_cancel_backend" => Some(Ok(Datum::Bool(cancel(pid)))),
        "pg_terminate_backend" => {
            let timeout = args.get(1).and_then(Datum::as_i64).unwrap_or(0);
            Some(terminate(eval, pid, timeout))
        }
        _ => None,
    }
}

/// Ends the running statement of a session; false when there is no such session.
fn cancel(pid: i64) -> bool {
    let sessions = pg_wire_port::sessions();
    let entry = sessions.iter().find(|e| i64::from(e.pid) == pid);
    entry.is_some_and(|entry| pg_wire_port::cancel(entry.pid, entry.secret))
}

/// Ends a session, and waits up to `timeout` milliseconds for its end, if that is not
/// zero; false when there is no such session, or it is still there.
fn terminate(eval: &Eval<'_>, pid: i64, timeout: i64) -> SqlResult<Datum> {
    let Ok(timeout) = u64::try_from(timeout) else {
        return Err(SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "\"timeout\" must not be negative",
        ));
    };
    let find = || {
        let sessions = pg_wire_port::sessions();
        sessions.into_iter().find(|e| i64::from(e.pid) == pid)
    };
    let Some(entry) = find() else {
        eval.warn(SqlState::WARNING, "there is no such session");
        return Ok(Datum::Bool(false));
    };
    entry.terminate();
    drop(entry);
    let until = task_port::now().saturating_add(timeout.saturating_mul(1_000_000));
    while timeout != 0 && find().is_some() {
        eval.check_interrupts()?;
        if task_port::now() >= until {
            eval.warn(
                SqlState::WARNING,
                "the session did not end within the timeout",
            );
            return Ok(Datum::Bool(false));
        }
        task_port::sleep(LOOK_NS);
    }
    Ok(Datum::Bool(true))
}

fn blocking(pid: i64) -> SqlResult<Datum> {
    let seen = Seen {
        entries: pg_wire_port::sessions(),
        processes: pg_txn_port::processes().map_err(txn_error)?,
    };
    let entry = seen.entries.iter().find(|e| i64::from(e.pid) == pid);
    let waits = entry.and_then(|entry| seen.transaction(entry));
    let slots = waits.map_or(&[][..], |p| p.blockers.as_slice());
    let mut pids: Vec<u32> = slots.iter().filter_map(|s| seen.pid_of(*s)).collect();
    pids.sort_unstable();
    pids.dedup();
    let pids = pids.iter().map(|pid| Datum::Int4(pid.cast_signed()));
    Ok(Datum::array(oid::INT4, pids.collect()))
}

/// The kind of wait for a lock.
fn event(waits: &WaitsFor) -> &'static str {
    match waits {
        WaitsFor::Xid(_) => "transactionid",
        WaitsFor::Lock(target, _) => kind(*target),
    }
}

fn kind(target: LockTarget) -> &'static str {
    match target.what() {
        Locked::Relation(_) => "relation",
        Locked::Row => "tuple",
        Locked::Advisory(_) | Locked::AdvisoryPair(..) => "advisory",
    }
}

/// The rows of `pg_stat_activity`.
pub fn sessions() -> Vec<Named> {
    let seen = Seen::now();
    seen.entries.iter().map(|e| session(&seen, e)).collect()
}

fn session(all: &Seen, entry: &Entry) -> Named {
    let seen = entry.activity.lock().clone();
    let peer = entry.peer;
    let address = peer.map(|p| format!("{}", p.ip()));
    let process = all.transaction(entry);
    let waits = process.and_then(|p| p.waits.as_ref());
    let (wait_type, wait) = match (waits, seen.state) {
        (Some(waits), _) => (Datum::from("Lock"), Datum::from(event(waits))),
        (None, State::Active) => (Datum::Null, Datum::Null),
        (None, _) => (Datum::from("Client"), Datum::from("ClientRead")),
    };
    let own = process.and_then(|p| p.xids.first());
    let oldest = process.and_then(|p| p.xmin);
    alloc::vec![
        ("datid", Datum::Oid(DATABASE)),
        ("datname", Datum::from(seen.database.as_str())),
        ("pid", Datum::Int4(entry.pid.cast_signed())),
        ("usesysid", Datum::Oid(10)),
        ("usename", Datum::from(seen.user.as_str())),
        ("application_name", Datum::from(seen.application.as_str())),
        (
            "client_addr",
            address.as_deref().map(Datum::from).unwrap_or_default()
        ),
        (
            "client_port",
            peer.map(|p| Datum::Int4(i32::from(p.port())))
                .unwrap_or_default()
        ),
        ("backend_start", instant(entry.started)),
        ("xact_start", instant(seen.xact_start)),
        ("query_start", instant(seen.query_start)),
        ("state_change", instant(seen.state_change)),
        ("wait_event_type", wait_type),
        ("wait_event", wait),
        ("backend_xid", own.map(|x| xid(*x)).unwrap_or_default()),
        ("backend_xmin", oldest.map(xid).unwrap_or_default()),
        ("state", Datum::from(seen.state.name())),
        ("query", Datum::from(seen.query.as_str())),
        (
            "backend_type",
            Datum::from(match entry.kind {
                Kind::Client => "client backend",
                Kind::Vacuum => "autovacuum worker",
            })
        ),
    ]
}

/// The rows of `pg_locks`.
pub fn locks() -> Vec<Named> {
    let seen = Seen::now();
    let mut rows = Vec::new();
    for process in &seen.processes {
        let Some((pid, is_transaction)) = seen.owner(process) else {
            continue;
        };
        let place = format!("{}/{}", process.slot, process.serial);
        let mut row = |kind: &'static str, mode: &'static str, granted, fast, more: Named| {
            let mut row: Named = alloc::vec![
                ("locktype", Datum::from(kind)),
                ("virtualtransaction", Datum::from(place.as_str())),
                ("pid", Datum::Int4(pid.cast_signed())),
                ("mode", Datum::from(mode)),
                ("granted", Datum::Bool(granted)),
                ("fastpath", Datum::Bool(fast)),
            ];
            row.extend(more);
            rows.push(row);
        };
        if is_transaction {
            let itself = alloc::vec![("virtualxid", Datum::from(place.as_str()))];
            row("virtualxid", "ExclusiveLock", true, true, itself);
        }
        for own in &process.xids {
            let which = alloc::vec![("transactionid", xid(*own))];
            row("transactionid", "ExclusiveLock", true, false, which);
        }
        for (target, modes, fast) in &process.locks {
            for mode in LockMode::ALL.iter().filter(|m| modes & m.bit() != 0) {
                let what = on_what(process, *target);
                row(kind(*target), mode_name(*mode), true, *fast, what);
            }
        }
        match process.waits {
            None => {}
            Some(WaitsFor::Xid(other)) => {
                let which = alloc::vec![("transactionid", xid(other))];
                row("transactionid", "ShareLock", false, false, which);
            }
            Some(WaitsFor::Lock(target, mode)) => {
                let what = on_what(process, target);
                row(kind(target), mode_name(mode), false, false, what);
            }
        }
    }
    rows
}

/// The columns that tell what a lock is on.
fn on_what(process: &Process, target: LockTarget) -> Named {
    let advisory = |first: u32, second: u32, kind: i16| {
        alloc::vec![
            ("classid", Datum::Oid(first)),
            ("objid", Datum::Oid(second)),
            ("objsubid", Datum::Int2(kind)),
        ]
    };
    let mut columns = alloc::vec![("database", Datum::Oid(DATABASE))];
    columns.extend(match target.what() {
        Locked::Relation(oid) => alloc::vec![("relation", Datum::Oid(oid))],
        Locked::Advisory(key) => advisory((key >> 32) as u32, key as u32, 1),
        Locked::AdvisoryPair(first, second) => advisory(first, second, 2),
        // Who waits for a row has locked its table, whose file bears its id until
        // it is rewritten.
        Locked::Row => {
            let tables = process.locks.iter().filter_map(|(t, ..)| match t.what() {
                Locked::Relation(oid) => Some(oid),
                _ => None,
            });
            let found = tables.filter_map(|oid| Some((oid, target.row_in(main(oid))?)));
            match found.min_by_key(|(_, place)| *place) {
                None => Vec::new(),
                Some((oid, (block, slot))) => alloc::vec![
                    ("relation", Datum::Oid(oid)),
                    ("page", Datum::Int4(block.cast_signed())),
                    ("tuple", Datum::Int2(slot.cast_signed())),
                ],
            }
        }
    });
    columns
}

/// The number of a table's file.
fn main(oid: u32) -> u32 {
    FileId::new(oid, Fork::Main).0
}

fn mode_name(mode: LockMode) -> &'static str {
    match mode {
        LockMode::AccessShare => "AccessShareLock",
        LockMode::RowShare => "RowShareLock",
        LockMode::RowExclusive => "RowExclusiveLock",
        LockMode::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
        LockMode::Share => "ShareLock",
        LockMode::ShareRowExclusive => "ShareRowExclusiveLock",
        LockMode::Exclusive => "ExclusiveLock",
        LockMode::AccessExclusive => "AccessExclusiveLock",
    }
}

/// The row of `pg_stat_database`.
pub fn database(eval: &Eval<'_>) -> Vec<Named> {
    let sessions = pg_wire_port::sessions().len();
    let pages = pg_buffer_port::stats().unwrap_or_default();
    let temp = pg_temp_port::state().unwrap_or_default();
    let temp = &temp.counters;
    let of_temp = |counter: &AtomicU64| count(counter.load(Ordering::Relaxed));
    let (committed, rolled_back) = pg_wire_port::transactions();
    let all = pg_catalog_port::SHARED.counts();
    let sum = |of: fn(&pg_plan::Counts) -> u64| count(all.iter().map(of).sum());
    alloc::vec![alloc::vec![
        ("datid", Datum::Oid(DATABASE)),
        ("datname", Datum::Text(eval.current_database())),
        (
            "numbackends",
            Datum::Int4(i32::try_from(sessions).unwrap_or(i32::MAX))
        ),
        ("xact_commit", count(committed)),
        ("xact_rollback", count(rolled_back)),
        ("blks_read", count(pages.reads)),
        ("blks_hit", count(pages.hits)),
        ("checksum_failures", count(pages.corrupt)),
        ("temp_files", of_temp(&temp.files)),
        ("temp_bytes", of_temp(&temp.written)),
        ("tup_returned", sum(|c| c.read)),
        // Indexes count what was found through them, too.
        (
            "tup_fetched",
            sum(|c| if c.index_scans > 0 { c.fetched } else { 0 })
        ),
        ("tup_inserted", sum(|c| c.inserted)),
        ("tup_updated", sum(|c| c.updated)),
        ("tup_deleted", sum(|c| c.deleted)),
    ]]
}

/// The row of `pg_stat_bgwriter`: who wrote pages, checkpoints or others to make
/// room.
pub fn writer() -> Vec<Named> {
    let pages = pg_buffer_port::stats().unwrap_or_default();
    alloc::vec![alloc::vec![
        ("checkpoints_timed", count(pages.checkpoints)),
        ("buffers_checkpoint", count(pages.checkpoint_pages)),
        (
            "buffers_clean",
            count(pages.writes.saturating_sub(pages.checkpoint_pages))
        ),
        ("buffers_alloc", count(pages.reads)),
    ]]
}

/// The row of `pg_stat_wal`.
pub fn log() -> Vec<Named> {
    let log = pg_wal_port::stats();
    alloc::vec![alloc::vec![
        ("wal_records", count(log.records)),
        ("wal_write", count(log.flushes)),
        ("wal_sync", count(log.flushes)),
    ]]
}
