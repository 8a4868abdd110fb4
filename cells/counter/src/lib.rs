//! The smallest stateful cell. To start a cell, copy this folder: the port says
//! what others may know, this crate holds the algorithms, `birth` builds the
//! provider with or without inherited state.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use counter_port::{COUNTER, Counter, CounterState};
use port::{Birth, BirthError, Component, CrashKind, HandoverError, State};

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&counter_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let state = match birth.inherit(&COUNTER) {
        Some(state) => CounterState::unpack(state)?,
        None => CounterState::default(),
    };
    birth.provide(&COUNTER, Box::new(Provider { state }) as Box<dyn Counter>);
    Ok(())
}

struct Provider {
    state: CounterState,
}

impl Component for Provider {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        true
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        Ok(Some(self.state.clone().pack()))
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Counter for Provider {
    fn increment(&self) -> u64 {
        self.state.increment()
    }

    fn get(&self) -> u64 {
        self.state.get()
    }
}
