//! Heap tables as the rest of the database sees them: rows in no order, each in
//! one or more versions, of which a snapshot sees at most one.
//!
//! A row's content is opaque bytes (`pg_types::tuple` makes them); the heap adds
//! its header (`pg_page::tuple_header`) and never looks inside. A [`Tid`] names
//! one version. Indexes hold the tid of the first version of a chain whose
//! indexed columns did not change since (a HOT chain); [`fetch`] walks it.
//!
//! What blocks: writes wait for other transactions that changed or locked the
//! row, and every call may wait for a page. Hold no latch when calling, except
//! of index pages around [`liveness`], which waits for no transaction.
//!
//! The cell is stateless: a swap lets running calls end in the old code.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod check;
mod outcome;
mod rows;

pub use access::{HEAP, HeapAccess, VacuumReport};
pub use check::{CheckReport, Fault, Finding};
pub use outcome::{HeapError, Liveness, LockOutcome, UpdateOutcome};
pub use pg_buffer_port::FileId;
pub use pg_txn_port::{RowLock, WaitPolicy};
pub use rows::{DeadTids, RowBatch, RowBuf, Tid};

/// The door of [`HEAP`], without its type.
pub static DOOR: &dyn port::Door = &HEAP;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: port::Moves = port::Moves::doors_only();

use alloc::vec::Vec;
use pg_txn_port::{LockTarget, Reads, Snapshot, Transaction};

/// The most bytes of a row's content.
pub const MAX_ROW: usize = 8192 - 24 - 8 - 4 - 32;

/// Adds a row.
///
/// # Errors
/// [`HeapError::RowTooLarge`]; when the disk is full.
pub fn insert(tx: &mut Transaction, file: FileId, row: &[u8]) -> Result<Tid, HeapError> {
    HEAP.enter()?.insert(tx, file, row)
}

/// Adds many rows, a page at a time; their tids are appended to `tids` in order.
/// After an error the rows of full pages are there, to be rolled back with the
/// transaction.
///
/// # Errors
/// As [`insert`].
pub fn insert_many(
    tx: &mut Transaction,
    file: FileId,
    rows: &[&[u8]],
    tids: &mut Vec<Tid>,
) -> Result<(), HeapError> {
    HEAP.enter()?.insert_many(tx, file, rows, tids)
}

/// Copies the version that `snapshot` sees of the row to which an index entry
/// with `tid` leads, and tells the version's own tid.
///
/// # Errors
/// When a page cannot be read.
pub fn fetch(
    snapshot: &Snapshot,
    file: FileId,
    tid: Tid,
    row: &mut RowBuf,
) -> Result<Option<Tid>, HeapError> {
    HEAP.enter()?.fetch(snapshot, file, tid, row)
}

/// Copies the version with this very tid, if `snapshot` sees it.
///
/// # Errors
/// When a page cannot be read.
pub fn fetch_exact(
    snapshot: &Snapshot,
    file: FileId,
    tid: Tid,
    row: &mut RowBuf,
) -> Result<bool, HeapError> {
    HEAP.enter()?.fetch_exact(snapshot, file, tid, row)
}

/// Copies the version with this very tid whoever may see it, as long as it is
/// there: for the newest version of a row after
/// [`UpdateOutcome::Concurrent`], and for rows locked just now.
///
/// # Errors
/// When a page cannot be read.
pub fn fetch_any(file: FileId, tid: Tid, row: &mut RowBuf) -> Result<bool, HeapError> {
    HEAP.enter()?.fetch_any(file, tid, row)
}

/// Replaces the content of `rows` by the rows of one page that `snapshot` sees.
///
/// # Errors
/// When the page cannot be read.
pub fn scan_block(
    snapshot: &Snapshot,
    file: FileId,
    block: u32,
    rows: &mut RowBatch,
) -> Result<(), HeapError> {
    HEAP.enter()?.scan_block(snapshot, file, block, rows)
}

/// For each slot of a page (0 is none) the slot that the chain of its version
/// begins with, which index entries lead to; 0 for slots that belong to no chain.
///
/// # Errors
/// When the page cannot be read.
pub fn roots(file: FileId, block: u32, roots: &mut Vec<u16>) -> Result<(), HeapError> {
    HEAP.enter()?.roots(file, block, roots)
}

/// How many pages the table has.
///
/// # Errors
/// When there is no such file.
pub fn blocks(file: FileId) -> Result<u32, HeapError> {
    Ok(pg_buffer_port::blocks(file)?)
}

/// Replaces the version `tid` by a new one. `keep_index_keys` says that no
/// indexed column changes: then, and if the page has room, the new version needs
/// no index entries (`hot`).
///
/// Waits for another transaction that changes the row now. Under repeatable
/// read a row changed since the snapshot is [`pg_txn_port::TxnError::Serialization`].
///
/// # Errors
/// As said; [`HeapError::NoSuchRow`] when nothing is at `tid`.
pub fn update(
    tx: &mut Transaction,
    file: FileId,
    tid: Tid,
    row: &[u8],
    keep_index_keys: bool,
) -> Result<UpdateOutcome, HeapError> {
    HEAP.enter()?.update(tx, file, tid, row, keep_index_keys)
}

/// Deletes the version `tid`, also one that the running command has inserted:
/// so a row is taken back. [`UpdateOutcome::Updated`] then carries `tid` itself.
///
/// # Errors
/// As [`update`].
pub fn delete(tx: &mut Transaction, file: FileId, tid: Tid) -> Result<UpdateOutcome, HeapError> {
    HEAP.enter()?.delete(tx, file, tid)
}

/// Locks the version `tid` until the transaction ends.
///
/// # Errors
/// As [`update`].
pub fn lock_row(
    tx: &mut Transaction,
    file: FileId,
    tid: Tid,
    lock: RowLock,
    policy: WaitPolicy,
) -> Result<LockOutcome, HeapError> {
    HEAP.enter()?.lock_row(tx, file, tid, lock, policy)
}

/// Whether any version in the chain of `tid` counts for a unique index. Waits
/// for no transaction.
///
/// # Errors
/// When a page cannot be read.
pub fn liveness(tx: &Transaction, file: FileId, tid: Tid) -> Result<Liveness, HeapError> {
    HEAP.enter()?.liveness(tx, file, tid)
}

/// Adds to `dead` those of `tids` (ascending) in whose chains nobody will see any
/// version again, so that index entries with them are useless. True at most until
/// a vacuum frees the slots: ask with the entries' page latched.
///
/// # Errors
/// When a page cannot be read.
pub fn find_dead(file: FileId, tids: &[Tid], dead: &mut Vec<Tid>) -> Result<(), HeapError> {
    HEAP.enter()?.find_dead(file, tids, dead)
}

/// Removes versions that nobody will see again from one page. Done by itself
/// when a page is full. True when something was removed.
///
/// # Errors
/// When the page cannot be read.
pub fn prune(file: FileId, block: u32) -> Result<bool, HeapError> {
    HEAP.enter()?.prune(file, block)
}

/// The first half of a vacuum: prunes every page that is not visible to all and
/// collects the tids that indexes may still hold of versions that are gone. Remove
/// them from all indexes (`pg_btree_port::remove`), then call [`vacuum_finish`].
/// Hold a ShareUpdateExclusive lock on the table around the two.
///
/// # Errors
/// When a page cannot be read; when cancelled.
pub fn vacuum_collect(
    tx: &Transaction,
    file: FileId,
) -> Result<(DeadTids, VacuumReport), HeapError> {
    HEAP.enter()?.vacuum_collect(tx, file)
}

/// The second half: the slots of `dead` become free for use again.
///
/// # Errors
/// When a page cannot be read; when cancelled.
pub fn vacuum_finish(tx: &Transaction, file: FileId, dead: &DeadTids) -> Result<(), HeapError> {
    HEAP.enter()?.vacuum_finish(tx, file, dead)
}

/// The last part, when pages at the table's end have become empty: cuts them off.
/// Needs the table's AccessExclusive lock (`table`), and ends early when somebody
/// waits for it. Answers how many pages went.
///
/// # Errors
/// When a page cannot be read; when cancelled.
pub fn vacuum_truncate(
    tx: &Transaction,
    file: FileId,
    table: LockTarget,
) -> Result<u32, HeapError> {
    HEAP.enter()?.vacuum_truncate(tx, file, table)
}

/// Adds to `seen`, for each of `tids`, whether every snapshot sees all rows on its
/// page at this moment. Where it does, an index entry that exists at this moment
/// leads to a row that the caller's snapshot sees: so ask with the entries' page
/// latched. A serializable transaction's `reads` are told of such pages.
///
/// # Errors
/// When the device fails; 40001 for a serializable transaction.
pub fn all_visible(
    file: FileId,
    tids: &[Tid],
    reads: Option<&Reads>,
    seen: &mut Vec<bool>,
) -> Result<(), HeapError> {
    HEAP.enter()?.all_visible(file, tids, reads, seen)
}

/// How many pages of the table everyone sees all of, for `pg_class.relallvisible`.
///
/// # Errors
/// When the device fails.
pub fn count_all_visible(file: FileId) -> Result<u32, HeapError> {
    HEAP.enter()?.count_all_visible(file)
}

/// Looks at every page for what must not be, the visibility map included.
///
/// # Errors
/// When a page cannot be read.
pub fn check(file: FileId) -> Result<CheckReport, HeapError> {
    HEAP.enter()?.check(file)
}
