//! Damages running cells on command. Which byte, a seed decides; the power to
//! write it is `mod_mgmt`'s to give, and it gives it only to a system that was
//! booted with `faults=inject`.
//!
//! | kind | what is damaged |
//! |---|---|
//! | `text` | a bit of a function |
//! | `skip` | a call or conditional jump becomes no-operations |
//! | `data` | a bit of the cell's writable pages: tables, vtables, slots |
//! | `word` | eight bytes of them become random |
//! | `state` | eight bytes of the provider, or of what it points to |
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(any(mitos, test))]
mod choice;
#[cfg(mitos)]
mod injector;

#[cfg(mitos)]
pub use injector::CELL;
