//! Replaces running cells: a transaction over the doors of the new cells.
//!
//! ```text
//! load        read, check, link: nothing has stopped yet
//! settle      the generation before last is gone
//! close       doors with state: new callers wait            -+
//! drain       those inside leave, or the deadline undoes     | the pause
//! export      the old providers give their state             |
//! birth       the new cells take it, behind a gate           |
//! flip        the new providers are current                  |
//! open        callers go on                                 -+
//! probation   a fault now puts the old providers back
//! retire      the old providers are dropped, their code unloaded
//! ```
//!
//! Cells without state skip close, drain, export and open: they change by
//! generations. Whatever fails before the flip leaves the old cells serving with
//! their state. One swap runs at a time.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod log_book;
mod objects;
#[cfg(mitos)]
mod steps;
#[cfg(mitos)]
mod transaction;

pub use error::SwapFailure;
pub use log_book::{Reason, Record, history, tally};
#[cfg(mitos)]
pub use objects::{add_archive, install_boot_archive};
#[cfg(mitos)]
pub use transaction::{fault_in, settle_probation, start, swap, swap_with};
