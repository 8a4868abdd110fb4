//! Whether a version may be changed or locked, or who is in the way.

use crate::page::Version;
use crate::visibility::{xmax_status, xmin_status};
use alloc::vec::Vec;
use pg_heap_port::{HeapError, RowLock, Tid};
use pg_page::tuple_header::bits;
use pg_txn_port::{
    Isolation, LockMode, LockTarget, RowHolder, RowKey, TXN, Transaction, TxnError, Xid, XidStatus,
};

/// What stands between a transaction and a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing.
    Free,
    /// Its maker has not committed.
    Invisible,
    /// The transaction has ended it itself.
    SelfModified,
    /// Another has replaced it and committed.
    Replaced(Tid),
    /// Another has deleted it and committed.
    Deleted,
    /// Another transaction, which must end first.
    Wait(Xid),
}

/// Who holds the version beside the caller, found on the way to
/// [`Verdict::Free`]: none of them is in the way.
#[derive(Debug, Default)]
pub struct Others {
    /// Xmax, when it runs (the caller's own ids included) and is to be kept.
    pub xmax: Option<RowHolder>,
    /// Whether xmax has replaced or deleted the version, so that it must stay
    /// where it is.
    pub xmax_ends_it: bool,
    /// The lock table's.
    pub table: Vec<RowHolder>,
}

/// What is to be done with a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intent {
    /// The lock that it takes.
    pub lock: RowLock,
    /// Whether a version made by the running command will do: one that is taken
    /// back.
    pub fresh_too: bool,
}

/// Judges the version for a change or a lock.
pub fn judge(
    tx: &Transaction,
    row: RowKey,
    version: &Version,
    Intent { lock, fresh_too }: Intent,
) -> Result<(Verdict, Others), HeapError> {
    let header = &version.header;
    let mut others = Others::default();
    if tx.is_own(Xid(header.xmin)) {
        if header.cmin >= tx.command().0 && !fresh_too {
            return Ok((Verdict::SelfModified, others));
        }
    } else if xmin_status(header, &mut 0)? != XidStatus::Committed {
        return Ok((Verdict::Invisible, others));
    }
    if let Some(verdict) = judge_xmax(tx, version, lock, &mut others)? {
        return Ok((verdict, others));
    }
    if header.has(bits::MORE_HOLDERS) {
        others.table = TXN.enter()?.row_holders(row);
        let in_the_way = |h: &&RowHolder| !tx.is_own(h.xid) && h.lock.conflicts(lock);
        if let Some(holder) = others.table.iter().find(in_the_way) {
            return Ok((Verdict::Wait(holder.xid), others));
        }
    }
    Ok((Verdict::Free, others))
}

/// What xmax has to say; none when it is no obstacle.
fn judge_xmax(
    tx: &Transaction,
    version: &Version,
    lock: RowLock,
    others: &mut Others,
) -> Result<Option<Verdict>, HeapError> {
    let header = &version.header;
    if header.xmax == 0 || header.has(bits::XMAX_INVALID) {
        return Ok(None);
    }
    let xmax = Xid(header.xmax);
    let held = RowHolder {
        xid: xmax,
        lock: RowLock::from_code(header.lock_code()),
    };
    let locks_only = header.has(bits::XMAX_LOCK_ONLY);
    if tx.is_own(xmax) {
        if !locks_only {
            return Ok(Some(Verdict::SelfModified));
        }
        others.xmax = Some(held);
        return Ok(None);
    }
    match xmax_status(header, &mut 0)? {
        XidStatus::Aborted => Ok(None),
        XidStatus::Committed if locks_only => Ok(None),
        XidStatus::Committed if header.has(bits::UPDATED) => Ok(Some(Verdict::Replaced(Tid::new(
            header.next_block,
            header.next_slot,
        )))),
        XidStatus::Committed => Ok(Some(Verdict::Deleted)),
        XidStatus::InProgress if held.lock.conflicts(lock) => Ok(Some(Verdict::Wait(xmax))),
        XidStatus::InProgress => {
            others.xmax = Some(held);
            others.xmax_ends_it = !locks_only;
            Ok(None)
        }
    }
}

/// Under repeatable read, a row that others have changed since the snapshot
/// ends the transaction, with `error`.
pub fn refuse_stale(tx: &Transaction, error: TxnError) -> Result<(), HeapError> {
    match tx.isolation() {
        Isolation::ReadCommitted => Ok(()),
        Isolation::RepeatableRead | Isolation::Serializable => Err(HeapError::Txn(error)),
    }
}

/// The wait for a row. Those who wait for one row stand in a queue, so that its
/// end wakes one of them and not all. To be left with [`RowQueue::leave`] however
/// the wait ends.
#[derive(Debug, Default)]
pub struct RowQueue(Option<LockTarget>);

impl RowQueue {
    /// Waits until `xid` has ended. No latch may be held.
    pub fn wait(&mut self, tx: &mut Transaction, row: RowKey, xid: Xid) -> Result<(), HeapError> {
        if self.0.is_none() {
            let target = LockTarget::row(row);
            tx.lock(target, LockMode::Exclusive, false)?;
            self.0 = Some(target);
        }
        Ok(tx.wait_for(xid)?)
    }

    /// Lets the next one in.
    pub fn leave(self, tx: &mut Transaction) -> Result<(), HeapError> {
        match self.0 {
            Some(target) => Ok(tx.unlock(target, LockMode::Exclusive)?),
            None => Ok(()),
        }
    }
}
