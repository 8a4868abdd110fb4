//! The steps of a swap, each able to say that it failed.

use crate::set::{Member, Mover};
use alloc::sync::Arc;
use alloc::vec::Vec;
use port::{Birth, CellRef, HandoverError, Options, State};
use swap_port::{Journal, Passage, SwapFailure};
use task_port::gate_unreported;

/// How long tasks may take to leave the code of a crate that moves: until the
/// transactions under way have ended.
pub(crate) const PARK_NS: u64 = 5_000_000_000;

/// Makes sure that no door still holds the generation before last.
pub(crate) fn settle(passages: &[Passage], deadline: u64) -> Result<(), SwapFailure> {
    for passage in passages {
        passage.new.retire(deadline)?;
        if let Some(old) = passage.old {
            old.retire(deadline)?;
        }
    }
    Ok(())
}

/// Closes and drains the doors, callers of others first.
pub(crate) fn close_and_drain(closing: &[Passage], deadline: u64) -> Result<(), SwapFailure> {
    for passage in closing {
        passage.serving().close();
        passage.serving().drain(deadline)?;
    }
    Ok(())
}

/// Takes the states of all doors, into `states` as they come, so that what was
/// given is known when a later one refuses. A fault of the old cell in giving is
/// a refusal.
pub(crate) fn export(
    closing: &[Passage],
    states: &mut Vec<(&'static str, State)>,
) -> Result<(), SwapFailure> {
    for passage in closing {
        let given = gate_unreported(|| passage.serving().export());
        if let Some(state) = given.map_err(SwapFailure::Fault)?? {
            // The new door's name, since the old one's goes with its crate.
            states.push((passage.new.name(), state));
        }
    }
    Ok(())
}

/// Lets a cell be born behind a gate, with the states of its predecessors.
pub(crate) fn birth(
    member: &Member,
    options: &Options,
    states: Vec<(&'static str, State)>,
) -> Result<(), SwapFailure> {
    let Some(cell) = member.cell else {
        return Ok(());
    };
    let code = CellRef(Arc::clone(&member.code) as Arc<dyn port::CellCode>);
    let born = gate_unreported(|| {
        let mut birth = Birth::new(code, options, states);
        (cell.birth)(&mut birth)
    });
    match born {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(SwapFailure::Birth {
            cell: member.code.name.clone(),
            why,
        }),
        Err(fault) => Err(SwapFailure::Fault(fault)),
    }
}

/// Lets the tasks of crates that will move leave their code, users of others
/// first. Should one not be ready, all go on.
pub(crate) fn park(
    movers: &[Mover],
    deadline: u64,
    journal: &mut Journal,
) -> Result<(), SwapFailure> {
    for mover in movers.iter().rev() {
        journal.parked.push(mover.old);
        let parked = gate_unreported(|| (mover.old.park)(deadline));
        if let Err(failure) = outcome(mover, parked) {
            unpark(journal);
            return Err(failure);
        }
    }
    Ok(())
}

/// Lets parked tasks go on where they were.
pub(crate) fn unpark(journal: &mut Journal) {
    for moves in journal.parked.drain(..).rev() {
        let _ = gate_unreported(|| {
            (moves.take)(None)?;
            (moves.start)()
        });
    }
}

fn outcome(
    mover: &Mover,
    answer: Result<Result<(), HandoverError>, task_port::Fault>,
) -> Result<(), SwapFailure> {
    match answer {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(SwapFailure::Moving {
            krate: mover.name.clone(),
            why,
        }),
        Err(fault) => Err(SwapFailure::Fault(fault)),
    }
}

/// Lets crates of another generation take over the statics and tasks of the
/// former one, users of others first. What was moved is moved back when a later
/// one refuses; whose tasks are still parked is [`unpark`]'s to wake.
pub(crate) fn move_statics(movers: &[Mover]) -> Result<(), SwapFailure> {
    for (done, mover) in movers.iter().rev().enumerate() {
        let moved = gate_unreported(|| {
            let given = (mover.old.give)()?;
            (mover.new.take)(given)
        });
        if let Err(failure) = outcome(mover, moved) {
            let so_far = movers.len() - done;
            move_statics_back(&movers[so_far..]);
            return Err(failure);
        }
    }
    Ok(())
}

/// The way back. What does not leave in time is moved all the same: the former
/// generation must have everything when it goes on.
pub(crate) fn move_statics_back(movers: &[Mover]) {
    for mover in movers.iter().rev() {
        let deadline = task_port::now() + PARK_NS;
        let _ = gate_unreported(|| (mover.new.park)(deadline));
    }
    for mover in movers.iter().rev() {
        let _ = gate_unreported(|| {
            let given = (mover.new.give)()?;
            (mover.old.take)(given)
        });
    }
}

/// Lets the tasks of crates that have moved start, users of others last.
pub(crate) fn start<'a>(movers: impl Iterator<Item = &'a Mover>) -> Result<(), SwapFailure> {
    for mover in movers {
        outcome(mover, gate_unreported(|| (mover.new.start)()))?;
    }
    Ok(())
}

/// Flips all doors.
pub(crate) fn flip(passages: &[Passage], journal: &mut Journal) -> Result<(), SwapFailure> {
    for passage in passages {
        passage.flip()?;
        journal.flipped.push(*passage);
    }
    Ok(())
}

/// Leaves nothing staged.
pub(crate) fn bring_old(passages: &[Passage]) {
    passages.iter().for_each(|passage| passage.new.unstage());
}
