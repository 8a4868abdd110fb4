//! A counter behind a port: the smallest stateful cell, for tests, benchmarks
//! and as a template.
//!
//! Nobody sleeps inside. The state is one shared number; a swap hands the
//! reference over.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use port::{Component, Door, HandoverError, Port, State};

/// The door of the counter.
pub static COUNTER: Port<dyn Counter> = Port::new("counter");
/// The same, without its type.
pub static DOOR: &dyn Door = &COUNTER;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: port::Moves = port::Moves::doors_only();

/// The version of [`CounterState`]'s schema.
pub const SCHEMA: u32 = 1;

/// A counter.
pub trait Counter: Component {
    /// Adds one and gives the sum.
    fn increment(&self) -> u64;
    /// The sum.
    fn get(&self) -> u64;
}

/// What survives a swap.
#[derive(Clone, Debug, Default)]
pub struct CounterState(Arc<AtomicU64>);

impl CounterState {
    /// Adds one and gives the sum.
    #[must_use]
    pub fn increment(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The sum.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Wraps it for the handover; here, so that the code that drops it is the
    /// port's.
    #[must_use]
    pub fn pack(self) -> State {
        self.pack_as(SCHEMA)
    }

    /// The same under another schema's number, for tests of refusal.
    #[must_use]
    pub fn pack_as(self, schema: u32) -> State {
        State::new(schema, Box::new(self))
    }

    /// The way back.
    ///
    /// # Errors
    /// When it is another schema.
    pub fn unpack(state: State) -> Result<Self, HandoverError> {
        let offered = state.schema();
        if offered != SCHEMA {
            return Err(HandoverError::Schema { offered });
        }
        state
            .take::<Self>()
            .map(|state| *state)
            .map_err(|_| HandoverError::Schema { offered })
    }
}
