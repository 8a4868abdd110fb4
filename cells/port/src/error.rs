//! What a port says when it cannot, and how lists show it.

use crate::{CellRef, HandoverError};
use alloc::string::String;

/// Why a port could not be entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortError {
    /// No cell stands behind the port: not started yet, or given up.
    NoProvider(&'static str),
}

/// Why a step of a swap could not be done. The caller undoes the swap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SwapError {
    /// Calls were still in flight at the deadline.
    Busy {
        /// The port.
        port: &'static str,
        /// How many calls.
        inflight: u32,
    },
    /// The port has no staged provider to flip to.
    NothingStaged(&'static str),
    /// The port has no provider to give a state.
    NoProvider(&'static str),
    /// The state could not be given or taken.
    Handover(&'static str, HandoverError),
}

/// A port as lists show it.
#[derive(Clone, Debug)]
pub struct DoorStatus {
    /// The port's name, which is the cell's.
    pub name: &'static str,
    /// The cell behind it, if any.
    pub cell: Option<CellRef>,
    /// Counts up with each flip.
    pub generation: u64,
    /// Calls in flight.
    pub inflight: u32,
    /// Closed for a swap.
    pub closed: bool,
    /// When the first call ended that entered after the last fault (ns); 0 for none
    /// yet.
    pub served: u64,
}

impl core::fmt::Display for SwapError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            SwapError::Busy { port, inflight } => write!(
                f,
                "{port}: {inflight} calls still in flight at the deadline"
            ),
            SwapError::NothingStaged(port) => write!(f, "{port}: the new cell offered no provider"),
            SwapError::NoProvider(port) => write!(f, "{port}: no cell stands behind it"),
            SwapError::Handover(port, HandoverError::Missing) => {
                write!(f, "{port}: there is no state to hand over")
            }
            SwapError::Handover(port, HandoverError::Schema { offered }) => {
                write!(f, "{port}: the state's schema {offered} is not understood")
            }
            SwapError::Handover(port, HandoverError::Busy) => {
                write!(f, "{port}: the state cannot be given now")
            }
        }
    }
}

impl core::fmt::Display for PortError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let PortError::NoProvider(name) = self;
        write!(f, "{name} is not running")
    }
}

impl From<SwapError> for String {
    fn from(error: SwapError) -> String {
        alloc::format!("{error}")
    }
}
