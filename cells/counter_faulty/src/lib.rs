//! A counter that cannot take over: its birth fails as the boot option
//! `counter_faulty` says (`refuse`, `panic`, `null`), refusing by default. Tests
//! put it in the counter's place and look that the old one carries on.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use counter_port::{COUNTER, CounterState};
use port::{Birth, BirthError, CrashKind};

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&counter_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    // It even takes the state before it fails.
    let state = birth
        .inherit(&COUNTER)
        .map(CounterState::unpack)
        .transpose()?;
    if let Some(kind) = birth
        .options()
        .get("counter_faulty")
        .and_then(CrashKind::from_word)
    {
        port::crash_here(kind);
    }
    drop(state);
    Err(BirthError::Missing(alloc::string::String::from(
        "this cell never takes over",
    )))
}
