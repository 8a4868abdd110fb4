//! The injector of faults as the shell sees it. Nobody is behind this door unless
//! the system was booted with `faults=inject`.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
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
    /// decides, or in the block of code that begins `at` bytes behind the start of
    /// its code; says what was done. With the kind `code`, where its code lies.
    ///
    /// # Errors
    /// A sentence: no such cell or kind, or nothing there to damage.
    fn inject(
        &self,
        cell: &str,
        kind: &str,
        seed: u64,
        at: Option<usize>,
    ) -> Result<String, String>;
}
