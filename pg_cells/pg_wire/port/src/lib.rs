//! Connections and sessions, as they outlive the cell that speaks the protocol.
//!
//! A [`Session`] is plain data: settings, the transaction, prepared statements,
//! portals, cached plans and what is to be sent. The loops live here:
//! [`start`] accepts connections and gives each a task, which reads one whole
//! message at a time and hands it to [`Wire::step`] behind a gate. So `pg_wire`
//! can be replaced between any two messages of an open connection, and a fault
//! in any cell of the database ends at the statement: the client is told, the
//! transaction is rolled back and the connection lives on. A statement that
//! only read and of which nothing was sent yet is run once more instead.
//!
//! What the messages mean is the cell's business. So is VACUUM; when it starts by
//! itself, and when it gives way, is decided in `autovacuum`.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod autovacuum;
mod fault;
mod named;
mod out;
mod parked;
mod plans;
mod pulse;
mod registry;
mod roster;
mod serve;
mod session;
mod settings;
mod shared;
mod system;

pub use named::Named;
pub use out::{Out, Severity};
pub use plans::{Body, PlanCache, Portal, Ready, Statement};
pub use pulse::{Pulse, pulse};
pub(crate) use registry::count_transaction;
pub use registry::{
    Activity, Entry, Kind, MOST, Registered, State, cancel, limit, sessions, set_limit,
    transactions,
};
pub use serve::{MAX_MESSAGE, StartError, start};
pub use session::{Block, CopyState, Phase, Savepoint, SequenceMemory, Session, now};
pub use settings::Settings;
pub use shared::{SharedPlan, plan_epoch, share_plan, shared_plan};
pub use system::{SYSTEM_SETTINGS, set_system, system_setting};

use alloc::vec::Vec;
use pg_types::Oid;
use port::{Component, Port};

/// What came of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Read on; what is to be sent may wait.
    Continue,
    /// Send, then read on.
    Flush,
    /// Send, then end the connection.
    Close,
}

/// What speaks the protocol. Stateless: what it knows of a connection is in the
/// session. A call may block.
pub trait Wire: Component {
    /// Handles one message of the client. `tag` is its first byte, 0 while the
    /// session is in [`Phase::Startup`]; `body` is the rest without the length.
    fn step(&self, session: &mut Session, tag: u8, body: &[u8]) -> Step;

    /// How long it takes until the next look at what is to be vacuumed, in
    /// nanoseconds; none when nobody looks by himself.
    fn vacuum_pause(&self) -> Option<u64>;

    /// The tables that are to be vacuumed or analyzed now.
    fn vacuum_due(&self, session: &mut Session) -> Vec<Due>;

    /// Vacuums or analyzes a table that nobody had asked to be, unless somebody uses
    /// it in a way that hinders that. The session's token ends it.
    fn vacuum(&self, session: &mut Session, due: &Due);
}

/// A table that has changed much since it was looked after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// The table.
    pub table: Oid,
    /// VACUUM.
    pub vacuum: bool,
    /// ANALYZE.
    pub analyze: bool,
}

/// The door of the wire cell.
pub static WIRE: Port<dyn Wire> = Port::new("pg_wire");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &WIRE;

/// Connections move to a later generation between two messages, outside
/// transactions.
pub static MOVES: port::Moves = roster::MOVES;
