//! The captain: brings the system up in order, watches the cells, replaces the
//! failed ones. Policy only: how a cell is started or replaced is `swap`'s.
//!
//! | file | what |
//! |---|---|
//! | `plan` | the order of boot, as a list |
//! | `services` | the steps that are no cell: loops, opening the database |
//! | `counters` | what the database holds and has done, as numbers with names |
//! | [`policy`] | what is done about faults, as a table |
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(mitos)]
mod counters;
#[cfg(mitos)]
mod plan;
pub mod policy;
#[cfg(mitos)]
mod services;

#[cfg(mitos)]
pub use plan::CELL;
