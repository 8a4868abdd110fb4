//! Why a swap did not happen. The old cells serve on in every case.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use mod_mgmt::LoadError;
use port::{BirthError, HandoverError, PortError, SwapError};
use task_port::Fault;

/// Why a swap did not happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SwapFailure {
    /// The new cell could not be loaded.
    Load(LoadError),
    /// A port could not be closed, drained, exported or flipped.
    Port(SwapError),
    /// The new cell refused to be born.
    Birth {
        /// The cell.
        cell: String,
        /// Why.
        why: BirthError,
    },
    /// The new cell faulted while it was born.
    Fault(Fault),
    /// Nothing to swap: the cell has no port.
    NoPort(String),
    /// Nothing to swap: the set is empty.
    Nothing,
    /// The set changes a port, but not all cells that use it.
    Users {
        /// The port.
        port: String,
        /// Those that are missing.
        missing: Vec<String>,
    },
    /// The set changes a crate that does not say how it moves.
    Fixed(String),
    /// A crate of the set did not move to its later generation.
    Moving {
        /// The crate.
        krate: String,
        /// Why.
        why: HandoverError,
    },
    /// The version to roll back to is not kept.
    Forgotten {
        /// The cell.
        cell: String,
        /// The generation that was asked for.
        generation: Option<u64>,
    },
    /// Nobody is there to swap.
    Absent(PortError),
}

impl fmt::Display for SwapFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SwapFailure::Load(error) => write!(f, "{error}"),
            SwapFailure::Port(error) => write!(f, "{error}"),
            SwapFailure::Birth { cell, why } => write!(f, "{cell} refused to start: {why}"),
            SwapFailure::Fault(fault) => write!(
                f,
                "{} faulted while it started: {}",
                fault.cell, fault.message
            ),
            SwapFailure::NoPort(cell) => {
                write!(
                    f,
                    "{cell} is a library: swap the cells that use it instead, see `cells`"
                )
            }
            SwapFailure::Nothing => f.write_str("there is no cell in the set"),
            SwapFailure::Users { port, missing } => write!(
                f,
                "{port} changes, so these must be in the same set: {}",
                missing.join(" ")
            ),
            SwapFailure::Fixed(name) => write!(
                f,
                "{name} has statics and does not say how they move: restart the system to change it"
            ),
            SwapFailure::Moving {
                krate,
                why: HandoverError::Busy,
            } => write!(
                f,
                "{krate} cannot move now: its tasks are busy, such as with open transactions"
            ),
            SwapFailure::Moving { krate, why } => {
                write!(f, "{krate} does not move: {}", BirthError::Handover(*why))
            }
            SwapFailure::Forgotten {
                cell,
                generation: Some(generation),
            } => write!(f, "no object of generation {generation} of {cell} is kept"),
            SwapFailure::Forgotten { cell, .. } => {
                write!(f, "no earlier version of {cell} is kept")
            }
            SwapFailure::Absent(error) => write!(f, "{error}"),
        }
    }
}

impl From<PortError> for SwapFailure {
    fn from(error: PortError) -> Self {
        SwapFailure::Absent(error)
    }
}

impl From<LoadError> for SwapFailure {
    fn from(error: LoadError) -> Self {
        SwapFailure::Load(error)
    }
}

impl From<SwapError> for SwapFailure {
    fn from(error: SwapError) -> Self {
        SwapFailure::Port(error)
    }
}
