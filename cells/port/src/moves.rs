//! How a port crate, or a library with statics, moves to a later generation.
//!
//! A changed port is loaded beside the one that runs, with doors and statics of
//! its own. The doors are the swap's to fill. What else lies in statics, and the
//! tasks whose code is the port's, only the crate itself knows; so it says in a
//! `pub static MOVES` in its root what to do about them. A crate with statics
//! that has none stays as it was loaded, and a set that brings another generation
//! of it is refused.

use crate::{HandoverError, State};

/// What a crate does when a later generation of it takes its place.
pub struct Moves {
    /// On the earlier generation, with all doors of the set closed: ends its
    /// tasks, or lets them end at their next round, and gives what its statics
    /// hold.
    pub give: fn() -> Result<Option<State>, HandoverError>,
    /// On the later generation: takes that, and starts its tasks. Also on the
    /// earlier one, when the move is undone.
    pub take: fn(Option<State>) -> Result<(), HandoverError>,
}

impl Moves {
    /// For a crate that has no tasks, and nothing in statics but its doors and
    /// what its cells put there at their birth.
    #[must_use]
    pub const fn doors_only() -> Self {
        Moves {
            give: || Ok(None),
            take: |_| Ok(()),
        }
    }
}
