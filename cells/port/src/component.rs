//! What every provider of a port can do beside its trait.

use crate::{CrashKind, HandoverError, State};

/// What every provider of a port can do beside its trait.
pub trait Component: Send + Sync {
    /// Whether it has state to hand over. A cell with state is closed and drained
    /// for a swap; one without is replaced by generations, without a pause.
    fn has_state(&self) -> bool {
        false
    }

    /// Gives away everything that must survive a swap. Called with the port
    /// closed and drained, or where [`Component::shares_state`] beside calls; after it the provider serves nobody unless
    /// [`Component::reclaim`] is called. A stateless cell gives `None`.
    ///
    /// # Errors
    /// When the state cannot be given now; the swap is then undone.
    fn export(&self) -> Result<Option<State>, HandoverError> {
        Ok(None)
    }

    /// Whether the successor may be born while calls go on: [`Component::export`]
    /// gives a second reference to the state, its port's cells are born from one
    /// without looking at what calls change, and no fault has torn it. The door is
    /// then closed for the change alone.
    fn shares_state(&self) -> bool {
        false
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
