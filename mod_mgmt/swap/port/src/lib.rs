//! The swap as others ask for it, and what it keeps between two swaps.
//!
//! | file | what |
//! |---|---|
//! | `engine` | the state: boot options, what is on probation, what a swap has closed |
//! | [`objects`] | which versions of a cell there are, and where their objects lie |
//! | [`spares`] | of each running cell an instance that is linked already |
//! | `log_book` | what was swapped when and why |
//! | `asking` | the functions that others call |
//! | `error` | why a swap did not happen |
//!
//! The code of the transaction is the cell `swap`, which replaces itself as any
//! other: the call that does it ends in the generation it began in. All state is
//! here, so there is nothing to hand over. Should that code fault, `asking` puts
//! back what the journal says it had closed.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(mitos)]
mod asking;
mod engine;
mod error;
mod log_book;
pub mod objects;
#[cfg(mitos)]
pub mod spares;

#[cfg(mitos)]
pub use asking::{fault_in, push, push_names, rollback, settle_probation, start, swap, swap_with};
pub use engine::{Engine, Journal, Passage, Probation};
pub use error::SwapFailure;
pub use log_book::{Ran, Reason, Record, Steps, history, note, note_fault, tally};

use alloc::string::String;
use objects::Source;
use port::{Component, Door, Port};

/// The door of the swap.
pub static SWAP: Port<dyn Swap> = Port::new("swap");
/// The same, without its type.
pub static DOOR: &dyn Door = &SWAP;

/// One cell or crate of a set: which object takes whose place.
#[derive(Clone, Debug)]
pub struct Order {
    /// The cell whose place is taken; the same name, or another cell behind the
    /// same doors.
    pub replaces: String,
    /// The cell to load.
    pub name: String,
    /// Where its object lies.
    pub source: Source,
}

/// The transaction. Called with the engine's lock held.
pub trait Swap: Component {
    /// Replaces cells, as one set: all or none. In the order in which they are
    /// to be loaded.
    ///
    /// # Errors
    /// Why nothing was replaced.
    fn replace(
        &self,
        engine: &mut Engine,
        orders: &[Order],
        reason: Reason,
    ) -> Result<Record, SwapFailure>;
    /// Puts the former cells back if `cell` is on probation.
    fn revert(&self, engine: &mut Engine, cell: &str) -> Option<Record>;
    /// Ends the probation, if its time is over.
    fn settle(&self, engine: &mut Engine);
}
