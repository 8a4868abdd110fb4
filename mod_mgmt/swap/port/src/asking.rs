//! What others ask of the swap: swap, push, roll back, act on a fault.

use crate::engine::{ENGINE, Engine};
use crate::objects::{self, Source};
use crate::{Order, Reason, Record, SWAP, Swap, SwapFailure, note_fault, spares};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use cell_archive::EntryKind;
use mod_mgmt::LoadError;
use mod_mgmt::namespace::NAMESPACE;
use port::{Birth, CellRef, Options};

/// Starts a cell that is loaded already, behind empty doors: at boot. Needs no
/// provider of [`SWAP`], which is itself started this way.
///
/// # Errors
/// When it refuses to be born.
pub fn start(name: &str, options: &Options) -> Result<(), SwapFailure> {
    ENGINE.with(|engine, _| {
        engine.options.get_or_insert_with(|| options.clone());
    });
    let code = NAMESPACE
        .find(name)
        .ok_or_else(|| LoadError::NotFound(name.into()))?;
    let cell = code
        .cell()
        .ok_or_else(|| SwapFailure::NoPort(name.into()))?;
    let born = task_port::gate_unreported(|| {
        let code = CellRef(Arc::clone(&code) as Arc<dyn port::CellCode>);
        (cell.birth)(&mut Birth::new(code, options, Vec::new()))
    });
    let born = match born {
        Ok(born) => born.map_err(|why| SwapFailure::Birth {
            cell: name.into(),
            why,
        }),
        Err(fault) => Err(SwapFailure::Fault(fault)),
    };
    if born.is_err() {
        cell.provides.iter().for_each(|door| door.unstage());
    }
    born?;
    for door in cell.provides {
        door.flip()?;
        door.open();
    }
    spares::look();
    Ok(())
}

/// Calls the transaction with the engine's state. Should its code fault, the
/// doors it had touched are put back.
fn ask<R>(f: impl FnOnce(&dyn Swap, &mut Engine) -> R) -> Result<R, SwapFailure> {
    let asked = task_port::gate(|| {
        let swap = SWAP.enter()?;
        Ok(ENGINE.with(|engine, _| f(&*swap, engine)))
    });
    match asked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(absent)) => Err(SwapFailure::Absent(absent)),
        Err(fault) => {
            ENGINE.with(|engine, _| engine.journal.undo());
            Err(SwapFailure::Fault(fault))
        }
    }
}

fn replace(orders: &[Order], reason: Reason) -> Result<Record, SwapFailure> {
    let answer = ask(|swap, engine| swap.replace(engine, orders, reason));
    // Also after a refusal: it may have used a spare up.
    spares::look();
    answer?
}

/// The order for a fresh instance of the object that `name` runs from.
fn afresh(name: &str) -> Result<Order, SwapFailure> {
    let source = match NAMESPACE.find(name) {
        Some(cell) => objects::by_object(name, cell.object),
        None => objects::boot_version(name),
    };
    order(name, name, source)
}

fn order(replaces: &str, name: &str, source: Option<Source>) -> Result<Order, SwapFailure> {
    Ok(Order {
        replaces: replaces.to_string(),
        name: name.to_string(),
        source: source.ok_or_else(|| LoadError::NotFound(name.into()))?,
    })
}

/// Replaces the cells `names` by fresh instances of the objects they run from,
/// as one set.
///
/// # Errors
/// Why nothing was replaced.
pub fn swap(names: &[&str], reason: Reason) -> Result<Record, SwapFailure> {
    let orders: Result<Vec<_>, _> = names.iter().map(|name| afresh(name)).collect();
    replace(&orders?, reason)
}

/// Replaces the cell `name` by the cell `by`, which provides the same ports.
///
/// # Errors
/// Why nothing was replaced.
pub fn swap_with(name: &str, by: &str, reason: Reason) -> Result<Record, SwapFailure> {
    let source = afresh(by)?.source;
    replace(&[order(name, by, Some(source))?], reason)
}

/// Swaps the cells of an archive in, as one set, after checking its signature.
/// The archive is kept as long as one of its cells runs or can be rolled back to.
///
/// # Errors
/// When it is not signed with our key, or why nothing was replaced.
pub fn push(archive: Vec<u8>) -> Result<Record, SwapFailure> {
    let names = push_names(&archive)?;
    let source = Source::pushed(archive);
    let orders: Result<Vec<_>, _> = names
        .iter()
        .map(|name| order(name, name, Some(source.clone())))
        .collect();
    replace(&orders?, Reason::Pushed)
}

/// The cells and crates of a signed archive, in its order.
///
/// # Errors
/// When it is damaged or not signed with our key.
pub fn push_names(archive: &[u8]) -> Result<Vec<String>, SwapFailure> {
    let archive = mod_mgmt::loader::open(archive)?;
    let wanted = [EntryKind::Cell, EntryKind::CodelessCrate];
    let entries = archive.entries().filter(|e| wanted.contains(&e.kind));
    Ok(entries.map(|e| e.name.to_string()).collect())
}

/// Replaces `name` by the version that its generation `generation` ran from, or
/// by the one that ran before the present one.
///
/// # Errors
/// When that version is no longer kept, or why nothing was replaced.
pub fn rollback(name: &str, generation: Option<u64>) -> Result<Record, SwapFailure> {
    let current = NAMESPACE
        .find(name)
        .ok_or_else(|| LoadError::NotFound(name.into()))?;
    let source = match generation {
        Some(generation) => objects::by_generation(name, generation),
        None => objects::before(name, current.object),
    };
    let source = source.ok_or_else(|| SwapFailure::Forgotten {
        cell: name.into(),
        generation,
    })?;
    replace(&[order(name, name, Some(source))?], Reason::Rollback)
}

/// What to do about a fault in `cell`: the former one comes back if the cell is
/// on probation. Else it is replaced by a fresh instance of its object, or if
/// `doubtful` by the last version that has stood its probation, where there is
/// another one.
///
/// # Errors
/// When that failed too; the faulty cell serves on.
pub fn fault_in(cell: &str, doubtful: bool) -> Result<Record, SwapFailure> {
    note_fault(cell);
    let replaceable = |code: Arc<mod_mgmt::namespace::Loaded>| code.cell().is_some();
    if !NAMESPACE.find(cell).is_some_and(replaceable) {
        return Err(SwapFailure::NoPort(cell.into()));
    }
    if let Some(record) = ask(|swap, engine| swap.revert(engine, cell))? {
        spares::purge();
        spares::look();
        return Ok(record);
    }
    let current = NAMESPACE.find(cell).map(|cell| cell.object);
    let other = current
        .filter(|_| doubtful)
        .and_then(|object| objects::last_good(cell, object));
    match (other, current) {
        (Some(source), Some(object)) => {
            objects::judge(cell, object, objects::Verdict::Bad);
            replace(&[order(cell, cell, Some(source))?], Reason::LastGood)
        }
        _ => swap(&[cell], Reason::Fault),
    }
}

/// Ends a probation whose time is over. Called now and then by the captain.
pub fn settle_probation() {
    let _ = ask(|swap, engine| swap.settle(engine));
}
