//! Replaces running cells: a transaction over the doors of the new cells.
//!
//! ```text
//! load        read, check, link, against each other: nothing has stopped yet
//! settle      the generation before last is gone
//! birth       cells without state
//! ahead       export and birth, where the state can be shared
//! lull        nobody is inside, or not for long
//! close       doors with state: new callers wait            -+
//! drain       those inside leave, or the deadline undoes     |
//! move        ports of another generation: statics, tasks    | the pause
//! export      the old providers give their state  } unless   |
//! birth       the new cells take it               } ahead    |
//! flip        the new providers are current                  |
//! open        callers go on                                 -+
//! probation   a fault now puts the old providers back
//! retire      the old providers are dropped, their code unloaded
//! ```
//!
//! Cells without state skip close, drain, export and open: they change by
//! generations. Whatever fails before the flip leaves the old cells serving with
//! their state. One swap runs at a time.
//!
//! | file | what |
//! |---|---|
//! | `set` | load: the cells of a swap, their doors, what must be among them |
//! | `steps` | one function for each step |
//! | `pause` | when to close, and where the time goes until the doors are open |
//! | `transaction` | the steps in order |
//! | `probation` | what comes after: the end, or the way back |
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(mitos)]
mod pause;
#[cfg(mitos)]
mod probation;
#[cfg(mitos)]
mod set;
#[cfg(mitos)]
mod steps;
#[cfg(mitos)]
mod transaction;

#[cfg(mitos)]
pub use transaction::CELL;
