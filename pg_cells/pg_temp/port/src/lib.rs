//! Port of pg_temp: temporary files, for what queries cannot keep in memory.
//!
//! ```no_run
//! # use pg_temp_port::{TempFile, TempError};
//! # fn main() -> Result<(), TempError> {
//! let mut file = TempFile::create()?;
//! file.append(b"what did not fit")?;
//! file.finish()?;
//! let mut bytes = [0; 4];
//! file.read_at(5, &mut bytes)?;
//! assert_eq!(&bytes, b"did ");
//! # Ok(())
//! # }
//! ```
//! A file consists of blocks of 32 KiB that lie in extents borrowed from the
//! buffer pool's space map (`pg_buffer_port::borrow_extent`). Neither the log nor
//! the pool hears of them: blocks go straight to the disk, behind everything
//! else, and come back as a query's own reads. Which block is used is no secret
//! of the disk: after a start all of them are free again. Dropping a file gives
//! its blocks back, and the last block of an extent the extent, whether the query
//! ended, failed, or its cell was replaced.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod file;
mod state;

pub use file::TempFile;
pub use state::{BLOCK, Block, Counters, SCHEMA, TempState};

use alloc::sync::Arc;
use nvme_port::DiskError;
use pg_buffer_port::BufferError;
use port::{Component, Port};

/// The door of temporary space.
pub static TEMP: Port<dyn TempSpace> = Port::new("pg_temp");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &TEMP;

/// Nobody has a temporary file while this crate moves: the cell begins anew.
pub static MOVES: port::Moves = port::Moves {
    anew: true,
    ..port::Moves::doors_only()
};

/// Where the next block goes.
#[derive(Debug)]
pub enum Choice {
    /// Here.
    Block(Block),
    /// Into another extent, to be borrowed and added to this state.
    Borrow(Arc<TempState>),
    /// Nowhere.
    Full,
}

/// What stands behind the door: decisions. None of its calls waits.
pub trait TempSpace: Component {
    /// Where the next block goes.
    fn choose(&self) -> Choice;
    /// What is in use and has been done.
    fn state(&self) -> Arc<TempState>;
}

/// Why temporary space cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TempError {
    /// There is no room.
    Full,
    /// The device failed.
    Io,
    /// No memory for a block on its way.
    OutOfMemory,
    /// No disk, no pool, or no such cell.
    NotRunning,
}

impl core::fmt::Display for TempError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            TempError::Full => "there is no room for temporary files",
            TempError::Io => "the disk failed with a temporary file",
            TempError::OutOfMemory => "there is no memory for a temporary file's block",
            TempError::NotRunning => "temporary files are not to be had now",
        })
    }
}

impl From<DiskError> for TempError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Io | DiskError::BadRequest => TempError::Io,
            DiskError::NotRunning | DiskError::Lost => TempError::NotRunning,
        }
    }
}

impl From<BufferError> for TempError {
    fn from(error: BufferError) -> Self {
        match error {
            BufferError::DiskFull => TempError::Full,
            BufferError::OutOfMemory => TempError::OutOfMemory,
            _ => TempError::NotRunning,
        }
    }
}

impl From<port::PortError> for TempError {
    fn from(_: port::PortError) -> Self {
        TempError::NotRunning
    }
}

/// Takes a block.
pub(crate) fn take_block() -> Result<Block, TempError> {
    loop {
        // Another task may take what was borrowed here: then once more.
        let choice = TEMP.enter()?.choose();
        match choice {
            Choice::Block(block) => return Ok(block),
            Choice::Borrow(state) => state.add(pg_buffer_port::borrow_extent()?),
            Choice::Full => return Err(TempError::Full),
        }
    }
}

/// What temporary space is used and was used for.
///
/// # Errors
/// [`TempError::NotRunning`].
pub fn state() -> Result<Arc<TempState>, TempError> {
    Ok(TEMP.enter()?.state())
}
