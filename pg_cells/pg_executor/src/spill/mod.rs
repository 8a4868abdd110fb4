//! What does not fit into `work_mem`.
//!
//! | part | what |
//! |---|---|
//! | [`tape`] | rows on a temporary file, written once and read in order |
//! | [`merge`] | sorted tapes, given in one order |
//! | [`partition`] | rows dealt to tapes by a hash of their keys |
//! | [`distinct`] | which rows are seen for the first time, however many there are |
//! | [`spool`] | rows kept in order and read again, from any place |
//!
//! Operators decide when; the files are the session's
//! ([`pg_executor_port::SpillStore`]) and go with the objects here, so an operator
//! keeps them in its fields, not in its calls: a fault then finds them.

pub mod distinct;
pub mod merge;
pub mod partition;
pub mod spool;
pub mod tape;

/// About the memory that a tape takes while it is written or read: a block of its
/// file and one on its way.
pub const TAPE_BYTES: usize = 48 * 1024;
