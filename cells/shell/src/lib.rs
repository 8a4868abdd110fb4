//! The operator's shell: the commands. Reading lines, editing and history are
//! the console's.
//!
//! Every error says what to do next.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(mitos)]
mod cells;
#[cfg(mitos)]
mod commands;
#[cfg(mitos)]
mod counters;
#[cfg(mitos)]
mod devices;
#[cfg(mitos)]
mod mem;
#[cfg(mitos)]
mod system;
#[cfg(mitos)]
mod watch;

#[cfg(mitos)]
pub use commands::CELL;
