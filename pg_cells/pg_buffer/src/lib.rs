//! The buffer pool's decisions: which frame to give up, what to write and when,
//! where files grow.
//!
//! The state and all that waits are in the port crate.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod clock;
mod flushing;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::Pin;
use pg_buffer_port::{BUFFER, BufferError, BufferPool, Lsn, PAGE_SIZE, Place, PoolState};
use port::{Birth, BirthError, Cell, Component, CrashKind, HandoverError, State};

/// What the cell says of itself.
pub static CELL: Cell = Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_buffer_port::DOOR],
    birth,
};

/// Bytes of frames unless the option `buffers` says otherwise.
const BUFFERS: u64 = 64 << 20;
/// The fewest frames: one mini-transaction may hold 32, and several run.
const MIN_FRAMES: u64 = 64;

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let (state, lineage) = match birth.inherit(&BUFFER) {
        Some(state) => PoolState::from_state(state)?,
        None => {
            let bytes = birth.options().bytes("buffers").unwrap_or(BUFFERS);
            let frames = (bytes / PAGE_SIZE as u64).clamp(MIN_FRAMES, 1 << 24);
            let state = PoolState::obtain(frames as u32).map_err(|_| {
                BirthError::Missing(format!(
                    "no memory for {} MiB of buffers; give the machine 256 MiB at least, \
                     or boot with a smaller buffers=SIZE",
                    bytes >> 20
                ))
            })?;
            let log_size = birth.options().bytes("log_size").unwrap_or(0);
            state.log_size.store(log_size, Ordering::SeqCst);
            let overwrite = birth.options().get("disk") == Some("overwrite");
            state.overwrite.store(overwrite, Ordering::SeqCst);
            (state, None)
        }
    };
    let kept = port::Kept::of(lineage, cfg!(feature = "lineage"));
    birth.provide(&BUFFER, Box::new(Pool { state, kept }));
    Ok(())
}

/// The provider.
struct Pool {
    state: &'static PoolState,
    kept: port::Kept,
}

impl Component for Pool {
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

impl BufferPool for Pool {
    fn place(&self, tag: u64, once: bool) -> Result<Place, BufferError> {
        Ok(clock::place(self.state, tag, once))
    }

    fn dirty_before(&self, lsn: Lsn) -> Vec<(u32, u64)> {
        flushing::dirty_before(self.state, lsn)
    }

    fn ahead(&self, count: usize) -> Vec<Pin> {
        flushing::ahead(self.state, count)
    }

    fn choose_extent(&self, near: Option<u32>) -> Option<u32> {
        // Behind the file's end, so that scans read forward; small files start
        // wherever the last search ended.
        self.state.space.lock().reserve(near.map(|n| n + 1))
    }
}
