//! The door of a cell.
//!
//! A port crate declares a trait and one static [`Port`] of it. Callers
//! [`Port::enter`] and call the trait; the cell behind it may be another one the
//! next time. [`Door`] is the same port as the swap sees it, without the type:
//! close, drain, export, flip, open. [`Cell`] is what a cell says of itself, and
//! [`Component`] what every provider can do: give its state away, take it back,
//! and crash on command.
//!
//! Code that runs with interrupts off has a door of its own kind, [`Leaf`].
//!
//! The protocol between callers and the swap, in `door.rs` and `entry.rs`, is
//! checked in every interleaving of a few tasks: `tests/port_model`.
//!
//! What may cross a port, and why nobody sleeps inside one, is in
//! `docs/architecture.md`.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

mod atomic;
mod cell;
mod component;
mod crash;
mod door;
mod entry;
mod error;
mod leaf;
mod moves;
mod state;

pub use cell::{Birth, BirthError, Cell, CellCode, CellRef, DoorRef, Options, start};
pub use component::Component;
pub use crash::{CrashKind, crash_here};
pub use door::{Door, Port};
pub use entry::Entered;
pub use error::{DoorStatus, PortError, SwapError};
pub use leaf::{Leaf, NO_ANSWER, a_leaf_has_failed};
pub use moves::{Moves, no_tasks};
pub use state::{HandoverError, Kept, Lineage, Schemas, State};
