//! B-tree indexes as the rest of the database sees them: entries (key, tid) in
//! the order of the key's bytes, then of the tid.
//!
//! Keys are opaque bytes whose order as bytes is the order wanted
//! (`pg_types::keycode` makes them). Equal keys are fine unless an insert says
//! `unique`. Entries say nothing about visibility: fetch the rows they lead to.
//!
//! A [`Cursor`] is plain data and holds no latch or pin between calls; it finds
//! its way under concurrent splits. What blocks: pages, and the unique check,
//! which waits for transactions that are about to decide.
//!
//! The cell is stateless: a swap lets running calls end in the old code.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod cursor;
mod error;

pub use access::{BTREE, IndexAccess};
pub use cursor::{Cursor, EntryBatch, NextPage, Place};
pub use error::{IndexError, Inserted};
pub use pg_buffer_port::{FileId, MiniTx};
pub use pg_heap_port::{CheckReport, DeadTids, Tid};

/// The door of [`BTREE`], without its type.
pub static DOOR: &dyn port::Door = &BTREE;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: port::Moves = port::Moves::doors_only();

use pg_txn_port::Transaction;

/// The most bytes of a key: three entries must fit a page.
pub const MAX_KEY: usize = 2500;

/// Makes an empty tree in the file, which must be new.
///
/// # Errors
/// When a page cannot be made.
pub fn create(mtx: &mut MiniTx, file: FileId) -> Result<(), IndexError> {
    BTREE.enter()?.create(mtx, file)
}

/// Adds an entry for a row of `heap_file`. When its page is full, entries of rows
/// that are dead to everybody are taken out first (`heap_file` may be `file`
/// itself when there are no rows: then nothing is). With `unique`, fails with
/// [`Inserted::Duplicate`] when another entry of the same key leads to a live row;
/// waits for transactions on whose end that depends.
///
/// # Errors
/// [`IndexError::KeyTooLong`]; what waiting gives; when the disk is full.
pub fn insert(
    tx: &mut Transaction,
    file: FileId,
    heap_file: FileId,
    key: &[u8],
    tid: Tid,
    unique: bool,
) -> Result<Inserted, IndexError> {
    insert_alone(tx, file, heap_file, key, tid, unique.then_some(key.len()))
}

/// The same where `alone` is how many of the key's first bytes must be no other
/// entry's, if any: what follows them are values that go with the key.
///
/// # Errors
/// As [`insert`].
pub fn insert_alone(
    tx: &mut Transaction,
    file: FileId,
    heap_file: FileId,
    key: &[u8],
    tid: Tid,
    alone: Option<usize>,
) -> Result<Inserted, IndexError> {
    BTREE.enter()?.insert(tx, file, heap_file, key, tid, alone)
}

/// Replaces the content of `batch` by the next entries of the scan, about a
/// page of them, in the cursor's direction. False when there are no more;
/// `batch` is empty then.
///
/// # Errors
/// When a page cannot be read.
pub fn next_batch(
    file: FileId,
    cursor: &mut Cursor,
    batch: &mut EntryBatch,
) -> Result<bool, IndexError> {
    BTREE.enter()?.next_batch(file, cursor, batch)
}

/// Kills those entries of `batch` that lead to `gone`, if their rows in
/// `heap_file` are dead to everybody: scans pass over them from then on, and an
/// insert that needs room takes them out. A hint: it may do nothing, and be lost.
///
/// # Errors
/// When a page cannot be read.
pub fn kill(
    file: FileId,
    heap_file: FileId,
    batch: &EntryBatch,
    gone: &[Tid],
) -> Result<(), IndexError> {
    BTREE.enter()?.kill(file, heap_file, batch, gone)
}

/// Fills the empty tree of a file that nobody else uses yet with entries in
/// ascending order of (key, tid); `entries` writes the next key into the buffer
/// and tells its tid. Answers how many there were.
///
/// # Errors
/// [`IndexError::KeyTooLong`]; [`IndexError::OutOfOrder`]; when the disk is full.
pub fn bulk_build(
    file: FileId,
    entries: &mut dyn FnMut(&mut alloc::vec::Vec<u8>) -> Option<Tid>,
) -> Result<u64, IndexError> {
    BTREE.enter()?.bulk_build(file, entries)
}

/// Removes all entries that lead to `dead`. Answers how many there were.
///
/// # Errors
/// When a page cannot be read; when cancelled.
pub fn remove(tx: &Transaction, file: FileId, dead: &DeadTids) -> Result<u64, IndexError> {
    BTREE.enter()?.remove(tx, file, dead)
}

/// Looks at every page for what must not be. On a tree that is being changed it
/// can report what is only half seen.
///
/// # Errors
/// When a page cannot be read.
pub fn check(file: FileId) -> Result<CheckReport, IndexError> {
    BTREE.enter()?.check(file)
}
