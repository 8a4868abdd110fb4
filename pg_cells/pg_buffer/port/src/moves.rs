//! The move of storage to another generation of this crate: through the disk.
//!
//! The pool, the log's ring and the table of transactions are made of types that two
//! generations need not have in common. What they say, the disk says too. So the
//! earlier generation ends as at a shutdown, with a checkpoint behind which there is
//! nothing to replay, and the later one starts as at boot, over the same frames.
//! Whoever uses storage is in the set and waits. A fault on the way back costs what
//! a restart of storage does: see `restart.rs`.

use crate::background::{self, NAMES};
use crate::pool::{SPARE, any_pool};
use alloc::boxed::Box;
use core::sync::atomic::Ordering;
use frame::Arena;
use port::{HandoverError, Moves, State};

/// The version of what moves: a reference to the frames, and what tells the
/// generation of the crate whose type they are of.
const SCHEMA: u32 = 1;
/// How often is looked whether the loops have ended.
const LOOK: u64 = 1_000_000;
/// How long a loop may take to end: its longest nap, and what it is at.
const LONGEST: u64 = 5_000_000_000;

/// How this crate moves.
pub(crate) const MOVES: Moves = Moves {
    park,
    give,
    take,
    start,
    anew: true,
};

fn park(deadline: u64) -> Result<(), HandoverError> {
    background::stop_background();
    if !loops_end(deadline) {
        return Err(HandoverError::Busy);
    }
    match crate::shut_down() {
        // Closed before, or never opened.
        Ok(()) | Err(crate::BufferError::NotRunning) => Ok(()),
        Err(error) => {
            log::warn!("storage does not move: {error:?}");
            Err(HandoverError::Busy)
        }
    }
}

/// Waits until none of the loops is left, or the clock shows `deadline` (ns).
fn loops_end(deadline: u64) -> bool {
    let loops = |name: &str| NAMES.contains(&name);
    while task_port::list().iter().any(|task| loops(&task.name)) {
        if task_port::now() >= deadline {
            return false;
        }
        task_port::sleep(LOOK);
    }
    true
}

fn give() -> Result<Option<State>, HandoverError> {
    let Ok(pool) = any_pool() else {
        return Ok(None);
    };
    // No frame may say that it holds a page.
    pool.reset();
    Ok(Some(State::new(
        SCHEMA,
        Box::new((pool.arena, type_of_frames())),
    )))
}

/// Where the code of the frames' type lies: equal for equal generations of its crate.
fn type_of_frames() -> usize {
    Arena::pin as *const () as usize
}

fn take(given: Option<State>) -> Result<(), HandoverError> {
    let Some(state) = given else {
        return Ok(());
    };
    let offered = state.schema();
    match state.take::<(&'static Arena, usize)>() {
        Ok(given) if offered == SCHEMA => {
            let (arena, code) = *given;
            // Of another type, they are lost, and others are allocated.
            SPARE.set((code == type_of_frames()).then_some(arena));
            Ok(())
        }
        _ => Err(HandoverError::Schema { offered }),
    }
}

/// Opens the database, unless it is open, and starts the loops. Those that were told
/// to end and have not are waited for, since they may be about to.
fn start() -> Result<(), HandoverError> {
    let Ok(pool) = any_pool() else {
        return Ok(());
    };
    if pool.background.load(Ordering::SeqCst) && !loops_end(0) {
        return Ok(());
    }
    loops_end(task_port::now() + LONGEST);
    let opened = crate::open().map_err(|error| {
        log::error!("storage does not open after its move: {error}");
        HandoverError::Busy
    })?;
    log::info!("storage has moved: {opened}");
    pool.background.store(true, Ordering::SeqCst);
    background::run_background().map_err(|_| HandoverError::Busy)
}
