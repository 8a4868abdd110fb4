//! Serializable transactions, as their sessions and the row stores meet them.
//!
//! The snapshots of a serializable transaction carry a [`Reads`], through which
//! the row stores tell what was read; a change is told by
//! [`Transaction::check_write`]. For all other transactions both are one look at
//! an option. Theory: M. Cahill, "Serializable Isolation for Snapshot Databases"
//! (2008); D. Ports and K. Grittner, "Serializable Snapshot Isolation in
//! PostgreSQL" (2012).
//!
//! What must hold for callers: a place is told to be read before its page's latch
//! is given back, and a change is checked with the latch of its page held and
//! before it is made. So of a reader and a writer one sees the other.

use crate::manager::{ProcId, TXN};
use crate::{ActiveSet, CommandId, Isolation, Snapshot, Transaction, TxnError, Xid, wait};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use sync::{Completion, SpinLock};

/// What a SIREAD lock is on: a whole file, a page of it, or a row on that page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReadTarget {
    /// The file.
    pub file: u32,
    /// The page; `u32::MAX` for the whole file.
    pub block: u32,
    /// The row's slot; 0 for the whole page.
    pub slot: u16,
}

impl ReadTarget {
    const ALL: u32 = u32::MAX;

    /// A whole file.
    #[must_use]
    pub const fn file(file: u32) -> Self {
        ReadTarget {
            file,
            block: Self::ALL,
            slot: 0,
        }
    }

    /// A page.
    #[must_use]
    pub const fn page(file: u32, block: u32) -> Self {
        ReadTarget {
            file,
            block,
            slot: 0,
        }
    }

    /// A row. Slots count from 1.
    #[must_use]
    pub const fn row(file: u32, block: u32, slot: u16) -> Self {
        ReadTarget { file, block, slot }
    }

    /// Whether it is a whole file.
    #[must_use]
    pub const fn is_file(self) -> bool {
        self.block == Self::ALL
    }

    /// The place that contains it: a row's page, a page's file.
    #[must_use]
    pub const fn around(self) -> Option<Self> {
        if self.is_file() {
            None
        } else if self.slot == 0 {
            Some(Self::file(self.file))
        } else {
            Some(Self::page(self.file, self.block))
        }
    }
}

/// Why a serializable transaction had to fail, as PostgreSQL's reason codes tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SerialFailure {
    /// It was doomed before, and notices when it reads.
    PivotConflictOut,
    /// It was doomed before, and notices when it writes.
    PivotConflictIn,
    /// It is the pivot, noticed when it writes.
    PivotWrite,
    /// It was doomed before, and notices when it commits.
    PivotCommit,
    /// It read beside a pivot that can no longer fail.
    ConflictOutToPivot(Xid),
    /// The same, the pivot being summarised.
    ConflictOutToOldPivot(Option<Xid>),
    /// It is the pivot, and what it did not see is a summarised transaction's.
    PivotToOld(Xid),
    /// It commits first beside a pivot that can no longer fail.
    ConflictInFromPrepared,
}

impl core::fmt::Display for SerialFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const PIVOT: &str = "Canceled on identification as a pivot";
        match self {
            Self::PivotConflictOut => write!(f, "{PIVOT}, during conflict out checking."),
            Self::PivotConflictIn => write!(f, "{PIVOT}, during conflict in checking."),
            Self::PivotWrite => write!(f, "{PIVOT}, during write."),
            Self::PivotCommit => write!(f, "{PIVOT}, during commit attempt."),
            Self::ConflictOutToPivot(xid) => {
                write!(f, "Canceled on conflict out to pivot {xid}, during read.")
            }
            Self::ConflictOutToOldPivot(Some(xid)) => {
                write!(f, "Canceled on conflict out to old pivot {xid}.")
            }
            Self::ConflictOutToOldPivot(None) => {
                write!(f, "Canceled on conflict out to old pivot.")
            }
            Self::PivotToOld(xid) => write!(
                f,
                "{PIVOT}, with conflict out to old committed transaction {xid}."
            ),
            Self::ConflictInFromPrepared => write!(
                f,
                "Canceled on commit attempt with conflict in from prepared pivot."
            ),
        }
    }
}

/// How a serializable transaction begins.
#[derive(Clone, Debug)]
pub enum SerialStart {
    /// With this snapshot; what it reads must be told.
    Tracked(Arc<ActiveSet>),
    /// With this snapshot, which is safe: nothing it reads can be part of an
    /// anomaly.
    Safe(Arc<ActiveSet>),
    /// With this snapshot, if it turns out to be safe; that is known when the
    /// token ends.
    Wait(Arc<ActiveSet>, Completion),
}

/// The answer to what was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadReply {
    /// Noted; this place, which contains the one told, need not be told again.
    Covered(ReadTarget),
    /// Noted.
    Noted,
    /// The snapshot is known to be safe by now: nothing need be told any more.
    Safe,
}

/// Files of relations with lower numbers are the system's own catalogs: as in
/// PostgreSQL, they take no part.
const FIRST_RELATION: u32 = 16384;

fn takes_part(file: u32) -> bool {
    pg_buffer_port::FileId(file).relation() >= FIRST_RELATION
}

/// How many places a transaction remembers to have told.
const REMEMBERED: usize = 8192;

/// What a serializable transaction tells of its reading. Clones are the same.
#[derive(Clone, Debug)]
pub struct Reads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    proc: ProcId,
    safe: AtomicBool,
    told: SpinLock<BTreeSet<ReadTarget>>,
}

impl PartialEq for Reads {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Reads {}

impl Reads {
    fn new(proc: ProcId) -> Self {
        Reads(Arc::new(Inner {
            proc,
            safe: AtomicBool::new(false),
            told: SpinLock::new(BTreeSet::new()),
        }))
    }

    /// All of a table is going to be read: told before its length is asked for.
    ///
    /// # Errors
    /// [`TxnError::Dependency`]; when the transaction is lost.
    #[cold]
    pub fn file(&self, file: u32) -> Result<(), TxnError> {
        self.tell(Some(ReadTarget::file(file)), file, &[])
    }

    /// All of a page is being read.
    ///
    /// # Errors
    /// As [`Reads::file`].
    #[cold]
    pub fn page(&self, file: u32, block: u32) -> Result<(), TxnError> {
        self.tell(Some(ReadTarget::page(file, block)), file, &[])
    }

    /// A row is being read, or (`place` is none) only found changed.
    /// `unseen` are the transactions whose changes to what was read the snapshot
    /// does not show.
    ///
    /// # Errors
    /// As [`Reads::file`].
    #[cold]
    pub fn row(
        &self,
        file: u32,
        place: Option<(u32, u16)>,
        unseen: &[Xid],
    ) -> Result<(), TxnError> {
        let target = place.map(|(block, slot)| ReadTarget::row(file, block, slot));
        self.tell(target, file, unseen)
    }

    fn tell(&self, target: Option<ReadTarget>, file: u32, unseen: &[Xid]) -> Result<(), TxnError> {
        if self.0.safe.load(Ordering::Relaxed) || !takes_part(file) {
            return Ok(());
        }
        let target = target.filter(|t| !self.was_told(*t));
        if target.is_none() && unseen.is_empty() {
            return Ok(());
        }
        match TXN.enter()?.serial_read(self.0.proc, target, unseen)? {
            ReadReply::Noted => {}
            ReadReply::Safe => self.0.safe.store(true, Ordering::Relaxed),
            ReadReply::Covered(place) => {
                let mut told = self.0.told.lock();
                if told.len() >= REMEMBERED {
                    told.clear();
                }
                told.insert(place);
            }
        }
        Ok(())
    }

    fn was_told(&self, target: ReadTarget) -> bool {
        let told = self.0.told.lock();
        let mut next = Some(target);
        while let Some(place) = next {
            if told.contains(&place) {
                return true;
            }
            next = place.around();
        }
        false
    }
}

impl Transaction {
    /// What it tells of its reading; none unless it is serializable.
    #[inline]
    #[must_use]
    pub fn reads(&self) -> Option<&Reads> {
        self.reads.as_ref()
    }

    /// Notes that it is about to change a place, with the latch of its page held:
    /// `block` and `slot` for a version that is replaced or deleted, `block` alone
    /// for an entry added to an index page, neither for a new row.
    ///
    /// # Errors
    /// [`TxnError::Dependency`]; when the transaction is lost.
    #[inline]
    pub fn check_write(
        &self,
        file: u32,
        block: Option<u32>,
        slot: Option<u16>,
    ) -> Result<(), TxnError> {
        match &self.reads {
            None => Ok(()),
            Some(_) => self.tell_write(file, block, slot),
        }
    }

    #[cold]
    fn tell_write(&self, file: u32, block: Option<u32>, slot: Option<u16>) -> Result<(), TxnError> {
        if !takes_part(file) {
            return Ok(());
        }
        let target = match (block, slot) {
            (Some(block), Some(slot)) => ReadTarget::row(file, block, slot),
            (Some(block), None) => ReadTarget::page(file, block),
            (None, _) => ReadTarget::file(file),
        };
        TXN.enter()?.serial_write(self.proc(), target, false)
    }

    /// Notes that it is about to do away with all of a file: a table is truncated
    /// or dropped.
    ///
    /// # Errors
    /// As [`Transaction::check_write`].
    pub fn check_write_all(&self, file: u32) -> Result<(), TxnError> {
        if self.reads.is_none() || !takes_part(file) {
            return Ok(());
        }
        let target = ReadTarget::file(file);
        TXN.enter()?.serial_write(self.proc(), target, true)
    }

    /// The transaction's snapshot, and what the running command has done. For
    /// isolation levels above read committed, where a row that is changed must be
    /// one that is seen.
    ///
    /// # Errors
    /// When the transaction is lost.
    pub fn snapshot_with_own(&mut self) -> Result<Snapshot, TxnError> {
        let current = self.snapshot()?;
        Ok(Snapshot {
            set: Arc::clone(&current.set),
            own: self.own_xids(),
            command: CommandId(self.command().0 + 1),
            reads: self.reads.clone(),
        })
    }

    /// Whether it waits for a snapshot that is safe when it is serializable and
    /// read only.
    #[must_use]
    pub fn is_deferrable(&self) -> bool {
        self.deferrable
    }

    /// Makes it wait for a safe snapshot, or not. False when it has its snapshot
    /// already.
    pub fn set_deferrable(&mut self, deferrable: bool) -> bool {
        let possible = !self.has_snapshot() || deferrable == self.deferrable;
        if possible {
            self.deferrable = deferrable;
        }
        possible
    }

    /// Who runs, for the one snapshot of a serializable transaction. Waits for
    /// a safe one when it is deferrable.
    #[cold]
    pub(crate) fn start_serial(&mut self, keep: Xid) -> Result<Arc<ActiveSet>, TxnError> {
        debug_assert!(self.isolation() == Isolation::Serializable);
        let (proc, read_only) = (self.proc(), self.is_read_only());
        loop {
            let defer = read_only && self.deferrable;
            let start = TXN.enter()?.serial_begin(proc, keep, read_only, defer)?;
            self.registered = true;
            match start {
                SerialStart::Safe(set) => return Ok(set),
                SerialStart::Tracked(set) => {
                    self.reads = Some(Reads::new(proc));
                    return Ok(set);
                }
                SerialStart::Wait(set, done) => {
                    wait::until(&done, proc, self.cancel_token())?;
                    if TXN.enter()?.serial_is_safe(proc)? {
                        return Ok(set);
                    }
                }
            }
        }
    }
}

/// A page of an index was split: whoever has read it has read the new pages too.
/// Called with the page latched, before anybody can get to the new ones.
///
/// # Errors
/// When nobody stands behind the port.
pub fn page_split(file: u32, block: u32, new: &[u32]) -> Result<(), TxnError> {
    if takes_part(file) {
        TXN.enter()?.serial_split(file, block, new);
    }
    Ok(())
}

/// Whoever has read some of `from` counts as having read all of `to`: a table
/// gets a new file, or an index is dropped and its table stands for it.
///
/// # Errors
/// When nobody stands behind the port.
pub fn file_replaced(from: u32, to: u32) -> Result<(), TxnError> {
    if takes_part(from) {
        TXN.enter()?.serial_replaced(from, to);
    }
    Ok(())
}
