//! Port of pg_buffer: reading pages, changing them in mini-transactions, files,
//! checkpoints.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod mini_tx;
mod page;
mod types;

pub use mini_tx::{MiniTx, Slot};
pub use page::{PagePin, PageRead, prefetch, read_page, set_hint};
pub use pg_page::{PAGE_SIZE, Page};
pub use pg_wal_port::Lsn;
pub use types::{BufferError, BufferStats, FileId, Fork, PageId};

use alloc::vec::Vec;

/// How many pages a file has.
///
/// # Errors
/// [`BufferError::NoSuchPage`] (of block 0) when there is no such file.
pub fn blocks(file: FileId) -> Result<u32, BufferError> {
    let _ = file;
    Err(BufferError::NotRunning)
}

/// All files with their lengths in pages.
///
/// # Errors
/// When the pool is not running.
pub fn files() -> Result<Vec<(FileId, u32)>, BufferError> {
    Err(BufferError::NotRunning)
}

/// Makes an empty file. Takes effect at once with a log record of its own, and
/// is not undone with `mtx` (which gives the transaction's number): a file whose
/// owner never became known is found again by [`files`].
///
/// # Errors
/// [`BufferError::FileExists`], [`BufferError::DiskFull`] and what logging can
/// give.
pub fn create_file(mtx: &mut MiniTx, file: FileId) -> Result<(), BufferError> {
    let _ = (mtx, file);
    Err(BufferError::NotRunning)
}

/// Removes a file with all its pages, at once like [`create_file`]. Pages of it
/// that are still pinned stay readable for their holders. No error when there is
/// no such file.
///
/// # Errors
/// What logging can give.
pub fn drop_file(mtx: &mut MiniTx, file: FileId) -> Result<(), BufferError> {
    let _ = (mtx, file);
    Err(BufferError::NotRunning)
}

/// Cuts a file to `blocks` pages, at once like [`create_file`].
///
/// # Errors
/// What logging can give.
pub fn truncate(mtx: &mut MiniTx, file: FileId, blocks: u32) -> Result<(), BufferError> {
    let _ = (mtx, file, blocks);
    Err(BufferError::NotRunning)
}

/// Writes all changed pages and moves the point from which recovery starts.
///
/// # Errors
/// When a page or the log could not be written.
pub fn checkpoint() -> Result<(), BufferError> {
    Err(BufferError::NotRunning)
}

/// What the pool has done and holds.
///
/// # Errors
/// When the pool is not running.
pub fn stats() -> Result<BufferStats, BufferError> {
    Err(BufferError::NotRunning)
}
