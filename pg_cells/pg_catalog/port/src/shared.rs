//! What outlives a generation of the catalog: the version of the schema, the
//! transactions that are changing it, files to be given back, and the values
//! that sequences have in stock.
//!
//! The cell is stateless; while it is replaced the old and the new generation
//! serve side by side, so what both must know is here. Nothing of it needs to
//! survive a restart: an unfinished transaction never happened, files without an
//! owner are found by [`crate::open`], and a sequence's stock is logged before
//! it is given out.
//!
//! A transaction announces itself with [`Shared::announce`] before its first
//! change of a catalog row. There is no hook in its commit: whoever asks for the
//! version looks first whether an announced transaction has ended. Its locks
//! are released when it ends, not before, so who has waited for such a lock and
//! then asks, learns of the change.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use pg_plan::{Counters, Counts};
use pg_txn_port::{Transaction, TxnError, Xid, XidStatus};
use pg_types::Oid;
use port::{HandoverError, Moves, State};
use sync::SpinLock;

/// Set in versions that only the changing transaction itself sees.
pub const OWN: u64 = 1 << 63;

/// A transaction (or savepoint) that has changed catalog rows.
#[derive(Debug)]
struct Pending {
    xid: Xid,
    /// Its own version, new after each of its changes.
    own: u64,
    /// Files to be removed if it aborts.
    created: Vec<u32>,
    /// Files to be removed if it commits.
    dropped: Vec<u32>,
    /// Relations that are not there any more if it commits.
    gone: Vec<Oid>,
}

/// Values of a sequence that are logged and not given out yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stock {
    /// The value given out last.
    pub last: i64,
    /// How many may be given out after it.
    pub left: u32,
    /// Who is logging, or has logged, the values: the latest one counts.
    pub claim: u64,
    /// The end of the log record that made them sure.
    pub lsn: u64,
}

/// See the module's head.
#[derive(Debug)]
pub struct Shared {
    version: AtomicU64,
    /// Which start of the log this belongs to.
    start: AtomicU32,
    /// The length of `pending`.
    open: AtomicUsize,
    own: AtomicU64,
    pending: SpinLock<Vec<Pending>>,
    /// Files that nobody uses any more.
    garbage: SpinLock<Vec<u32>>,
    /// Whether there are any.
    littered: AtomicBool,
    /// Whether there may be files of which nobody knows: see
    /// [`Shared::take_suspicion`].
    suspicious: AtomicBool,
    stocks: SpinLock<BTreeMap<u32, Stock>>,
    counters: SpinLock<BTreeMap<Oid, Arc<Counters>>>,
}

/// The one there is.
pub static SHARED: Shared = Shared {
    version: AtomicU64::new(1),
    start: AtomicU32::new(0),
    open: AtomicUsize::new(0),
    own: AtomicU64::new(1),
    pending: SpinLock::new(Vec::new()),
    garbage: SpinLock::new(Vec::new()),
    littered: AtomicBool::new(false),
    suspicious: AtomicBool::new(false),
    stocks: SpinLock::new(BTreeMap::new()),
    counters: SpinLock::new(BTreeMap::new()),
};

/// The version of what [`give`](Shared::give) gives.
const SCHEMA: u32 = 1;

/// What moves to a later generation of this crate: version and own, the pending
/// (transaction, own version, files if it aborts, files if it commits), garbage, and
/// the stocks (file, last, left, claim, lsn).
type Moved = (
    [u64; 2],
    Vec<(u64, u64, Vec<u32>, Vec<u32>)>,
    Vec<u32>,
    Vec<(u32, i64, u32, u64, u64)>,
);

/// How this crate moves.
pub(crate) const MOVES: Moves = Moves {
    park: port::no_tasks,
    give: || Ok(Some(SHARED.give())),
    take: |given| given.map_or(Ok(()), |state| SHARED.take(state)),
    start: || Ok(()),
    anew: false,
};

impl Shared {
    fn give(&self) -> State {
        let numbers = [
            self.version.load(Ordering::SeqCst),
            self.own.load(Ordering::SeqCst),
        ];
        let pending = core::mem::take(&mut *self.pending.lock());
        let pending = pending.into_iter();
        let garbage = core::mem::take(&mut *self.garbage.lock());
        let stocks = core::mem::take(&mut *self.stocks.lock());
        // Of a type that the two generations need not share: they begin at nothing.
        drop(core::mem::take(&mut *self.counters.lock()));
        let stocks = stocks.into_iter();
        let moved: Moved = (
            numbers,
            pending
                .map(|p| (p.xid.0, p.own, p.created, p.dropped))
                .collect(),
            garbage,
            stocks
                .map(|(file, s)| (file, s.last, s.left, s.claim, s.lsn))
                .collect(),
        );
        State::new(SCHEMA, Box::new(moved))
    }

    fn take(&self, state: State) -> Result<(), HandoverError> {
        let offered = state.schema();
        let ([version, own], pending, garbage, stocks) = match state.take::<Moved>() {
            Ok(moved) if offered == SCHEMA => *moved,
            _ => return Err(HandoverError::Schema { offered }),
        };
        self.version.store(version, Ordering::SeqCst);
        self.own.store(own, Ordering::SeqCst);
        let pending = pending.into_iter();
        let pending: Vec<Pending> = pending
            .map(|(xid, own, created, dropped)| Pending {
                xid: Xid(xid),
                own,
                created,
                dropped,
                gone: Vec::new(),
            })
            .collect();
        self.open.store(pending.len(), Ordering::SeqCst);
        *self.pending.lock() = pending;
        self.littered.store(!garbage.is_empty(), Ordering::SeqCst);
        *self.garbage.lock() = garbage;
        let stocks = stocks.into_iter();
        *self.stocks.lock() = stocks
            .map(|(file, last, left, claim, lsn)| {
                let stock = Stock {
                    last,
                    left,
                    claim,
                    lsn,
                };
                (file, stock)
            })
            .collect();
        Ok(())
    }

    /// A number that moves with every committed change and, for `tx` alone, with
    /// each change of its own.
    #[inline]
    #[must_use]
    pub fn version(&self, tx: &Transaction) -> u64 {
        self.look_at_log();
        if self.open.load(Ordering::Acquire) == 0 {
            return self.version.load(Ordering::Acquire);
        }
        self.version_of(tx)
    }

    /// The log may have begun anew under the running system: values in stock may be
    /// of a record that is lost, and so may a change of the schema that was not
    /// durable. Those who were changing it have ended, and are asked about as always.
    #[inline]
    fn look_at_log(&self) {
        let start = pg_wal_port::epoch();
        if self.start.load(Ordering::Acquire) != start {
            self.begin_anew(start);
        }
    }

    #[cold]
    fn begin_anew(&self, start: u32) {
        self.stocks.lock().clear();
        self.version.fetch_add(1, Ordering::AcqRel);
        self.suspicious.store(true, Ordering::Release);
        self.start.store(start, Ordering::Release);
    }

    #[cold]
    fn version_of(&self, tx: &Transaction) -> u64 {
        self.settle();
        let pending = self.pending.lock();
        let own = pending.iter().rev().find(|p| tx.is_own(p.xid));
        match own {
            Some(own) => own.own | OWN,
            None => self.version.load(Ordering::Acquire),
        }
    }

    /// Takes notice of the announced transactions that have ended.
    pub fn settle(&self) {
        let xids: Vec<Xid> = self.pending.lock().iter().map(|p| p.xid).collect();
        let ended = xids.into_iter().filter_map(|xid| {
            match pg_txn_port::status(xid) {
                Ok(XidStatus::Committed) => Some((xid, true)),
                Ok(XidStatus::Aborted) => Some((xid, false)),
                // Not known now: it stays, and is asked about again.
                Ok(XidStatus::InProgress) | Err(_) => None,
            }
        });
        let ended: Vec<(Xid, bool)> = ended.collect();
        if ended.is_empty() {
            return;
        }
        let (mut garbage, mut uncounted) = (Vec::new(), Vec::new());
        let mut pending = self.pending.lock();
        for (xid, committed) in ended {
            let Some(at) = pending.iter().position(|p| p.xid == xid) else {
                continue;
            };
            let ended = pending.swap_remove(at);
            // A relation's first file has its number.
            let (files, relations) = match committed {
                true => (ended.dropped, ended.gone),
                false => (ended.created.clone(), ended.created),
            };
            garbage.extend(files);
            uncounted.extend(relations);
            if committed {
                self.version.fetch_add(1, Ordering::AcqRel);
            }
        }
        // What others changed, or a savepoint took back, shows to all.
        for other in pending.iter_mut() {
            other.own = self.own.fetch_add(1, Ordering::Relaxed);
        }
        self.open.store(pending.len(), Ordering::Release);
        drop(pending);
        self.forget_counters(&uncounted);
        if !garbage.is_empty() {
            self.garbage.lock().extend(garbage);
            self.littered.store(true, Ordering::Release);
        }
    }

    /// Nothing is counted any more of relations that are not there.
    fn forget_counters(&self, relations: &[Oid]) {
        let mut counters = self.counters.lock();
        let counted = relations.iter().filter_map(|oid| counters.remove(oid));
        let counted: Vec<Arc<Counters>> = counted.collect();
        drop(counters);
        // Freeing takes time, and needs no lock.
        drop(counted);
    }

    /// The counters of a table or an index.
    #[must_use]
    pub fn counters(&self, oid: Oid) -> Arc<Counters> {
        if let Some(known) = self.counters.lock().get(&oid) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(Counters::default());
        let mut counters = self.counters.lock();
        Arc::clone(counters.entry(oid).or_insert(fresh))
    }

    /// The sums of all counters, and of what tables alone count.
    #[must_use]
    pub fn counts(&self) -> Vec<Counts> {
        let counters = self.counters.lock();
        counters.values().map(|c| c.read()).collect()
    }

    /// What is counted of tables and indexes of which a row was changed since they
    /// were last vacuumed or analyzed.
    #[must_use]
    pub fn changed(&self) -> BTreeMap<Oid, Counts> {
        let mut changed = BTreeMap::new();
        let counters = self.counters.lock();
        for (oid, counts) in counters.iter().map(|(oid, c)| (*oid, c.read())) {
            if counts.dead > 0 || counts.changed > 0 || counts.fresh > 0 {
                changed.insert(oid, counts);
            }
        }
        changed
    }

    /// Whether files wait for [`Shared::take_garbage`].
    #[inline]
    #[must_use]
    pub fn has_garbage(&self) -> bool {
        self.littered.load(Ordering::Acquire)
    }

    /// Whether somebody should look for files of which nobody knows; for one caller.
    /// The log has begun anew since the last time: what removed a file may be lost, or
    /// the commit of who made it, which was acknowledged before it was durable.
    #[inline]
    #[must_use]
    pub fn take_suspicion(&self) -> bool {
        self.suspicious.load(Ordering::Acquire) && self.suspicious.swap(false, Ordering::AcqRel)
    }

    /// The look has failed: somebody should try again.
    pub fn suspect(&self) {
        self.suspicious.store(true, Ordering::Release);
    }

    /// The files of transactions under way, and those that are to be removed: all that
    /// exist without a row that everybody sees.
    #[must_use]
    pub fn files_under_way(&self) -> Vec<u32> {
        let mut files: Vec<u32> = Vec::new();
        for pending in self.pending.lock().iter() {
            files.extend(&pending.created);
        }
        files.extend(self.garbage.lock().iter());
        files
    }

    /// Says that `tx` is about to change, or has changed, catalog rows.
    ///
    /// # Errors
    /// When the transaction may not write.
    pub fn announce(&self, tx: &mut Transaction) -> Result<(), TxnError> {
        let xid = tx.ensure_xid()?;
        let mut pending = self.pending.lock();
        if !pending.iter().any(|p| p.xid == xid) {
            pending.push(Pending {
                xid,
                own: 0,
                created: Vec::new(),
                dropped: Vec::new(),
                gone: Vec::new(),
            });
            self.open.store(pending.len(), Ordering::Release);
        }
        for own in pending.iter_mut().filter(|p| tx.is_own(p.xid)) {
            own.own = self.own.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The file goes when the announced transaction `xid` aborts.
    pub fn created(&self, xid: Xid, file: u32) {
        let mut pending = self.pending.lock();
        if let Some(p) = pending.iter_mut().find(|p| p.xid == xid) {
            p.created.push(file);
        }
    }

    /// The file goes when the announced transaction `xid` commits.
    pub fn dropped(&self, xid: Xid, file: u32) {
        let mut pending = self.pending.lock();
        if let Some(p) = pending.iter_mut().find(|p| p.xid == xid) {
            p.dropped.push(file);
        }
    }

    /// The relation is not there any more when the announced transaction `xid` commits.
    pub fn gone(&self, xid: Xid, relation: Oid) {
        let mut pending = self.pending.lock();
        if let Some(p) = pending.iter_mut().find(|p| p.xid == xid) {
            p.gone.push(relation);
        }
    }

    /// Takes over the files that are to be removed now.
    #[must_use]
    pub fn take_garbage(&self) -> Vec<u32> {
        self.littered.store(false, Ordering::Release);
        let files = core::mem::take(&mut *self.garbage.lock());
        if !files.is_empty() {
            let mut stocks = self.stocks.lock();
            files.iter().for_each(|file| {
                stocks.remove(file);
            });
        }
        files
    }

    /// A number for [`Stock::claim`] that nobody has had before.
    #[must_use]
    pub fn new_claim(&self) -> u64 {
        self.own.fetch_add(1, Ordering::Relaxed)
    }

    /// Works on the stock of the sequence in `file`.
    pub fn stock<T>(&self, file: u32, work: impl FnOnce(&mut Option<Stock>) -> T) -> T {
        self.look_at_log();
        let mut stocks = self.stocks.lock();
        let mut stock = stocks.get(&file).copied();
        let former = stock;
        let result = work(&mut stock);
        match stock {
            Some(now) if former != stock => {
                stocks.insert(file, now);
            }
            None if former.is_some() => {
                stocks.remove(&file);
            }
            _ => {}
        }
        result
    }

    /// The database was opened anew: nothing of before counts.
    pub fn reset(&self) {
        self.start.store(pg_wal_port::epoch(), Ordering::Release);
        self.suspicious.store(false, Ordering::Release);
        let mut pending = self.pending.lock();
        pending.clear();
        self.open.store(0, Ordering::Release);
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(pending);
        self.garbage.lock().clear();
        self.stocks.lock().clear();
        drop(core::mem::take(&mut *self.counters.lock()));
    }
}
