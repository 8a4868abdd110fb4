//! The injector of faults as the shell sees it. Nobody is behind this door unless
//! the system was booted with `faults=inject`.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use core::ops::Range;
use port::{Component, Port};

/// The door of the injector.
pub static INJECTOR: Port<dyn Injector> = Port::new("fault_injection");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &INJECTOR;

/// There is nothing to move.
pub static MOVES: port::Moves = port::Moves::doors_only();

/// Does damage.
pub trait Injector: Component {
    /// Damages the cell in the way that `kind` names, at a place that `seed`
    /// decides, or at the instruction that lies at these bytes of its code (`data` and
    /// `word`: at what it or one of the next instructions refers to); says what was
    /// done. With the kind `code`, where its code lies; with the kind `undo`, the last
    /// damage is taken back where it is still there.
    ///
    /// # Errors
    /// A sentence: no such cell or kind, or nothing there to damage.
    fn inject(
        &self,
        cell: &str,
        kind: &str,
        seed: u64,
        at: Option<Range<usize>>,
    ) -> Result<String, String>;
}
