//! The door of a cell.
//!
//! A port crate declares a trait and one static [`Port`] of it. Callers
//! [`Port::enter`] and call the trait; the cell behind it may be another one the
//! next time. [`Door`] is the same port as the swap sees it, without the type:
//! close, drain, export, flip, open. [`Cell`] is what a cell says of itself, and
//! [`Component`] what every provider can do: give its state away, take it back,
//! and crash on command.
//!
//! What may cross a port, and why nobody sleeps inside one, is in
//! `docs/architecture.md`.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

mod cell;
mod crash;
mod door;
mod entry;
mod state;

pub use cell::{Birth, BirthError, Cell, CellCode, CellRef, DoorRef, Options, start};
pub use crash::{CrashKind, crash_here};
pub use door::{Door, DoorStatus, Port, PortError, SwapError};
pub use entry::Entered;
pub use state::{HandoverError, State};

/// What every provider of a port can do beside its trait.
pub trait Component: Send + Sync {
    /// Whether it has state to hand over. A cell with state is closed and drained
    /// for a swap; one without is replaced by generations, without a pause.
    fn has_state(&self) -> bool {
        false
    }

    /// Gives away everything that must survive a swap. Called with the port
    /// closed and drained; after it the provider serves nobody unless
    /// [`Component::reclaim`] is called. A stateless cell gives `None`.
    ///
    /// # Errors
    /// When the state cannot be given now; the swap is then undone.
    fn export(&self) -> Result<Option<State>, HandoverError> {
        Ok(None)
    }

    /// Serves on after [`Component::export`]: the swap failed before anyone used
    /// the state it gave. What it gave must therefore still be its own, shared.
    fn resume(&self) {}

    /// Takes a state back that its successor has used: the successor faulted in
    /// probation.
    ///
    /// # Errors
    /// When the state is not the one it gave.
    fn reclaim(&self, state: State) -> Result<(), HandoverError> {
        drop(state);
        Ok(())
    }

    /// Faults inside this cell's code, for tests and demonstrations. Every
    /// provider implements it as `port::crash_here(kind)`, which is inlined so
    /// that the faulting instruction is the cell's own.
    fn crash(&self, kind: CrashKind);
}
