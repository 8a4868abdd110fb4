//! Port of pg_check: the search for damage, on a running system or on a disk that
//! a tool of the host has opened with the same cells.
//!
//! Two looks: [`media`] at the bytes of the superblock and the log as they lie on
//! the disk, which needs the disk alone and is right before recovery; [`run`] at
//! everything, through the running cells. Neither changes anything.
//!
//! Both block, and may take long on a large disk. The cell is stateless.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod report;

pub use report::{Finding, Looked, MOST_FINDINGS, Place, Report, Severity, What};

use port::{Component, Port, PortError};

/// The checker's door.
pub static CHECK: Port<dyn Checker> = Port::new("pg_check");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &CHECK;

/// There is nothing to move.
pub static MOVES: port::Moves = port::Moves::doors_only();

/// What else goes on during a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Around {
    /// Others work: what is found is looked at again, and counts if it stays.
    Work,
    /// Nothing: what should not be there for a moment should not be there.
    Quiet,
}

/// What the checker does.
pub trait Checker: Component {
    /// See [`media`].
    fn media(&self) -> Report;
    /// See [`run`].
    fn run(&self, around: Around) -> Report;
}

/// Looks at the superblock and, from where recovery starts, at the log. Nothing
/// but the disk need run; if the log does, it is looked at up to what is durable.
///
/// # Errors
/// When nobody stands behind the port.
pub fn media() -> Result<Report, PortError> {
    Ok(CHECK.enter()?.media())
}

/// Looks at every page that is in use, at what the pages say of one another, and
/// at the catalogs. What does not run, or cannot be read, is a finding.
///
/// # Errors
/// When nobody stands behind the port.
pub fn run(around: Around) -> Result<Report, PortError> {
    Ok(CHECK.enter()?.run(around))
}
