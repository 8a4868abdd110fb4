//! What the swap keeps between two swaps, and during one.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use mod_mgmt::namespace::{BaseCrate, Loaded};
use port::{Door, Moves, Options};
use sync::FaultLock;

/// A door of a set: the one that callers will use, and the one they use so far.
#[derive(Clone, Copy)]
pub struct Passage {
    /// The door of the new cell.
    pub new: &'static dyn Door,
    /// The door of the former cell, if the port itself has another generation.
    pub old: Option<&'static dyn Door>,
}

impl Passage {
    /// The door that callers use until the flip.
    #[must_use]
    pub fn serving(&self) -> &'static dyn Door {
        self.old.unwrap_or(self.new)
    }

    /// Makes the staged provider the current one.
    ///
    /// # Errors
    /// See [`Door::flip`].
    pub fn flip(&self) -> Result<(), port::SwapError> {
        self.new.flip()
    }

    /// Undoes [`Passage::flip`].
    pub fn flip_back(&self) -> bool {
        let back = self.new.flip_back().is_ok();
        back && self.old.is_none_or(|old| old.readmit().is_ok())
    }
}

impl core::fmt::Debug for Passage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.new.name())
    }
}

/// What is kept of a finished swap until its probation ends.
#[derive(Debug)]
pub struct Probation {
    /// Its doors, callers before those they call.
    pub passages: Vec<Passage>,
    /// The former cells, which would come back: name of the new cell, and the
    /// former one that it replaced.
    pub former: Vec<(Arc<Loaded>, Option<Arc<Loaded>>)>,
    /// Crates without code that the set changed, as they were.
    pub crates: Vec<(String, Option<BaseCrate>)>,
    /// When it ends (ns).
    pub ends: u64,
}

/// What a swap under way has done to doors, so that it can be undone without its
/// code.
#[derive(Debug, Default)]
pub struct Journal {
    /// Doors that it may have closed or staged behind, in order.
    pub touched: Vec<Passage>,
    /// Those that it has flipped.
    pub flipped: Vec<Passage>,
    /// Crates whose tasks it has parked, and whose statics it has not moved.
    pub parked: Vec<&'static Moves>,
}

impl Journal {
    /// Puts all doors back to what they were.
    pub fn undo(&mut self) {
        for passage in self.flipped.drain(..) {
            passage.flip_back();
        }
        for passage in self.touched.drain(..).rev() {
            passage.new.unstage();
            passage.serving().resume();
            passage.serving().open();
        }
        for moves in self.parked.drain(..).rev() {
            let _ = task_port::gate_unreported(|| {
                (moves.take)(None)?;
                (moves.start)()
            });
        }
    }
}

/// The swap's state; one swap at a time has it.
#[derive(Debug)]
pub struct Engine {
    /// The boot options, for births.
    pub options: Option<Options>,
    /// The last swap, while its cells are on probation.
    pub probation: Option<Probation>,
    /// The swap under way.
    pub journal: Journal,
}

/// The one engine.
#[cfg_attr(not(mitos), allow(dead_code))]
pub(crate) static ENGINE: FaultLock<Engine> = FaultLock::new(Engine {
    options: None,
    probation: None,
    journal: Journal {
        touched: Vec::new(),
        flipped: Vec::new(),
        parked: Vec::new(),
    },
});
