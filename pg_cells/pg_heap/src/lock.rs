//! Row locks: SELECT FOR UPDATE and its kind.
//!
//! One holder stands in the version's xmax, marked as lock only. A second one
//! that does not conflict goes to the transaction manager's lock table, and the
//! version is marked `MORE_HOLDERS`. Holders beside an update in progress go
//! there too. The table is memory alone: no lock outlives its transaction, and
//! no transaction outlives the system.

use crate::modify::{Target, keep_xmax, row_key};
use crate::page::{version, write_end};
use crate::verdict::{Intent, RowQueue, Verdict, judge, refuse_stale};
use pg_buffer_port::{MiniTx, PageId};
use pg_heap_port::{FileId, HeapError, LockOutcome, RowLock, Tid, WaitPolicy};
use pg_page::tuple_header::bits;
use pg_txn_port::{RowHolder, TXN, Transaction, TxnError};

/// See [`pg_heap_port::lock_row`].
pub fn lock_row(
    tx: &mut Transaction,
    file: FileId,
    tid: Tid,
    lock: RowLock,
    policy: WaitPolicy,
) -> Result<LockOutcome, HeapError> {
    let mut queue = RowQueue::default();
    let outcome = lock_queued(tx, file, tid, lock, policy, &mut queue);
    queue.leave(tx)?;
    outcome
}

fn lock_queued(
    tx: &mut Transaction,
    file: FileId,
    tid: Tid,
    lock: RowLock,
    policy: WaitPolicy,
    queue: &mut RowQueue,
) -> Result<LockOutcome, HeapError> {
    let xid = tx.ensure_xid()?;
    let key = row_key(file, tid);
    let intent = Intent {
        lock,
        fresh_too: false,
    };
    loop {
        let mut mtx = tx.change_pages(xid.0);
        let page = mtx.latch(PageId::new(file, tid.block))?;
        let version = version(mtx.page(page), tid.slot).ok_or(HeapError::NoSuchRow(tid))?;
        let (verdict, others) = judge(tx, key, &version, intent)?;
        match (verdict, policy) {
            (Verdict::Free, _) => {
                let target = Target {
                    key,
                    xid,
                    page,
                    version,
                    others,
                };
                if write_lock(tx, &mut mtx, target, lock)? {
                    mtx.commit()?;
                }
                return Ok(LockOutcome::Locked);
            }
            (Verdict::Wait(other), WaitPolicy::Wait) => {
                drop(mtx);
                queue.wait(tx, key, other)?;
            }
            (Verdict::Wait(_), WaitPolicy::NoWait) => {
                return Err(HeapError::Txn(TxnError::LockNotAvailable));
            }
            (Verdict::Wait(_), WaitPolicy::Skip) => return Ok(LockOutcome::Skipped),
            (Verdict::Invisible, _) => return Err(HeapError::NoSuchRow(tid)),
            (Verdict::SelfModified, _) => return Ok(LockOutcome::SelfModified),
            (Verdict::Deleted, _) => {
                refuse_stale(tx, TxnError::Serialization)?;
                return Ok(LockOutcome::Deleted);
            }
            (Verdict::Replaced(newest), _) => {
                refuse_stale(tx, TxnError::Serialization)?;
                return Ok(LockOutcome::Concurrent { newest });
            }
        }
    }
}

/// Notes the lock in the version or, when xmax cannot be had, in the lock table
/// with a mark on the version. False when nothing had to be written.
fn write_lock(
    tx: &Transaction,
    mtx: &mut MiniTx,
    target: Target,
    lock: RowLock,
) -> Result<bool, HeapError> {
    let own = |h: &RowHolder| tx.is_own(h.xid) && h.lock >= lock;
    if target
        .others
        .xmax
        .iter()
        .chain(&target.others.table)
        .any(own)
    {
        return Ok(false);
    }
    let mut version = target.version;
    if target.others.xmax_ends_it {
        let holder = RowHolder {
            xid: target.xid,
            lock,
        };
        TXN.enter()?.add_row_holder(target.key, holder)?;
        version.header.infomask |= bits::MORE_HOLDERS;
    } else {
        let more = keep_xmax(&target)? || version.header.has(bits::MORE_HOLDERS);
        let header = &mut version.header;
        header.xmax = target.xid.0;
        header.cmax = tx.command().0;
        let marks = (lock as u16) << bits::LOCK_SHIFT | bits::XMAX_LOCK_ONLY;
        header.infomask = header.infomask & !bits::ABOUT_XMAX | marks;
        if more {
            header.infomask |= bits::MORE_HOLDERS;
        }
    }
    write_end(mtx, target.page, &version);
    Ok(true)
}
