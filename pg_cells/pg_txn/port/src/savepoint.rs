//! Savepoints: parts of a transaction with ids of their own, so that what they
//! wrote can count as aborted while the rest goes on.

use crate::manager::TXN;
use crate::{Transaction, TxnError, Xid};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// The transaction itself or one savepoint in it.
#[derive(Debug, Default)]
pub(crate) struct Level {
    name: String,
    /// The id that writes at this level carry, once there was one.
    pub(crate) xid: Option<Xid>,
    /// Ids of released savepoints within.
    merged: Vec<Xid>,
}

impl Level {
    pub(crate) fn outermost() -> Vec<Level> {
        vec![Level::default()]
    }

    pub(crate) fn assign(&mut self, xid: Xid) {
        self.xid = Some(xid);
    }

    #[inline]
    pub(crate) fn has(&self, xid: Xid) -> bool {
        self.xid == Some(xid) || self.merged.contains(&xid)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Xid> + '_ {
        self.xid.iter().chain(&self.merged).copied()
    }
}

impl Transaction {
    /// Opens a savepoint. A name may be used again; the newest one counts.
    pub fn savepoint(&mut self, name: &str) {
        self.levels.push(Level {
            name: name.to_string(),
            ..Level::default()
        });
    }

    fn level_named(&self, name: &str) -> Result<usize, TxnError> {
        let found = self.levels[1..].iter().rposition(|l| l.name == name);
        found
            .map(|at| at + 1)
            .ok_or_else(|| TxnError::NoSavepoint(name.to_string()))
    }

    /// How many savepoints are open.
    #[must_use]
    pub fn savepoints(&self) -> usize {
        self.levels.len() - 1
    }

    /// Undoes everything since the savepoint, which stays open. Table locks
    /// taken since are kept until the transaction ends.
    ///
    /// # Errors
    /// [`TxnError::NoSavepoint`]; when the transaction is lost.
    pub fn rollback_to(&mut self, name: &str) -> Result<(), TxnError> {
        let at = self.level_named(name)?;
        let gone: Vec<Xid> = self.levels[at..].iter().flat_map(Level::ids).collect();
        if !gone.is_empty() {
            TXN.enter()?.abort_ids(self.proc(), &gone)?;
        }
        self.levels.truncate(at + 1);
        if let Some(level) = self.levels.last_mut() {
            level.xid = None;
            level.merged.clear();
        }
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
        let at = self.level_named(name)?;
        let ids: Vec<Xid> = self.levels[at..].iter().flat_map(Level::ids).collect();
        self.levels.truncate(at);
        if let Some(outer) = self.levels.last_mut() {
            outer.merged.extend(ids);
        }
        Ok(())
    }
}
