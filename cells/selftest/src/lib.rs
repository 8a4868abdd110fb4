//! Tests that run inside the system, chosen by the boot option `test=NAME`
//! (`all` for all of them). The machine ends with exit code 0x10 when they pass
//! and 0x11 when one fails.
//!
//! One file per part that is tested; each file lists its tests in `TESTS`.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

#[cfg(mitos)]
mod faults;
#[cfg(mitos)]
mod heap;
#[cfg(mitos)]
mod leaves;
#[cfg(mitos)]
mod refusals;
#[cfg(mitos)]
mod run;
#[cfg(mitos)]
mod swaps;
#[cfg(mitos)]
mod tasks;

#[cfg(mitos)]
pub use run::run;
