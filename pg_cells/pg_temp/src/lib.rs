//! Temporary space. The cell decides where the next block of a temporary file
//! goes: into a borrowed extent that has room, or into another one, unless that
//! would leave too little of the disk for tables and the indexes on them.
//!
//! Everything else (files, what they hold, giving back) is in the port crate.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::sync::Arc;
use pg_buffer_port::Room;
use pg_temp_port::{Choice, TEMP, TempSpace, TempState};
use port::{Birth, BirthError, Component, CrashKind, HandoverError, State};

/// The cell.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_temp_port::DOOR],
    birth,
};

/// This part of the disk is left to tables, however much temporary space is
/// wanted: one in so many extents.
const KEEP_ONE_IN: u64 = 64;
/// And at least so many extents.
const KEEP_AT_LEAST: u64 = 4;

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    // Who is born without a state starts another one. Files that are open go on
    // with theirs: the extents below it stay lent until they are gone.
    let state = match birth.inherit(&TEMP) {
        Some(state) => TempState::unpack(state)?,
        None => Arc::default(),
    };
    birth.provide(&TEMP, Box::new(Provider { state }) as Box<dyn TempSpace>);
    Ok(())
}

struct Provider {
    state: Arc<TempState>,
}

impl Component for Provider {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        true
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        Ok(Some(TempState::pack(self.state.clone())))
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl TempSpace for Provider {
    fn choose(&self) -> Choice {
        match self.state.take() {
            Some(block) => Choice::Block(block),
            None if has_room(pg_buffer_port::room().unwrap_or_default()) => {
                Choice::Borrow(self.state.clone())
            }
            None => Choice::Full,
        }
    }

    fn state(&self) -> Arc<TempState> {
        self.state.clone()
    }
}

/// Whether another extent may be borrowed.
fn has_room(room: Room) -> bool {
    let keep = (room.extents / KEEP_ONE_IN).max(KEEP_AT_LEAST);
    room.free.saturating_sub(room.lent) > keep
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_their_part() {
        let room = |extents, free, lent| Room {
            extents,
            free,
            lent,
        };
        assert!(has_room(room(6400, 101, 0)));
        assert!(!has_room(room(6400, 100, 0)));
        assert!(!has_room(room(6400, 1000, 900)));
        assert!(!has_room(room(100, 4, 0)));
        assert!(has_room(room(100, 5, 0)));
        assert!(!has_room(Room::default()));
    }
}
