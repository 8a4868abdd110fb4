//! The network stack: TCP over IPv4 and IPv6 on one Ethernet interface.
//!
//! `smoltcp` does the protocols. What is done here: finding the connection a
//! frame belongs to (`ingress`), keeping connections moving (`conn`), the
//! calls of users (`user`), the background round (`round`), and how the
//! interface gets its addresses (`address`, `autoconf`). The state is
//! `net_port::state`; this cell can be replaced between any two calls.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod autoconf;
mod checksum;
mod conn;
mod ingress;
mod round;
mod user;
mod wire;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use net_port::state::{self, NetState};
use net_port::{NET, Network};
use port::{Birth, BirthError, Component, CrashKind, HandoverError, State};
use virtio_net_port::NIC;

/// The cell's descriptor.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&net_port::DOOR],
    birth,
};

/// The provider: the state, and the code that works on it.
struct Net {
    state: Arc<NetState>,
    kept: port::Kept,
}

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let (state, lineage) = match birth.inherit(&NET) {
        Some(inherited) => state::import(inherited)?,
        None => match state::survivor() {
            Some(state) => (state, None),
            None => (fresh(birth.options())?, None),
        },
    };
    let kept = port::Kept::of(lineage, cfg!(feature = "lineage"));
    state::remember(Some(Arc::clone(&state)));
    let provider: Box<dyn Network> = Box::new(Net { state, kept });
    birth.provide(&NET, provider);
    Ok(())
}

/// A state with no connections.
fn fresh(options: &port::Options) -> Result<Arc<NetState>, BirthError> {
    let missing = |what: &str| BirthError::Missing(String::from(what));
    let (plan4, plan6) = address::plans(options).map_err(|e| missing(&e.to_string()))?;
    let nic = NIC
        .enter()
        .map_err(|e| BirthError::Missing(e.to_string()))?;
    Ok(Arc::new(NetState::new(address::stack(&*nic, plan4, plan6))))
}

impl Component for Net {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        true
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        // Both generations may know the state: the port lets one of them in.
        Ok(Some(state::export(
            Arc::clone(&self.state),
            self.kept.give(),
        )))
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}
