//! The write-ahead log: appending and group commit.
//!
//! The state and the loops that wait are in the port crate; here is what happens
//! under the log's locks. Lock order: the flush token, then the insert lock.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod append;
mod flush;

use alloc::boxed::Box;
use alloc::format;
use pg_wal_port::record::Builder;
use pg_wal_port::{Append, FlushStep, Lsn, WAL, WalError, WalState, WriteAheadLog};
use port::{Birth, BirthError, Cell, Component, CrashKind, HandoverError, State};

/// What the cell says of itself.
pub static CELL: Cell = Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_wal_port::DOOR],
    birth,
};

/// Bytes of the log's memory unless the option `log_buffer` says otherwise.
const LOG_BUFFER: u64 = 4 << 20;

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let (state, lineage) = match birth.inherit(&WAL) {
        Some(state) => WalState::from_state(state)?,
        None => {
            let ring = birth.options().bytes("log_buffer").unwrap_or(LOG_BUFFER);
            let state = WalState::obtain(usize::try_from(ring).unwrap_or(usize::MAX))
                .map_err(|error| BirthError::Missing(format!("{error}")))?;
            (state, None)
        }
    };
    let kept = port::Kept::of(lineage, cfg!(feature = "lineage"));
    birth.provide(&WAL, Box::new(Log { state, kept }));
    Ok(())
}

/// The provider.
struct Log {
    state: &'static WalState,
    kept: port::Kept,
}

impl Component for Log {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        true
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        Ok(Some(self.state.into_state(self.kept.give())))
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl WriteAheadLog for Log {
    fn append(&self, record: &mut Builder, redo_seen: Lsn) -> Result<Append, WalError> {
        append::append(self.state, record, redo_seen)
    }

    fn flush(&self, to: Lsn) -> Result<FlushStep, WalError> {
        flush::plan(self.state, to)
    }
}
