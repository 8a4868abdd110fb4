//! The steps of a swap, each able to say that it failed.

use crate::{SwapFailure, objects};
use alloc::sync::Arc;
use alloc::vec::Vec;
use mod_mgmt::loader;
use mod_mgmt::namespace::Loaded;
use port::{Birth, CellRef, Door, Options, State};

/// A new cell, loaded.
pub(crate) struct Candidate {
    pub(crate) code: Arc<Loaded>,
    pub(crate) cell: &'static port::Cell,
}

/// Loads the newest object of the cell `name`.
pub(crate) fn load(name: &str) -> Result<Candidate, SwapFailure> {
    let source = objects::newest(name)?;
    let loaded = source.with_cell(name, loader::load);
    let code = loaded.unwrap_or_else(|| Err(mod_mgmt::LoadError::NotFound(name.into())))?;
    let cell = code
        .cell()
        .ok_or_else(|| SwapFailure::NoPort(name.into()))?;
    Ok(Candidate { code, cell })
}

/// The doors of all candidates, in order.
pub(crate) fn doors(candidates: &[Candidate]) -> Vec<&'static dyn Door> {
    candidates
        .iter()
        .flat_map(|c| c.cell.provides.iter().map(|door| **door))
        .collect()
}

/// Makes sure that no door still holds the generation before last.
pub(crate) fn settle(doors: &[&'static dyn Door], deadline: u64) -> Result<(), SwapFailure> {
    doors.iter().try_for_each(|door| Ok(door.retire(deadline)?))
}

/// Closes and drains the doors, callers of others first.
pub(crate) fn close_and_drain(
    doors: &[&'static dyn Door],
    deadline: u64,
) -> Result<(), SwapFailure> {
    for door in doors {
        door.close();
        door.drain(deadline)?;
    }
    Ok(())
}

/// Takes the states of all doors, into `states` as they come, so that what was
/// given is known when a later one refuses.
pub(crate) fn export(
    doors: &[&'static dyn Door],
    states: &mut Vec<(&'static dyn Door, State)>,
) -> Result<(), SwapFailure> {
    for door in doors {
        if let Some(state) = door.export()? {
            states.push((*door, state));
        }
    }
    Ok(())
}

/// Lets a cell be born behind a gate, with the states of its predecessors.
pub(crate) fn birth(
    candidate: &Candidate,
    options: &Options,
    states: Vec<(&'static str, State)>,
) -> Result<(), SwapFailure> {
    let code = CellRef(Arc::clone(&candidate.code) as Arc<dyn port::CellCode>);
    let born = task_port::gate_unreported(|| {
        let mut birth = Birth::new(code, options, states);
        (candidate.cell.birth)(&mut birth)
    });
    match born {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(SwapFailure::Birth {
            cell: candidate.code.name.clone(),
            why,
        }),
        Err(fault) => Err(SwapFailure::Fault(fault)),
    }
}
