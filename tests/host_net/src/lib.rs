//! The network on the host, in two ways.
//!
//! [`CELL`] stands behind `net_port::NET` with sockets of the standard
//! library, so that the database runs as a process which ordinary clients
//! reach. [`fake`] is a network interface in memory for tests of the real
//! stack, with a cable that loses and reorders frames by seed, and
//! [`peer::Peer`] is who sits at its other end.
#![forbid(unsafe_code)]

pub mod fake;
pub mod peer;
mod sockets;

pub use sockets::CELL;
