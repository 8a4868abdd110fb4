//! A counter that does wrong what `counter_faulty_port` says, refusing to be born
//! by default; the boot option `counter_faulty` (`panic`, `null`) makes its birth
//! fault. Tests put it in the counter's place and look that the other one carries
//! on.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::string::String;
use core::sync::atomic::{AtomicBool, Ordering};
use counter_faulty_port::{Wish, wished};
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
    // It even takes the state before it fails.
    let state = birth
        .inherit(&COUNTER)
        .map(CounterState::unpack)
        .transpose()?;
    let option = birth.options().get("counter_faulty");
    if let Some(kind) = option.and_then(CrashKind::from_word) {
        port::crash_here(kind);
    }
    match wished() {
        Wish::BirthRefused => {
            return Err(BirthError::Missing(String::from(
                "this cell never takes over",
            )));
        }
        Wish::BirthPanics => port::crash_here(CrashKind::Panic),
        Wish::BirthFaults => port::crash_here(CrashKind::Null),
        Wish::NothingOffered => return Ok(()),
        _ => {}
    }
    let provider = Provider {
        state: state.unwrap_or_default(),
        given: AtomicBool::new(false),
    };
    birth.provide(&COUNTER, Box::new(provider) as Box<dyn Counter>);
    Ok(())
}

struct Provider {
    state: CounterState,
    /// A state was given.
    given: AtomicBool,
}

impl Component for Provider {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        match wished() {
            Wish::Lingers => true,
            Wish::Torn => !self.given.load(Ordering::SeqCst),
            _ => false,
        }
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        let again = self.given.swap(true, Ordering::SeqCst);
        match wished() {
            Wish::Torn if !again => Ok(Some(CounterState::default().pack())),
            Wish::ExportRefused => Err(HandoverError::Busy),
            Wish::ExportPanics => {
                port::crash_here(CrashKind::Panic);
                Err(HandoverError::Busy)
            }
            Wish::StrangeSchema => Ok(Some(self.state.clone().pack_as(99))),
            _ => Ok(Some(self.state.clone().pack())),
        }
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

/// Longer than a drain waits.
const LONG_NS: u64 = 200_000_000;

impl Counter for Provider {
    fn increment(&self) -> u64 {
        if wished() == Wish::CallFaults {
            port::crash_here(CrashKind::Null);
        }
        self.state.increment()
    }

    fn get(&self) -> u64 {
        if wished() == Wish::Lingers {
            task_port::sleep(LONG_NS);
        }
        self.state.get()
    }
}
