//! Starting storage anew while the system runs.
//!
//! After a write of the log or a flush of the device has failed, nobody knows what
//! the disk holds of what it had taken, and asking it again does not tell: a flush
//! that succeeds later says nothing of what was dropped before (A. Rebello et al.,
//! "Can Applications Recover from fsync Failures?", USENIX ATC 2020). What is sure
//! is the log up to where it was durable, and the pages of the last checkpoint. So
//! all that is in memory is forgotten and built again from these, as after a power
//! cut; connections stay. The same is done when a fault has skipped the frame of
//! somebody who changed the log's ring or the space map. Three things make this sound while the power stays on:
//!
//! - every page changed since the checkpoint is built from its image in the log and
//!   written again, whatever the disk's cache shows of it;
//! - what the log shows behind its durable end is made durable before pages get its
//!   changes (`pg_wal_port::make_durable`);
//! - the log goes on with another epoch, by which whoever began before knows that he
//!   is lost (`pg_wal_port::epoch`): `pg_txn` forgets who ran, mini-transactions and
//!   transactions fail at their next step. A commit that was waiting for the flush
//!   was answered that nobody knows; the replay decides.

use crate::background::{NAP, goes_on};
use crate::pool::any_pool;
use alloc::string::{String, ToString};
use core::sync::atomic::Ordering;

const MS: u64 = 1_000_000;
/// Between two tries while the device goes on failing: the first pause, doubled up to
/// the last.
const PAUSES: (u64, u64) = (50 * MS, 10_000 * MS);

/// The loop that does it.
pub(crate) fn keeper() {
    while goes_on() {
        if is_torn() {
            // What a fault has left half done is to be found in the log.
            pg_wal_port::give_up();
        }
        if pg_wal_port::wait_for_failure(task_port::now() + NAP) {
            restart();
        }
    }
}

/// Whether a fault has cut short somebody who changed what storage keeps in memory.
fn is_torn() -> bool {
    pg_wal_port::is_torn() || any_pool().is_ok_and(|pool| pool.space.is_torn())
}

/// The locks that faults have left half done are free: what they protect is built
/// anew.
fn mend() {
    pg_wal_port::mend();
    if let Ok(pool) = any_pool() {
        pool.space.mend();
    }
}

fn restart() {
    log::error!(
        "storage: the log or a flush of the disk has failed at {}; starting anew from the log",
        pg_wal_port::flushed()
    );
    let begun = task_port::now();
    let mut said = String::new();
    let (mut pause, last) = PAUSES;
    let mut tries = 0u64;
    // Somebody else may have done it meanwhile.
    while goes_on() && pg_wal_port::has_failed() {
        tries += 1;
        mend();
        let why = match task_port::gate(crate::open) {
            Ok(Ok(report)) => {
                if let Ok(pool) = any_pool() {
                    pool.counters.restarts.fetch_add(1, Ordering::Relaxed);
                }
                let took = (task_port::now() - begun) / MS;
                log::info!("storage: back after {took} ms and {tries} tries: {report}");
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(fault) => fault.message,
        };
        if why != said {
            log::error!("storage: not back yet: {why}");
            said = why;
        }
        let until = task_port::now() + pause;
        while goes_on() && task_port::now() < until {
            task_port::sleep(pause.min(NAP / 2));
        }
        pause = (2 * pause).min(last);
    }
}
