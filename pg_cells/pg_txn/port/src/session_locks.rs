//! Locks of a session, which outlive its transactions: advisory locks. They are
//! held by a place of their own in the transaction manager; the waiting is done
//! by the transaction that asks.

use crate::manager::{ProcId, TXN};
use crate::{LockMode, LockTarget, Transaction, TxnError, wait};
use alloc::vec::Vec;

/// The locks of one session. Dropping it gives them back.
#[derive(Debug, Default)]
pub struct SessionLocks {
    place: Option<ProcId>,
    /// What is held, and how often it was taken.
    held: Vec<(LockTarget, LockMode, u32)>,
}

impl SessionLocks {
    /// Whether there are any.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Where they are kept; none before the first one.
    #[must_use]
    pub fn place(&self) -> Option<ProcId> {
        self.place
    }

    /// Tells a new transaction of the session of them.
    ///
    /// # Errors
    /// When the transaction is lost. Locks that were lost in a fault are not
    /// missed.
    pub fn attach(&mut self, tx: &Transaction) -> Result<(), TxnError> {
        let Some(place) = self.place else {
            return Ok(());
        };
        if place.instance != tx.proc().instance {
            *self = SessionLocks::default();
            return Ok(());
        }
        TXN.enter()?.attach(tx.proc(), place)
    }

    /// Takes a lock; once more, when it is held already.
    ///
    /// # Errors
    /// As [`Transaction::lock`].
    pub fn lock(
        &mut self,
        tx: &Transaction,
        target: LockTarget,
        mode: LockMode,
        nowait: bool,
    ) -> Result<(), TxnError> {
        self.attach(tx)?;
        let place = match self.place {
            Some(place) => place,
            None => {
                let place = TXN.enter()?.begin();
                self.place = Some(place);
                self.attach(tx)?;
                place
            }
        };
        if let Some(held) = self.find(target, mode) {
            self.held[held].2 += 1;
            return Ok(());
        }
        let reply = TXN
            .enter()?
            .lock_for_session(tx.proc(), target, mode, nowait)?;
        if let Err(error) = wait::finish(reply, tx.proc(), tx.limits, tx.cancel_token()) {
            // It may have been granted in the last moment.
            TXN.enter()?.unlock(place, target, mode)?;
            return Err(error);
        }
        self.held.push((target, mode, 1));
        Ok(())
    }

    fn find(&self, target: LockTarget, mode: LockMode) -> Option<usize> {
        self.held
            .iter()
            .position(|(t, m, _)| (*t, *m) == (target, mode))
    }

    /// Gives a lock back, once. False when it is not held.
    ///
    /// # Errors
    /// When nobody stands behind the port.
    pub fn unlock(&mut self, target: LockTarget, mode: LockMode) -> Result<bool, TxnError> {
        let Some(at) = self.find(target, mode) else {
            return Ok(false);
        };
        self.held[at].2 -= 1;
        if self.held[at].2 == 0 {
            self.held.swap_remove(at);
            if let Some(place) = self.place {
                TXN.enter()?.unlock(place, target, mode)?;
            }
        }
        Ok(true)
    }

    /// Gives all back.
    ///
    /// # Errors
    /// When nobody stands behind the port.
    pub fn unlock_all(&mut self) -> Result<(), TxnError> {
        while let Some((target, mode, _)) = self.held.pop() {
            if let Some(place) = self.place {
                TXN.enter()?.unlock(place, target, mode)?;
            }
        }
        Ok(())
    }
}

impl Drop for SessionLocks {
    fn drop(&mut self) {
        if let Some(place) = self.place
            && let Ok(manager) = TXN.enter()
        {
            manager.end(place, false);
        }
    }
}
