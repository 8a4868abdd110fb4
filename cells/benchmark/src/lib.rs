//! Times taken inside the system, chosen by the boot option `bench=NAME` (`all`
//! for all of them). Each result is one console line, `bench NAME VALUE ns`; the
//! machine ends with exit code 0x10.
//!
//! `cargo run -- bench` boots this and makes a table of it. Booted with
//! `--count-instructions` a nanosecond is an instruction, and the same lines are
//! instruction counts.
//!
//! | file | what is timed |
//! |---|---|
//! | `calls` | plain calls, calls through slots, ports and gates |
//! | `tasks` | switches, spawns, sleeps |
//! | `space` | heap, pages, copies |
//! | `swaps` | the swap of a small stateful cell |
//! | `run` | choosing, repeating, printing |
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(mitos)]
mod calls;
#[cfg(mitos)]
mod run;
#[cfg(mitos)]
mod space;
#[cfg(mitos)]
mod swaps;
#[cfg(mitos)]
mod tasks;

#[cfg(mitos)]
pub use run::run;
