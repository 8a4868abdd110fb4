//! Damages running cells on command. Which byte, a seed decides; the power to
//! write it is `mod_mgmt`'s to give, and it gives it only to a system that was
//! booted with `faults=inject`.
//!
//! | kind | what is damaged |
//! |---|---|
//! | `text` | a bit of a function |
//! | `skip` | an instruction becomes no-operations; one that is not chosen is a call or a conditional jump |
//! | `data` | a bit of the cell's writable pages: tables, vtables, slots |
//! | `word` | eight bytes of them become random |
//! | `state` | eight bytes of the provider, or of what it points to |
//!
//! `undo` takes the last damage back where nobody has written since: damage to a state,
//! which a fresh instance of the cell would inherit.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(any(mitos, test))]
mod choice;
#[cfg(mitos)]
mod injector;

#[cfg(mitos)]
pub use injector::CELL;
