//! Snapshots: which transactions' work a reader sees.

use crate::{CommandId, Reads, Xid};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Who was running at some moment. Shared by all snapshots that were taken
/// until the next transaction ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ActiveSet {
    /// Everything before it had ended.
    pub xmin: Xid,
    /// It and everything after it had not begun.
    pub xmax: Xid,
    /// Those between that ran, ascending.
    pub running: Vec<Xid>,
}

/// What one command of one transaction sees. Keep the `Arc` for as long as rows
/// are read with it: pruning spares what living snapshots can see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub(crate) set: Arc<ActiveSet>,
    /// The transaction's own ids that were not rolled back, ascending.
    pub(crate) own: Vec<Xid>,
    pub(crate) command: CommandId,
    /// Who wants to know what is read with it.
    pub(crate) reads: Option<Reads>,
}

impl ActiveSet {
    /// Whether `xid` had ended at that moment.
    #[inline]
    #[must_use]
    pub fn has_ended(&self, xid: Xid) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }
}

impl Snapshot {
    /// A snapshot of a reader that has no transaction of its own.
    #[must_use]
    pub fn outside(set: Arc<ActiveSet>) -> Self {
        Snapshot {
            set,
            own: Vec::new(),
            command: CommandId(0),
            reads: None,
        }
    }

    /// Whom to tell what is read with it: a serializable transaction's.
    #[inline]
    #[must_use]
    pub fn reads(&self) -> Option<&Reads> {
        self.reads.as_ref()
    }

    /// Transactions before it had ended.
    #[inline]
    #[must_use]
    pub fn xmin(&self) -> Xid {
        self.set.xmin
    }

    /// It and transactions after it had not begun.
    #[inline]
    #[must_use]
    pub fn xmax(&self) -> Xid {
        self.set.xmax
    }

    /// Who was running.
    #[must_use]
    pub fn active(&self) -> &Arc<ActiveSet> {
        &self.set
    }

    /// The reading command: of its own transaction's work it sees what commands
    /// before this one did.
    #[inline]
    #[must_use]
    pub fn command(&self) -> CommandId {
        self.command
    }

    /// Whether `xid` is this transaction or one of its subtransactions that were
    /// not rolled back.
    #[inline]
    #[must_use]
    pub fn is_own(&self, xid: Xid) -> bool {
        match self.own[..] {
            [] => false,
            [only] => only == xid,
            _ => self.own.binary_search(&xid).is_ok(),
        }
    }

    /// Whether `xid` had not ended when the snapshot was taken, so that its work
    /// is not seen whatever became of it.
    #[inline]
    #[must_use]
    pub fn is_running(&self, xid: Xid) -> bool {
        !self.set.has_ended(xid)
    }
}
