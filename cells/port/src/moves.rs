//! How a port crate, or a library with statics, moves to a later generation.
//!
//! A changed port is loaded beside the one that runs, with doors and statics of
//! its own. The doors are the swap's to fill. What else lies in statics, and the
//! tasks whose code is the port's, only the crate itself knows; so it says in a
//! `pub static MOVES` in its root what to do about them. A crate with statics
//! that has none stays as it was loaded, and a set that brings another generation
//! of it is refused.
//!
//! What moves is best made of numbers, texts and the collections of `alloc`: the two
//! generations may differ in every type of their own, and nothing checks that.

use crate::{HandoverError, State};

/// What a crate does when a later generation of it takes its place.
#[derive(Debug)]
pub struct Moves {
    /// On the earlier generation, before any door is closed: asks its tasks to
    /// leave its code, and waits until the last one has or the clock shows so many
    /// nanoseconds. If they have not, or something else hinders, they go on as
    /// before; so they do at [`Moves::take`] of nothing.
    pub park: fn(u64) -> Result<(), HandoverError>,
    /// On the earlier generation, with the doors of the set that have state
    /// closed: gives what its statics and its parked tasks held.
    pub give: fn() -> Result<Option<State>, HandoverError>,
    /// On the later generation: takes that. Also on the earlier one, when the move is
    /// undone: with what the later one gives back, or with nothing when it has not
    /// given yet.
    pub take: fn(Option<State>) -> Result<(), HandoverError>,
    /// On the generation that serves from now on, after the move or when it is
    /// undone: starts its tasks. The doors below are open, with their cells behind
    /// them, and if `anew` is set its own, too.
    pub start: fn() -> Result<(), HandoverError>,
    /// What the cell behind its door keeps is not handed over: the new cell is born as
    /// at boot, and `start` brings everything back, such as from the disk. So
    /// generations whose states have nothing in common can follow each other.
    pub anew: bool,
}

impl Moves {
    /// For a crate that has no tasks, and nothing in statics but its doors and
    /// what its cells put there at their birth.
    #[must_use]
    pub const fn doors_only() -> Self {
        Moves {
            park: no_tasks,
            give: || Ok(None),
            take: |_| Ok(()),
            start: || Ok(()),
            anew: false,
        }
    }
}

/// What a crate without tasks says for [`Moves::park`].
///
/// # Errors
/// None.
pub fn no_tasks(_: u64) -> Result<(), HandoverError> {
    Ok(())
}
