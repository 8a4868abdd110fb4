//! What is known of serializable transactions: who read what (SIREAD locks), and
//! who read what another has changed since (rw-conflicts). It is part of
//! [`crate::TxnState`], under a lock of its own, so that other transactions never
//! meet it. What is done with it is the cell's (`pg_txn`, `serial`).
//!
//! Moments are numbers of a counter that steps at every prepare and every commit
//! of a serializable transaction; a snapshot notes the counter at its time. Two
//! transactions are concurrent when neither's commit is before the other's
//! snapshot.

use crate::ReadTarget;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use sync::Completion;

/// A moment that has not come.
pub const NEVER: u64 = u64::MAX;

/// Everything about serializable transactions.
#[derive(Debug, Default)]
pub struct Serial {
    /// The last moment.
    pub now: u64,
    /// Those that still matter, by the serial of their place.
    pub xacts: BTreeMap<u64, Xact>,
    /// Those that have not ended.
    pub active: Vec<u64>,
    /// Those that have committed and still matter, oldest first.
    pub finished: VecDeque<u64>,
    /// Whose an id is.
    pub by_xid: BTreeMap<u64, u64>,
    /// Who has read a place.
    pub readers: BTreeMap<ReadTarget, Vec<u64>>,
    /// SIREAD locks in `readers`.
    pub locks: usize,
    /// Places read by committed transactions that were summarised, each with the
    /// moment of the latest one's commit.
    pub old_readers: BTreeMap<ReadTarget, u64>,
    /// Ids of committed transactions that were summarised.
    pub old_xids: BTreeMap<u64, OldXid>,
    /// Of summarised ids up to this one nothing is known any more but that they
    /// may have been anything.
    pub forgotten_xid: u64,
}

/// What is kept of the id of a summarised transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OldXid {
    /// When it committed.
    pub commit: u64,
    /// When the first transaction committed whose changes it did not see;
    /// [`NEVER`] for none.
    pub earliest_out: u64,
}

/// One serializable transaction.
#[derive(Debug)]
pub struct Xact {
    /// The last moment before its snapshot.
    pub snapshot: u64,
    /// When it was cleared for commit; [`NEVER`] before.
    pub prepared: u64,
    /// When it committed; [`NEVER`] before.
    pub committed: u64,
    /// Declared so, or committed without a change.
    pub read_only: bool,
    /// Whether it was declared so.
    pub declared_read_only: bool,
    /// Whether it changed anything.
    pub wrote: bool,
    /// It is to fail at its next step.
    pub doomed: bool,
    /// Once committed: when the first transaction committed whose changes it did
    /// not see; [`NEVER`] for none.
    pub earliest_out: u64,
    /// A summarised transaction did not see its changes.
    pub summary_in: bool,
    /// It did not see the changes of a summarised transaction.
    pub summary_out: bool,
    /// Those who did not see its changes.
    pub ins: Vec<u64>,
    /// Those whose changes it did not see.
    pub outs: Vec<u64>,
    /// For a read-only one: writers that could make its snapshot unsafe. For a
    /// writer: the read-only ones it could do that to.
    pub possibly_unsafe: Vec<u64>,
    /// A writer has made its snapshot unsafe.
    pub is_unsafe: bool,
    /// Ended when it is known whether its snapshot is safe (DEFERRABLE).
    pub waiter: Option<Completion>,
    /// Its ids.
    pub xids: Vec<u64>,
    /// What it has read.
    pub reads: BTreeSet<ReadTarget>,
    /// How many pages and rows of a file are among them.
    pub parts: BTreeMap<u32, u32>,
    /// Its locks and the conflicts into it were given up: all that still run
    /// beside it only read.
    pub partly_released: bool,
}

impl Xact {
    /// One whose snapshot is taken at the moment `snapshot`.
    #[must_use]
    pub fn new(snapshot: u64, read_only: bool) -> Self {
        Xact {
            snapshot,
            prepared: NEVER,
            committed: NEVER,
            read_only,
            declared_read_only: read_only,
            wrote: false,
            doomed: false,
            earliest_out: NEVER,
            summary_in: false,
            summary_out: false,
            ins: Vec::new(),
            outs: Vec::new(),
            possibly_unsafe: Vec::new(),
            is_unsafe: false,
            waiter: None,
            xids: Vec::new(),
            reads: BTreeSet::new(),
            parts: BTreeMap::new(),
            partly_released: false,
        }
    }

    /// Whether it has committed.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.committed != NEVER
    }

    /// Whether it is cleared for commit or has committed: too late to fail it.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.prepared != NEVER
    }
}
