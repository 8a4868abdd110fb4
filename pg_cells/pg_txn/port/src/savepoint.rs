//! Savepoints: parts of a transaction with ids of their own, so that what they
//! wrote can count as aborted while the rest goes on.

use crate::manager::TXN;
use crate::{LockMode, LockTarget, Transaction, TxnError, Xid};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The transaction itself or one savepoint in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    name: String,
    /// The id that writes at this level carry, once there was one.
    pub(crate) xid: Option<Xid>,
    /// Ids of released savepoints within, ascending.
    merged: Vec<Xid>,
    /// Whether the transaction was read-only when it was opened: it is again when
    /// the savepoint ends.
    read_only: bool,
    /// Locks that were first taken at this level, when it is a savepoint.
    pub(crate) locked: Vec<(LockTarget, LockMode)>,
}

impl Level {
    #[inline]
    pub(crate) fn has(&self, xid: Xid) -> bool {
        self.xid == Some(xid) || self.merged.binary_search(&xid).is_ok()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Xid> + '_ {
        self.xid.iter().chain(&self.merged).copied()
    }
}

impl Transaction {
    /// The innermost level.
    pub(crate) fn level(&self) -> &Level {
        self.savepoints.last().unwrap_or(&self.outermost)
    }

    /// The innermost level.
    pub(crate) fn level_mut(&mut self) -> &mut Level {
        self.savepoints.last_mut().unwrap_or(&mut self.outermost)
    }

    /// Opens a savepoint. A name may be used again; the newest one counts.
    pub fn savepoint(&mut self, name: &str) {
        self.savepoints.push(Level {
            name: name.to_string(),
            read_only: self.is_read_only(),
            ..Level::default()
        });
    }

    fn savepoint_named(&self, name: &str) -> Result<usize, TxnError> {
        let found = self.savepoints.iter().rposition(|l| l.name == name);
        found.ok_or_else(|| TxnError::NoSavepoint(name.to_string()))
    }

    /// How many savepoints are open.
    #[must_use]
    pub fn savepoints(&self) -> usize {
        self.savepoints.len()
    }

    /// Undoes everything since the savepoint, which stays open. Locks taken since
    /// are given back.
    ///
    /// # Errors
    /// [`TxnError::NoSavepoint`]; when the transaction is lost.
    pub fn rollback_to(&mut self, name: &str) -> Result<(), TxnError> {
        let at = self.savepoint_named(name)?;
        let gone: Vec<Xid> = self.savepoints[at..].iter().flat_map(Level::ids).collect();
        if !gone.is_empty() {
            TXN.enter()?.abort_ids(self.proc(), &gone)?;
            if self.registered {
                TXN.enter()?.serial_rolled_back(self.proc(), &gone)?;
            }
        }
        let locked: Vec<_> = self.savepoints[at..]
            .iter_mut()
            .flat_map(|l| core::mem::take(&mut l.locked))
            .collect();
        for (target, mode) in locked {
            self.unlock(target, mode)?;
        }
        self.set_read_only(self.savepoints[at].read_only);
        self.savepoints.truncate(at + 1);
        let level = self.level_mut();
        level.xid = None;
        level.merged.clear();
        // The next command must not see the number that the undone ones used.
        self.mark_command_used();
        Ok(())
    }

    /// Forgets the savepoint and those opened after it; what they did counts as
    /// done by the level around them.
    ///
    /// # Errors
    /// [`TxnError::NoSavepoint`].
    pub fn release(&mut self, name: &str) -> Result<(), TxnError> {
        let at = self.savepoint_named(name)?;
        let ids: Vec<Xid> = self.savepoints[at..].iter().flat_map(Level::ids).collect();
        let locked: Vec<_> = self.savepoints[at..]
            .iter_mut()
            .flat_map(|l| core::mem::take(&mut l.locked))
            .collect();
        self.set_read_only(self.savepoints[at].read_only);
        self.savepoints.truncate(at);
        // The transaction itself gives all it has back at its end.
        if let Some(around) = self.savepoints.last_mut() {
            around.locked.extend(locked);
        }
        let merged = &mut self.level_mut().merged;
        merged.extend(ids);
        merged.sort_unstable();
        Ok(())
    }
}
