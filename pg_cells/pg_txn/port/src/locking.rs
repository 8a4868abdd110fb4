//! A transaction's locks, and waiting for others to end.

use crate::manager::TXN;
use crate::{LockMode, LockTarget, Transaction, TxnError, Xid, wait};

impl Transaction {
    /// Locks a table until the transaction ends; blocks until it is granted.
    ///
    /// # Errors
    /// [`TxnError::Deadlock`], [`TxnError::LockTimeout`], [`TxnError::Cancelled`].
    pub fn lock_relation(&mut self, oid: u32, mode: LockMode) -> Result<(), TxnError> {
        self.lock(LockTarget::relation(oid), mode, false)
    }

    /// The same, but fails with [`TxnError::LockNotAvailable`] instead of
    /// waiting.
    ///
    /// # Errors
    /// As said.
    pub fn try_lock_relation(&mut self, oid: u32, mode: LockMode) -> Result<(), TxnError> {
        self.lock(LockTarget::relation(oid), mode, true)
    }

    /// Locks anything until the transaction ends.
    ///
    /// # Errors
    /// As for [`Transaction::lock_relation`].
    pub fn lock(
        &mut self,
        target: LockTarget,
        mode: LockMode,
        nowait: bool,
    ) -> Result<(), TxnError> {
        let held = self.locks.iter().position(|(t, _)| *t == target);
        if let Some(at) = held
            && self.locks[at].1 & mode.bit() != 0
        {
            return Ok(());
        }
        let reply = TXN.enter()?.lock(self.proc(), target, mode, nowait)?;
        wait::finish(reply, self.proc(), self.limits, &self.cancel)?;
        match held {
            Some(at) => self.locks[at].1 |= mode.bit(),
            None => self.locks.push((target, mode.bit())),
        }
        if let Some(savepoint) = self.savepoints.last_mut() {
            savepoint.locked.push((target, mode));
        }
        Ok(())
    }

    /// Gives a lock back early. For locks that are not kept to the end:
    /// queueing for a row, advisory unlock.
    ///
    /// # Errors
    /// When the transaction is lost.
    pub fn unlock(&mut self, target: LockTarget, mode: LockMode) -> Result<(), TxnError> {
        let held = self.locks.iter().position(|(t, _)| *t == target);
        if let Some(at) = held
            && self.locks[at].1 & mode.bit() != 0
        {
            self.locks[at].1 &= !mode.bit();
            if self.locks[at].1 == 0 {
                self.locks.swap_remove(at);
            }
            for savepoint in &mut self.savepoints {
                savepoint.locked.retain(|l| *l != (target, mode));
            }
            TXN.enter()?.unlock(self.proc(), target, mode)?;
        }
        Ok(())
    }

    /// Whether somebody waits for a lock on `target`, which this transaction holds.
    ///
    /// # Errors
    /// When nobody stands behind the port.
    pub fn is_waited_for(&self, target: LockTarget) -> Result<bool, TxnError> {
        Ok(TXN.enter()?.is_waited_for(target))
    }

    /// Waits until `xid` has ended. Hold no latch.
    ///
    /// # Errors
    /// [`TxnError::Deadlock`], [`TxnError::LockTimeout`], [`TxnError::Cancelled`].
    pub fn wait_for(&self, xid: Xid) -> Result<(), TxnError> {
        let reply = TXN.enter()?.wait_for(self.proc(), xid)?;
        wait::finish(reply, self.proc(), self.limits, &self.cancel)
    }
}
