//! A session's transaction.

use crate::manager::{Assigned, ProcId, TXN};
use crate::savepoint::Level;
use crate::wait::Limits;
use crate::{
    ActiveSet, CancelToken, CommandId, Keep, LockTarget, Reads, Snapshot, TxnError, Xid, commit_log,
};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use pg_buffer_port::MiniTx;
use pg_wal_port::Durability;

/// How many faults in a row the end of a transaction lives through.
const FAULTS: u32 = 3;
/// Looks of [`Transaction::check_cancel`] between two pauses of a transaction that
/// yields to others: PostgreSQL's `vacuum_cost_limit` over what a page costs it.
const LOOKS_PER_PAUSE: u32 = 20;
/// How long a transaction waits at its begin for storage that is being started anew.
const PATIENCE: u64 = 2_000_000_000;

/// What a transaction sees of others that commit while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// Each command sees what was committed before the command.
    #[default]
    ReadCommitted,
    /// All commands see what was committed before the first of them.
    RepeatableRead,
    /// As if one ran after the other.
    Serializable,
}

/// An open transaction, owned by its session. Dropping it rolls back.
///
/// ```text
/// begin ── start_command ── rows ── start_command ── rows ── commit
///              snapshot               snapshot (read committed: a new one)
/// ```
#[derive(Debug)]
pub struct Transaction {
    proc: ProcId,
    isolation: Isolation,
    read_only: bool,
    pub(crate) cancel: CancelToken,
    pub(crate) limits: Limits,
    durability: Durability,
    /// How long it pauses now and then, for others (ns); 0 for never.
    pause: u64,
    /// Looks since the last pause.
    looks: AtomicU32,
    command: CommandId,
    /// Whether the command has changed rows, so that the next one needs another
    /// number to see them.
    command_used: bool,
    snapshot: Option<Arc<Snapshot>>,
    /// A snapshot that nobody reads with, whose memory the next one takes.
    spare: Option<Arc<Snapshot>>,
    /// Earlier snapshots that someone still reads with.
    earlier: Vec<Arc<Snapshot>>,
    /// The transaction itself.
    pub(crate) outermost: Level,
    /// Its open savepoints, outermost first.
    pub(crate) savepoints: Vec<Level>,
    /// Locks it holds, with the set of modes: asking again costs nothing.
    pub(crate) locks: Vec<(LockTarget, u8)>,
    /// Whom to tell of its reads and writes: it is serializable, and its snapshot
    /// was not safe from the beginning.
    pub(crate) reads: Option<Reads>,
    /// Whether it has begun as a serializable one.
    pub(crate) registered: bool,
    pub(crate) deferrable: bool,
    /// Whether it has had a snapshot.
    looked: bool,
    /// Whether it has taken others beside it in the running command.
    looks_beside: bool,
    /// Which start of the log it began in.
    start: u32,
    /// The commit is in the log: whatever happens to us now, it is committed.
    logged: bool,
    ended: bool,
}

impl Transaction {
    /// Begins. Costs no id until the first write.
    ///
    /// # Errors
    /// When nobody stands behind the port.
    pub fn begin(isolation: Isolation, read_only: bool) -> Result<Self, TxnError> {
        Transaction::begin_with(isolation, read_only, CancelToken::new())
    }

    /// The same with the session's token that ends its waits.
    ///
    /// # Errors
    /// As [`Transaction::begin`].
    pub fn begin_with(
        isolation: Isolation,
        read_only: bool,
        cancel: CancelToken,
    ) -> Result<Self, TxnError> {
        if pg_wal_port::has_failed() {
            pg_wal_port::wait_while_failed(task_port::now() + PATIENCE);
        }
        let start = pg_wal_port::epoch();
        let proc = TXN.enter()?.begin();
        Ok(Transaction {
            proc,
            isolation,
            read_only,
            cancel,
            limits: Limits {
                lock_timeout: 0,
                deadlock_timeout: 1_000_000_000,
            },
            durability: Durability::Flushed,
            pause: 0,
            looks: AtomicU32::new(0),
            command: CommandId(0),
            command_used: false,
            snapshot: None,
            spare: None,
            earlier: Vec::new(),
            outermost: Level::default(),
            savepoints: Vec::new(),
            locks: Vec::new(),
            reads: None,
            registered: false,
            deferrable: false,
            looked: false,
            looks_beside: false,
            start,
            logged: false,
            ended: false,
        })
    }

    /// A second hand on the same transaction, for functions that look into the
    /// catalog while the first is lent to the statement that calls them. It sees
    /// what the transaction had done when it was made, its locks are the
    /// transaction's, and dropping it ends nothing. Make it while the transaction
    /// has a snapshot; it must not write rows.
    #[must_use]
    pub fn companion(&self) -> Transaction {
        Transaction {
            proc: self.proc,
            isolation: self.isolation,
            read_only: self.read_only,
            cancel: self.cancel.clone(),
            limits: self.limits,
            durability: self.durability,
            pause: self.pause,
            looks: AtomicU32::new(0),
            command: self.command,
            command_used: self.command_used,
            snapshot: self.snapshot.clone(),
            spare: None,
            earlier: self.earlier.clone(),
            outermost: self.outermost.clone(),
            savepoints: self.savepoints.clone(),
            locks: self.locks.clone(),
            reads: self.reads.clone(),
            registered: self.registered,
            deferrable: self.deferrable,
            looked: self.looked,
            looks_beside: self.looks_beside,
            start: self.start,
            logged: false,
            ended: true,
        }
    }

    /// Lets `cancel` end its waits.
    pub fn set_cancel(&mut self, cancel: CancelToken) {
        self.cancel = cancel;
    }

    /// The token that ends its waits.
    #[must_use]
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    /// Fails when the log began anew since the transaction did: what it has seen and
    /// done may be lost, and is lost together.
    #[inline]
    fn check_start(&self) -> Result<(), TxnError> {
        if self.start != pg_wal_port::epoch() {
            return Err(TxnError::Serialization);
        }
        Ok(())
    }

    /// Begins a change of pages on the transaction's behalf: it fails when the log has
    /// begun anew since the transaction did. `xid` as in [`MiniTx::begin`].
    #[must_use]
    pub fn change_pages(&self, xid: u64) -> MiniTx {
        MiniTx::begin_in(self.start, xid)
    }

    /// Fails when the statement was cancelled, or the transaction is lost. For loops
    /// that do not wait.
    ///
    /// # Errors
    /// [`TxnError::Cancelled`], [`TxnError::Serialization`].
    #[inline]
    pub fn check_cancel(&self) -> Result<(), TxnError> {
        self.check_start()?;
        if self.cancel.is_cancelled() {
            return Err(TxnError::Cancelled);
        }
        if self.pause != 0 {
            self.pause_now_and_then();
        }
        Ok(())
    }

    #[cold]
    fn pause_now_and_then(&self) {
        if self.looks.fetch_add(1, Ordering::Relaxed) + 1 >= LOOKS_PER_PAUSE {
            self.looks.store(0, Ordering::Relaxed);
            task_port::sleep(self.pause);
        }
    }

    /// Lets loops over many pages, those that call [`Transaction::check_cancel`] once a
    /// page, pause for `ns` nanoseconds after each few of them; 0 for never.
    pub fn set_pause(&mut self, ns: u64) {
        self.pause = ns;
    }

    /// Ends waits for locks after `ns` nanoseconds; 0 for never.
    pub fn set_lock_timeout(&mut self, ns: u64) {
        self.limits.lock_timeout = ns;
    }

    /// Looks for a deadlock when a wait has lasted `ns` nanoseconds.
    pub fn set_deadlock_timeout(&mut self, ns: u64) {
        self.limits.deadlock_timeout = ns;
    }

    /// Says what its commit waits for.
    pub fn set_durability(&mut self, durability: Durability) {
        self.durability = durability;
    }

    /// Its isolation level.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Whether writes are refused.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Makes it read-only, or read-write again.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// Sets the isolation level. True when it was still possible: before the
    /// first snapshot.
    pub fn set_isolation(&mut self, isolation: Isolation) -> bool {
        let possible = !self.has_snapshot();
        if possible {
            self.isolation = isolation;
        }
        possible
    }

    /// Whether a query has taken a snapshot.
    #[must_use]
    pub fn has_snapshot(&self) -> bool {
        self.looked
    }

    /// Its place in the transaction manager.
    #[must_use]
    pub fn proc(&self) -> ProcId {
        self.proc
    }

    /// The id its writes carry now: the innermost open savepoint's, or its own.
    /// None before the first write.
    #[must_use]
    pub fn xid(&self) -> Option<Xid> {
        self.level().xid
    }

    /// The same, assigned if need be.
    ///
    /// # Errors
    /// [`TxnError::ReadOnly`]; when ids cannot be reserved.
    #[inline]
    pub fn ensure_xid(&mut self) -> Result<Xid, TxnError> {
        match self.xid() {
            Some(xid) if !self.read_only => Ok(xid),
            _ => self.assign_xid(),
        }
    }

    #[cold]
    fn assign_xid(&mut self) -> Result<Xid, TxnError> {
        if self.read_only {
            return Err(TxnError::ReadOnly);
        }
        if self.isolation == Isolation::Serializable && !self.registered {
            self.refresh(None)?;
        }
        loop {
            let reply = TXN.enter()?.assign(self.proc)?;
            match reply {
                Assigned::Xid(xid) => {
                    if self.registered {
                        TXN.enter()?.serial_assigned(self.proc, xid)?;
                    }
                    self.level_mut().xid = Some(xid);
                    return Ok(xid);
                }
                Assigned::Reserve(limit) => {
                    commit_log::reserve(limit)?;
                    TXN.enter()?.reserved(limit);
                }
            }
        }
    }

    /// Whether `xid` is one of its ids that were not rolled back.
    #[inline]
    #[must_use]
    pub fn is_own(&self, xid: Xid) -> bool {
        self.outermost.has(xid) || self.savepoints.iter().any(|l| l.has(xid))
    }

    /// All its ids that were not rolled back, ascending.
    #[must_use]
    pub fn own_xids(&self) -> Vec<Xid> {
        let mut own = Vec::new();
        self.collect_own(&mut own);
        own
    }

    fn collect_own(&self, own: &mut Vec<Xid>) {
        own.extend(self.outermost.ids());
        for level in &self.savepoints {
            own.extend(level.ids());
        }
        own.sort_unstable();
    }

    /// The running command's number.
    #[inline]
    #[must_use]
    pub fn command(&self) -> CommandId {
        self.command
    }

    /// Notes that the command has changed rows; the row store calls it.
    #[inline]
    pub fn mark_command_used(&mut self) {
        self.command_used = true;
    }

    /// Begins a command: what earlier commands of this transaction did becomes
    /// visible, and under read committed what others have committed since.
    ///
    /// # Errors
    /// When the transaction is lost or cancelled.
    pub fn start_command(&mut self) -> Result<(), TxnError> {
        self.check_start()?;
        if self.command_used {
            self.command.0 += 1;
            self.command_used = false;
        }
        if self.isolation == Isolation::ReadCommitted || self.snapshot.is_none() {
            return self.refresh(None);
        }
        let set = self.snapshot.as_ref().map(|s| Arc::clone(&s.set));
        self.refresh(set)
    }

    /// The snapshot of the running command.
    ///
    /// # Errors
    /// When none was taken yet and the transaction is lost.
    pub fn snapshot(&mut self) -> Result<Arc<Snapshot>, TxnError> {
        if self.snapshot.is_none() {
            self.refresh(None)?;
        }
        self.snapshot
            .as_ref()
            .map(Arc::clone)
            .ok_or(TxnError::Serialization)
    }

    /// Takes a fresh look even within a command or under repeatable read: for
    /// checks that must see the newest state (foreign keys). The command's own
    /// snapshot stays what it is.
    ///
    /// # Errors
    /// When the transaction is lost.
    pub fn latest_snapshot(&mut self) -> Result<Arc<Snapshot>, TxnError> {
        let keep = self.held();
        let set = TXN.enter()?.active_set(self.proc, keep, false)?;
        self.looks_beside = true;
        let fresh = Arc::new(Snapshot {
            set,
            own: self.own_xids(),
            command: CommandId(self.command.0 + 1),
            reads: self.reads.clone(),
        });
        self.earlier.push(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// What the snapshots in use hold up. All those of one set are exact under
    /// repeatable read: that of the transaction itself.
    fn held(&mut self) -> Keep {
        self.earlier.retain(|s| Arc::strong_count(s) > 1);
        let exact = match self.isolation {
            Isolation::RepeatableRead => self.snapshot.as_ref().map(|s| &s.set),
            _ => None,
        };
        let mut keep = Keep::NOTHING;
        for snapshot in self.earlier.iter().chain(&self.snapshot) {
            keep.xmin = keep.xmin.min(snapshot.xmin());
            if !exact.is_some_and(|set| Arc::ptr_eq(set, &snapshot.set)) {
                keep.solid = keep.solid.min(snapshot.xmin());
            }
        }
        keep
    }

    /// Replaces the current snapshot by one of `set`, or of who runs now.
    fn refresh(&mut self, set: Option<Arc<ActiveSet>>) -> Result<(), TxnError> {
        let mut former = self.snapshot.take().or_else(|| self.spare.take());
        let unused = former.as_mut().and_then(Arc::get_mut).is_some();
        if let (false, Some(former)) = (unused, &former) {
            self.earlier.push(Arc::clone(former));
        }
        let set = match set {
            Some(set) => set,
            None => {
                let keep = self.held();
                match self.isolation {
                    Isolation::Serializable => self.start_serial(keep.xmin)?,
                    level => {
                        let exact = level == Isolation::RepeatableRead;
                        TXN.enter()?.active_set(self.proc, keep, exact)?
                    }
                }
            }
        };
        let command = self.command;
        let mut snapshot = match former {
            Some(former) if unused => former,
            _ => Arc::new(Snapshot {
                set: Arc::clone(&set),
                own: Vec::new(),
                command,
                reads: None,
            }),
        };
        if let Some(fresh) = Arc::get_mut(&mut snapshot) {
            fresh.set = set;
            fresh.command = command;
            fresh.reads.clone_from(&self.reads);
            fresh.own.clear();
            self.collect_own(&mut fresh.own);
        }
        self.snapshot = Some(snapshot);
        self.looked = true;
        Ok(())
    }

    /// Between commands: lets go of looks aside, and under read committed of the
    /// snapshot, so that an idle transaction holds up no pruning.
    ///
    /// # Errors
    /// When the transaction is lost.
    pub fn end_command(&mut self) -> Result<(), TxnError> {
        if self.isolation != Isolation::ReadCommitted && !self.looks_beside {
            return Ok(());
        }
        self.looks_beside = false;
        if self.isolation == Isolation::ReadCommitted
            && let Some(mut snapshot) = self.snapshot.take()
        {
            match Arc::get_mut(&mut snapshot) {
                Some(_) => self.spare = Some(snapshot),
                None => self.earlier.push(snapshot),
            }
        }
        let keep = self.held();
        TXN.enter()?.advertise(self.proc, keep)
    }

    /// Commits: durable when it returns, or as [`Transaction::set_durability`]
    /// says. Nothing is written when the transaction
    /// wrote nothing.
    ///
    /// # Errors
    /// [`TxnError::Dependency`]. [`TxnError::Log`]: whether it is committed is known after the next start;
    /// until then it stays running for everyone. Any other error: rolled back.
    pub fn commit(mut self) -> Result<(), TxnError> {
        self.check_start()?;
        let xids = self.own_xids();
        if self.registered {
            TXN.enter()?.serial_prepare(self.proc)?;
        }
        if !xids.is_empty() {
            let lsn = self.log_commit(&xids)?;
            self.logged = true;
            let settled = pg_wal_port::settle(lsn, self.durability);
            // Positions of a log that has begun anew say nothing of ours.
            let settled = settled.and_then(|()| match self.check_start() {
                Ok(()) => Ok(()),
                Err(_) => Err(pg_wal_port::WalError::Failed),
            });
            if let Err(error) = settled {
                self.ended = true;
                return Err(error.into());
            }
        }
        self.leave(true)?;
        self.ended = true;
        Ok(())
    }

    /// Gives its place back.
    fn leave(&self, committed: bool) -> Result<(), TxnError> {
        let manager = TXN.enter()?;
        match self.registered {
            true => manager.serial_end(self.proc, committed),
            false => manager.end(self.proc, committed),
        }
        Ok(())
    }

    fn log_commit(&self, xids: &[Xid]) -> Result<pg_wal_port::Lsn, TxnError> {
        let top = xids.first().map_or(0, |x| x.0);
        let mut mtx = MiniTx::begin(top);
        commit_log::mark_committed(&mut mtx, xids)?;
        // With the pages latched: a state rebuilt after a fault of pg_txn takes
        // us for aborted from its first answer on, and its first look into
        // these pages comes after ours, or we fail here.
        TXN.enter()?.may_commit(self.proc)?;
        mtx.mark_commit(top);
        Ok(mtx.commit()?)
    }

    /// Rolls back. The same as dropping it.
    pub fn rollback(self) {
        drop(self);
    }
}

impl Drop for Transaction {
    /// Also on the way out of a fault: one within `commit` must neither leave the
    /// transaction running for ever nor roll back in memory what the log says is
    /// committed; and one here must not end the system.
    fn drop(&mut self) {
        if !self.ended {
            // Nobody is there to be told otherwise. One fault is not the end of it:
            // the next call may meet the cell's successor.
            let _ = (0..FAULTS).any(|_| task_port::gate(|| self.leave(self.logged)).is_ok());
        }
    }
}
