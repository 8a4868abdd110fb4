//! Everything that knows what a cell is: one file per verb.
//!
//! | file | verb |
//! |---|---|
//! | `object/` (the crate `cell_object`) | pack on the host: read, place, fix; link: unpack, fill in addresses |
//! | [`namespace`] | remember: which cells are loaded, what they export, who depends on whom, what lies at an address |
//! | `ranges` | find: the cell that an address belongs to |
//! | [`scope`] | look up: what the cells of a set link to |
//! | [`damage`] | damage: injected faults, by whoever holds the power (the system only) |
//! | [`loader`] | load and unload, with W^X pages (the system only) |
//!
//! A cell reaches an imported symbol through a *slot*: an 8-byte pointer in its
//! writable pages. A call goes through a stub (`jmp *slot`). Text is never
//! patched. Packing and linking are pure functions over bytes, tested on the host;
//! nothing here panics on any object.
//!
//! Swapping is not here but in `swap`: it needs cells that run.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(mitos)]
pub mod damage;
mod error;
#[cfg(mitos)]
pub mod loader;
pub mod namespace;
mod ranges;
#[forbid(unsafe_code)]
pub mod scope;

pub use error::LoadError;
