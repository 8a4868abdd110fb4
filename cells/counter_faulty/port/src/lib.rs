//! What the faulty counter is to do wrong next. Tests of swaps that cannot finish
//! say so here, then put that cell into the counter's place.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, Ordering};

/// A way to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Wish {
    /// Refuses to be born.
    #[default]
    BirthRefused = 0,
    /// Panics while it takes the state over.
    BirthPanics = 1,
    /// Reads a null pointer while it takes the state over.
    BirthFaults = 2,
    /// Is born without offering a provider.
    NothingOffered = 3,
    /// Takes over, and faults at the first increment.
    CallFaults = 4,
    /// Takes over, and does not give the state away.
    ExportRefused = 5,
    /// Takes over, and panics when asked for the state.
    ExportPanics = 6,
    /// Takes over, and gives a state of a schema that nobody knows.
    StrangeSchema = 7,
    /// Takes over, and stays inside a read longer than any drain waits.
    Lingers = 8,
    /// Takes over and behaves.
    Behaves = 9,
    /// Takes over, shares a state that is not its own, and does not share it any more
    /// when it is asked again.
    Torn = 10,
}

/// All of them.
pub const WISHES: [Wish; 11] = [
    Wish::BirthRefused,
    Wish::BirthPanics,
    Wish::BirthFaults,
    Wish::NothingOffered,
    Wish::CallFaults,
    Wish::ExportRefused,
    Wish::ExportPanics,
    Wish::StrangeSchema,
    Wish::Lingers,
    Wish::Behaves,
    Wish::Torn,
];

static NEXT: AtomicU8 = AtomicU8::new(0);

/// Says what it is to do wrong from now on.
pub fn wish(wish: Wish) {
    NEXT.store(wish as u8, Ordering::SeqCst);
}

/// What it is to do wrong.
#[must_use]
pub fn wished() -> Wish {
    let number = NEXT.load(Ordering::SeqCst);
    let found = WISHES.into_iter().find(|wish| *wish as u8 == number);
    found.unwrap_or_default()
}
