//! The trait behind the port, and the plain types of its calls. Sessions use
//! [`crate::Transaction`] instead, which does the waiting.

use crate::{
    ActiveSet, Keep, LockMode, LockTarget, Process, ReadReply, ReadTarget, RowHolder, RowKey,
    SerialStart, Sight, TxnError, Xid, XidStatus,
};
use alloc::sync::Arc;
use alloc::vec::Vec;
use port::{Component, Port};
use sync::Completion;

/// The door of the transaction manager.
pub static TXN: Port<dyn TransactionManager> = Port::new("pg_txn");

/// One open transaction's place in the transaction manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcId {
    /// Which state it is a place in: a state rebuilt after a fault is another.
    pub instance: u64,
    /// The place.
    pub slot: u32,
    /// Which use of the place.
    pub serial: u64,
}

/// The answer to a request for an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assigned {
    /// The id.
    Xid(Xid),
    /// None is left of the reserved ones: reserve those below this one in the
    /// control page and ask again.
    Reserve(Xid),
}

/// The answer to a question for a transaction's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusReply {
    /// Known in memory.
    Known(XidStatus),
    /// It does not run any more; the commit log knows the rest.
    InLog,
}

/// The answer to a request that may have to wait.
#[derive(Clone, Debug)]
pub enum WaitReply {
    /// There is nothing to wait for: granted, or ended.
    Done,
    /// Wait for this token outside, then it is.
    Wait(Completion),
}

/// What the transaction manager holds: all 0 when nobody is at work, the first two
/// but for what idle sessions keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TxnCounts {
    /// Open transactions, and sessions that hold locks of their own.
    pub open: u64,
    /// Locks held, of any kind but on rows.
    pub locks: u64,
    /// Ids that run.
    pub running: u64,
    /// Transactions with a snapshot in use.
    pub snapshots: u64,
    /// Requests that wait, for a lock or for the end of an id.
    pub waiting: u64,
    /// Holders of rows that have more than one, as far as they still run.
    pub row_holders: u64,
    /// Serializable transactions that still matter.
    pub serializable: u64,
    /// What these have read.
    pub predicate_locks: u64,
}

/// Who runs, who holds what, who waits for whom. No call sleeps. Calls with a
/// [`ProcId`] fail with [`TxnError::Serialization`] when the place is not theirs
/// any more, because the state was lost in a fault.
pub trait TransactionManager: Component {
    /// Opens a transaction.
    fn begin(&self) -> ProcId;
    /// Who runs now. The transaction holds up the older of `keep` and this set;
    /// with `exact` the set is no solid one, and the transaction's only such.
    ///
    /// # Errors
    /// When the place is lost.
    fn active_set(&self, proc: ProcId, keep: Keep, exact: bool)
    -> Result<Arc<ActiveSet>, TxnError>;
    /// The transaction has no snapshot any more that is older than `keep`.
    ///
    /// # Errors
    /// When the place is lost.
    fn advertise(&self, proc: ProcId, keep: Keep) -> Result<(), TxnError>;
    /// Gives the transaction a new id (one more, for a subtransaction).
    ///
    /// # Errors
    /// When the place is lost.
    fn assign(&self, proc: ProcId) -> Result<Assigned, TxnError>;
    /// Ids below `limit` are reserved in the control page.
    fn reserved(&self, limit: Xid);
    /// What became of a transaction.
    fn status(&self, xid: Xid) -> StatusReply;
    /// Fails when the transaction cannot commit because its place is lost.
    /// Called with the commit log's pages latched.
    ///
    /// # Errors
    /// When the place is lost.
    fn may_commit(&self, proc: ProcId) -> Result<(), TxnError>;
    /// Closes a transaction: its ids end, its locks go to those who wait. Does
    /// nothing when the place is lost.
    fn end(&self, proc: ProcId, committed: bool);
    /// Ends ids of a rolled back subtransaction, as aborted.
    ///
    /// # Errors
    /// When the place is lost.
    fn abort_ids(&self, proc: ProcId, xids: &[Xid]) -> Result<(), TxnError>;
    /// Waits for the end of `xid`.
    ///
    /// # Errors
    /// When the place is lost.
    fn wait_for(&self, proc: ProcId, xid: Xid) -> Result<WaitReply, TxnError>;
    /// Takes a lock until the transaction ends. With `nowait` it is granted at
    /// once or not at all.
    ///
    /// # Errors
    /// [`TxnError::LockNotAvailable`], or when the place is lost.
    fn lock(
        &self,
        proc: ProcId,
        target: LockTarget,
        mode: LockMode,
        nowait: bool,
    ) -> Result<WaitReply, TxnError>;
    /// The transaction belongs to a session whose own locks are held by the place
    /// `session`: they are not in its way, and whoever waits for them waits for
    /// it.
    ///
    /// # Errors
    /// When a place is lost.
    fn attach(&self, proc: ProcId, session: ProcId) -> Result<(), TxnError>;
    /// [`TransactionManager::lock`] for the session that the transaction is
    /// attached to: it outlives the transaction.
    ///
    /// # Errors
    /// As there.
    fn lock_for_session(
        &self,
        proc: ProcId,
        target: LockTarget,
        mode: LockMode,
        nowait: bool,
    ) -> Result<WaitReply, TxnError>;
    /// Gives a lock back before the transaction ends.
    ///
    /// # Errors
    /// When the place is lost.
    fn unlock(&self, proc: ProcId, target: LockTarget, mode: LockMode) -> Result<(), TxnError>;
    /// Whether somebody waits for a lock on `target`.
    fn is_waited_for(&self, target: LockTarget) -> bool;
    /// Stops waiting. True when what was waited for has been granted already.
    ///
    /// # Errors
    /// When the place is lost.
    fn stop_waiting(&self, proc: ProcId) -> Result<bool, TxnError>;
    /// Whether the transaction waits for itself, through others.
    ///
    /// # Errors
    /// When the place is lost.
    fn is_deadlocked(&self, proc: ProcId) -> Result<bool, TxnError>;
    /// The other holders of a row that has more than its header names, without
    /// those that have ended.
    fn row_holders(&self, row: RowKey) -> Vec<RowHolder>;
    /// Notes one more holder of a row, or a greater strength.
    ///
    /// # Errors
    /// When the place is lost.
    fn add_row_holder(&self, row: RowKey, holder: RowHolder) -> Result<(), TxnError>;
    /// Takes the snapshot of a serializable transaction. Fails, and keeps `keep`,
    /// as [`TransactionManager::active_set`] does.
    ///
    /// # Errors
    /// When the place is lost.
    fn serial_begin(
        &self,
        proc: ProcId,
        keep: Xid,
        read_only: bool,
        deferrable: bool,
    ) -> Result<SerialStart, TxnError>;
    /// Whether the snapshot of [`SerialStart::Wait`] is safe, once the token has
    /// ended. If not, begin again.
    ///
    /// # Errors
    /// When the place is lost.
    fn serial_is_safe(&self, proc: ProcId) -> Result<bool, TxnError>;
    /// A serializable transaction was given an id; called before it is used.
    ///
    /// # Errors
    /// When the place is lost.
    fn serial_assigned(&self, proc: ProcId, xid: Xid) -> Result<(), TxnError>;
    /// Ids of a serializable transaction were rolled back with a savepoint.
    ///
    /// # Errors
    /// When the place is lost.
    fn serial_rolled_back(&self, proc: ProcId, xids: &[Xid]) -> Result<(), TxnError>;
    /// A place was read (if one is given), and changes of `unseen` to what was
    /// read are not in the snapshot.
    ///
    /// # Errors
    /// [`TxnError::Dependency`], or when the place is lost.
    fn serial_read(
        &self,
        proc: ProcId,
        place: Option<ReadTarget>,
        unseen: &[Xid],
    ) -> Result<ReadReply, TxnError>;
    /// A place is about to be changed; with `all`, everything in it.
    ///
    /// # Errors
    /// [`TxnError::Dependency`], or when the place is lost.
    fn serial_write(&self, proc: ProcId, target: ReadTarget, all: bool) -> Result<(), TxnError>;
    /// See [`crate::page_split`].
    fn serial_split(&self, file: u32, block: u32, new: &[u32]);
    /// See [`crate::file_replaced`].
    fn serial_replaced(&self, from: u32, to: u32);
    /// Clears a serializable transaction for its commit.
    ///
    /// # Errors
    /// [`TxnError::Dependency`], or when the place is lost.
    fn serial_prepare(&self, proc: ProcId) -> Result<(), TxnError>;
    /// [`TransactionManager::end`] of a transaction that began with
    /// [`TransactionManager::serial_begin`].
    fn serial_end(&self, proc: ProcId, committed: bool);
    /// Who looks.
    fn sight(&self) -> Sight;
    /// Rows deleted before it are invisible to everyone.
    fn horizon(&self) -> Xid;
    /// The id that the next transaction gets.
    fn next_xid(&self) -> Xid;
    /// See [`crate::processes`].
    fn processes(&self) -> Vec<Process>;
    /// What it holds now, for people and tests.
    fn counts(&self) -> TxnCounts;
}
