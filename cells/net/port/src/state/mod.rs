//! What survives a replacement of the stack.
//!
//! All of it is plain data and types of libraries: `smoltcp`'s interface and
//! sockets own their buffers (`Vec`) and hold no pointer into the code of the
//! cell that made them: no wakers, no function pointers, no trait objects. The
//! state is passed on as one [`Arc`], so that a replacement costs the same
//! with one connection or a thousand.
//!
//! Every connection is a `SocketSet` of one socket: the stack finds it by its
//! addresses ([`Conns::find`]) and shows `smoltcp` that set alone, so a packet
//! costs the same with one connection or a thousand too.

mod conns;
mod lock;
mod stack;
mod timers;

pub use conns::{Conn, Conns, Flow, Phase};
pub use lock::StateLock;
pub use stack::{Address, Autoconf, Listener, Plan4, Plan6, Stack, in_driver, out_of_driver};
pub use timers::Timers;

use alloc::sync::Arc;
use port::{HandoverError, Lineage, Schemas, State};

/// The schemas of [`Stack`]: as it is, and with its lineage. Before 2 the interface
/// made checksums of IPv4 and TCP, which who takes it over now does.
pub const SCHEMAS: Schemas = Schemas {
    plain: 2,
    traced: 3,
};

/// The state as it is handed on.
pub type NetState = StateLock;

static SURVIVOR: sync::Mutex<Option<Arc<NetState>>> = sync::Mutex::new(None);

/// Wraps the state for its way to the next cell, with its lineage if the cell
/// keeps one.
#[must_use]
pub fn export(state: Arc<NetState>, lineage: Option<Lineage>) -> State {
    SCHEMAS.wrap(state, lineage)
}

/// Unwraps a state.
///
/// # Errors
/// When it is of another schema.
pub fn import(state: State) -> Result<(Arc<NetState>, Option<Lineage>), HandoverError> {
    SCHEMAS
        .unwrap(state)
        .map_err(|other| HandoverError::Schema {
            offered: other.schema(),
        })
}

/// The state of a stack that died without handing it over, if there was one:
/// the connections outlive a crash too.
#[must_use]
pub fn survivor() -> Option<Arc<NetState>> {
    SURVIVOR.lock().clone()
}

/// Makes `state` the one a crash leaves behind.
pub fn remember(state: Option<Arc<NetState>>) {
    let before = core::mem::replace(&mut *SURVIVOR.lock(), state);
    drop(before);
}
