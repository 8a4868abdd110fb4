//! Why a swap did not happen. The old cells serve on in every case.

use alloc::string::String;
use core::fmt;
use mod_mgmt::LoadError;
use port::{BirthError, SwapError};
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
        }
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
