//! The swap as a transaction, and the ways back.

use crate::SwapFailure;
use crate::log_book::{Reason, Record, note, note_fault};
use crate::steps::{Candidate, birth, close_and_drain, doors, export, load, settle};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use port::{Door, Options, State};
use sync::Mutex;

/// How long those inside may take to leave a closed door.
const DRAIN_NS: u64 = 50_000_000;
/// How long a former generation may still be in use when the next one comes.
const SETTLE_NS: u64 = 2_000_000_000;
/// How long a new cell is watched before the former one is dropped.
const PROBATION_NS: u64 = 100_000_000;

/// What is kept of a finished swap until its probation ends.
struct Probation {
    doors: Vec<&'static dyn Door>,
    /// The former cells, which would come back.
    former: Vec<Arc<Loaded>>,
    cells: Vec<String>,
    ends: u64,
}

/// One swap at a time; the boot options; what is on probation.
struct Engine {
    options: Options,
    probation: Option<Probation>,
}

static ENGINE: Mutex<Option<Engine>> = Mutex::new(None);

/// Starts a cell that is loaded already, behind empty doors: at boot.
///
/// # Errors
/// When it refuses to be born.
pub fn start(name: &str, options: &Options) -> Result<(), SwapFailure> {
    ENGINE.lock().get_or_insert_with(|| Engine {
        options: options.clone(),
        probation: None,
    });
    let code = NAMESPACE
        .find(name)
        .ok_or_else(|| mod_mgmt::LoadError::NotFound(name.into()))?;
    let cell = code
        .cell()
        .ok_or_else(|| SwapFailure::NoPort(name.into()))?;
    let candidate = Candidate { code, cell };
    let born = birth(&candidate, options, Vec::new());
    if born.is_err() {
        for door in cell.provides {
            door.unstage();
        }
    }
    born?;
    for door in cell.provides {
        door.flip()?;
        door.open();
    }
    Ok(())
}

/// Replaces the cells `names` by fresh instances of their newest objects, as one
/// set. Gives the pause in nanoseconds.
///
/// # Errors
/// Why nothing was replaced.
pub fn swap(names: &[&str], reason: Reason) -> Result<Record, SwapFailure> {
    let pairs: Vec<(&str, &str)> = names.iter().map(|n| (*n, *n)).collect();
    run(&pairs, reason)
}

/// Replaces the cell `name` by the cell `by`, which provides the same ports.
///
/// # Errors
/// Why nothing was replaced.
pub fn swap_with(name: &str, by: &str, reason: Reason) -> Result<Record, SwapFailure> {
    run(&[(name, by)], reason)
}

fn run(pairs: &[(&str, &str)], reason: Reason) -> Result<Record, SwapFailure> {
    let mut engine = ENGINE.lock();
    let Some(engine) = engine.as_mut() else {
        return Err(SwapFailure::NoPort(String::from("nothing runs yet")));
    };
    let started = task_port::now();
    let cells: Vec<String> = pairs.iter().map(|p| p.1.to_string()).collect();
    let mut record = Record {
        at: started,
        cells,
        reason,
        pause: 0,
        load: 0,
        failure: String::new(),
    };
    let result = attempt(engine, pairs, started, &mut record);
    if let Err(failure) = &result {
        record.failure = failure.to_string();
    }
    note(record.clone());
    result.map(|()| record)
}

fn attempt(
    engine: &mut Engine,
    pairs: &[(&str, &str)],
    started: u64,
    record: &mut Record,
) -> Result<(), SwapFailure> {
    end_probation(engine, SETTLE_NS)?;
    let candidates = pairs
        .iter()
        .map(|p| load(p.1))
        .collect::<Result<Vec<_>, _>>()?;
    let doors = doors(&candidates);
    settle(&doors, task_port::now() + SETTLE_NS)?;
    let stateful: Vec<&'static dyn Door> =
        doors.iter().copied().filter(|d| d.has_state()).collect();
    // Cells without state are born before anyone has to wait.
    if let Err(failure) = bear_stateless(&engine.options, &candidates) {
        doors.iter().for_each(|door| door.unstage());
        return Err(failure);
    }
    let closing = task_port::now();
    record.load = closing - started;
    let replaced = replace(&engine.options, &candidates, &doors, &stateful);
    for door in stateful.iter().rev() {
        door.open();
    }
    record.pause = if stateful.is_empty() {
        0
    } else {
        task_port::now() - closing
    };
    replaced?;
    let mut former = Vec::new();
    for (candidate, pair) in candidates.iter().zip(pairs) {
        former.extend(NAMESPACE.find(pair.0));
        drop(NAMESPACE.make_current(&candidate.code));
    }
    let ends = task_port::now() + PROBATION_NS;
    engine.probation = Some(Probation {
        doors,
        former,
        cells: record.cells.clone(),
        ends,
    });
    Ok(())
}

/// From close to flip. After an error the old providers serve on.
fn replace(
    options: &Options,
    candidates: &[Candidate],
    doors: &[&'static dyn Door],
    stateful: &[&'static dyn Door],
) -> Result<(), SwapFailure> {
    let mut states: Vec<(&'static dyn Door, State)> = Vec::new();
    let given = close_and_drain(stateful, task_port::now() + DRAIN_NS)
        .and_then(|()| export(stateful, &mut states));
    let result = given.and_then(|()| bear_and_flip(options, candidates, doors, &mut states));
    if result.is_err() {
        for door in doors {
            door.unstage();
        }
        for door in stateful {
            door.resume();
        }
    }
    result
}

/// Whether a cell takes state over: one of its doors has some.
fn takes_over(candidate: &Candidate) -> bool {
    candidate.cell.provides.iter().any(|door| door.has_state())
}

fn bear_stateless(options: &Options, candidates: &[Candidate]) -> Result<(), SwapFailure> {
    candidates
        .iter()
        .filter(|candidate| !takes_over(candidate))
        .try_for_each(|candidate| birth(candidate, options, Vec::new()))
}

fn bear_and_flip(
    options: &Options,
    candidates: &[Candidate],
    doors: &[&'static dyn Door],
    states: &mut Vec<(&'static dyn Door, State)>,
) -> Result<(), SwapFailure> {
    let mut born = Ok(());
    for candidate in candidates.iter().filter(|c| takes_over(c)) {
        let mut inherited = Vec::new();
        for door in candidate.cell.provides {
            if let Some(at) = states.iter().position(|(d, _)| d.name() == door.name()) {
                inherited.push((door.name(), states.swap_remove(at).1));
            }
        }
        born = born.and_then(|()| birth(candidate, options, inherited));
    }
    let mut flipped: Vec<&'static dyn Door> = Vec::new();
    for door in doors {
        born = born
            .and_then(|()| Ok(door.flip()?))
            .inspect(|()| flipped.push(*door));
    }
    if born.is_err() {
        for door in &flipped {
            let _ = door.flip_back();
        }
    }
    born
}

/// Drops the former cells if the probation is over or `force` says how long (ns)
/// to wait for those still inside.
fn end_probation(engine: &mut Engine, patience: u64) -> Result<(), SwapFailure> {
    let Some(probation) = engine.probation.take() else {
        return Ok(());
    };
    let deadline = task_port::now() + patience;
    if let Err(error) = settle(&probation.doors, deadline) {
        engine.probation = Some(probation);
        return Err(error);
    }
    drop(probation.former);
    Ok(())
}

/// Ends a probation whose time is over. Called now and then by the captain.
pub fn settle_probation() {
    if let Some(engine) = ENGINE.lock().as_mut()
        && engine
            .probation
            .as_ref()
            .is_some_and(|p| p.ends <= task_port::now())
    {
        let _ = end_probation(engine, 0);
    }
}

/// What to do about a fault in `cell`: put the former one back if the cell is on
/// probation, else replace it by a fresh instance.
///
/// # Errors
/// When that failed too; the faulty cell serves on.
pub fn fault_in(cell: &str) -> Result<Record, SwapFailure> {
    note_fault(cell);
    let reverted = {
        let mut engine = ENGINE.lock();
        engine.as_mut().and_then(|engine| revert(engine, cell))
    };
    match reverted {
        Some(record) => Ok(record),
        None => swap(&[cell], Reason::Fault),
    }
}

/// Puts the former cells back if `cell` is on probation.
fn revert(engine: &mut Engine, cell: &str) -> Option<Record> {
    let probation = engine
        .probation
        .take_if(|p| p.cells.iter().any(|c| c == cell))?;
    let started = task_port::now();
    let stateful: Vec<&'static dyn Door> = probation
        .doors
        .iter()
        .copied()
        .filter(|d| d.has_state())
        .collect();
    let drained = close_and_drain(&stateful, started + DRAIN_NS);
    for door in &probation.doors {
        let state = if drained.is_ok() {
            door.export().ok().flatten()
        } else {
            None
        };
        if door.flip_back().is_ok()
            && let Some(state) = state
        {
            let _ = door.reclaim(state);
        }
    }
    for door in stateful.iter().rev() {
        door.open();
    }
    for former in &probation.former {
        drop(NAMESPACE.make_current(former));
    }
    let pause = task_port::now() - started;
    let record = Record {
        at: started,
        cells: probation.cells,
        reason: Reason::Probation,
        pause,
        load: 0,
        failure: String::new(),
    };
    note(record.clone());
    // The faulty generation goes once nobody is inside.
    let _ = settle(&probation.doors, started + DRAIN_NS);
    Some(record)
}
