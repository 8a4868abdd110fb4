//! The swap as a transaction.

use crate::pause::{Pause, lull};
use crate::probation;
use crate::set::{Member, Set, make_current};
use crate::steps::{
    PARK_NS, birth, bring_old, close_and_drain, export, flip, move_statics, move_statics_back,
    park, settle, start, unpark,
};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use cell_archive::Archive;
use mod_mgmt::namespace::NAMESPACE;
use port::{Birth, BirthError, Component, CrashKind, Options, State};
use swap_port::objects::{self, Source};
use swap_port::{
    Engine, Journal, Order, Passage, Probation, Reason, Record, SWAP, Steps, Swap, SwapFailure,
    note,
};

/// How long those inside may take to leave a closed door.
pub(crate) const DRAIN_NS: u64 = 50_000_000;
/// How long a moment at which nobody is inside is waited for, and how long where the
/// cell has faulted.
const LULL_NS: u64 = 60_000_000;
const FAULT_LULL_NS: u64 = 1_000_000;
/// How often that is tried where calls may block, and how long the doors stay
/// open in between.
const TRIES: u32 = 40;
const BETWEEN_NS: u64 = 25_000_000;
/// How long a former generation may still be in use when the next one comes.
pub(crate) const SETTLE_NS: u64 = 2_000_000_000;
/// How long a new cell is watched before the former one is dropped.
const PROBATION_NS: u64 = 100_000_000;

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&swap_port::DOOR],
    birth: bear,
};

fn bear(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&SWAP, Box::new(Transaction) as Box<dyn Swap>);
    Ok(())
}

struct Transaction;

impl Component for Transaction {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Swap for Transaction {
    fn replace(
        &self,
        engine: &mut Engine,
        orders: &[Order],
        reason: Reason,
    ) -> Result<Record, SwapFailure> {
        let mut record = Record {
            at: task_port::now(),
            cells: orders.iter().map(not_loaded).collect(),
            reason,
            label: label(orders),
            pause: 0,
            load: 0,
            steps: Steps::default(),
            failure: String::new(),
        };
        let result = attempt(engine, orders, &mut record);
        if let Err(failure) = &result {
            record.failure = failure.to_string();
        }
        note(record.clone());
        result.map(|()| record)
    }

    fn revert(&self, engine: &mut Engine, cell: &str) -> Option<Record> {
        probation::revert(engine, cell)
    }

    fn settle(&self, engine: &mut Engine) {
        probation::settle_if_over(engine);
    }
}

/// Which revision was pushed.
fn label(orders: &[Order]) -> String {
    let pushed = orders.iter().find_map(|order| match &order.source {
        Source::Pushed(archive) => Archive::parse(archive).ok(),
        Source::Boot(_) => None,
    });
    pushed.map_or_else(String::new, |archive| archive.label().to_string())
}

/// What the history says of a cell that is not loaded yet.
fn not_loaded(order: &Order) -> swap_port::Ran {
    swap_port::Ran {
        name: order.name.clone(),
        version: String::new(),
        generation: 0,
        object: 0,
        push: 0,
    }
}

fn attempt(engine: &mut Engine, orders: &[Order], record: &mut Record) -> Result<(), SwapFailure> {
    probation::end(engine, SETTLE_NS)?;
    let options = engine.options.clone().unwrap_or_default();
    let set = Set::load(orders)?;
    record.cells = set.members.iter().map(|member| member.ran(0)).collect();
    settle(&set.passages, task_port::now() + SETTLE_NS)?;
    // Cells without state are born before anyone has to wait.
    for member in set.members.iter().filter(|m| !m.takes_over()) {
        birth(member, &options, Vec::new())?;
    }
    let closing = set.closing();
    record.load = task_port::now() - record.at;
    engine.journal.touched.extend_from_slice(&closing);
    let ahead = match set.can_share(&closing) {
        true => hand_over_ahead(engine, &options, &set, &closing, record)?,
        false => false,
    };
    let tries = match set.waits_for_calls(&closing) {
        true => TRIES,
        false => 1,
    };
    let until = task_port::now() + patience(record.reason);
    for number in 1.. {
        if set.movers.is_empty() {
            record.steps.lull += lull(&closing, until);
        }
        // What is handed over ahead needs no other patience than for a lull.
        let last_try = match ahead {
            true => task_port::now() >= until,
            false => number >= tries,
        };
        let mut pause = Pause::begin(&mut record.steps, ahead, last_try);
        let started = pause.started;
        let replaced = park(&set.movers, started + PARK_NS, &mut engine.journal)
            .and_then(|()| replace(engine, &options, &set, &closing, &mut pause));
        for passage in closing.iter().rev() {
            if let Some(old) = passage.old {
                if replaced.is_ok() {
                    // Nobody who knows the new door comes here; who waits is told.
                    old.abandon();
                }
                old.open();
            }
            passage.new.open();
        }
        let took = pause.opened();
        if replaced.is_err() {
            unpark(&mut engine.journal);
        }
        engine.journal.touched.clear();
        engine.journal.parked.clear();
        record.pause = match closing.is_empty() && set.movers.is_empty() {
            true => 0,
            false => took.max(record.pause),
        };
        match replaced {
            Err(SwapFailure::Port(port::SwapError::Busy { .. })) if !last_try => {
                if !ahead {
                    task_port::sleep(BETWEEN_NS);
                }
            }
            Err(failure) => return Err(failure),
            Ok(()) => break,
        }
    }
    finish(engine, set, record);
    Ok(())
}

/// How long to wait for a moment at which nobody is inside.
fn patience(reason: Reason) -> u64 {
    match reason {
        Reason::Fault | Reason::LastGood | Reason::Probation => FAULT_LULL_NS,
        Reason::Asked | Reason::Pushed | Reason::Rollback => LULL_NS,
    }
}

/// Hands over while calls go on: the states are shared. After an error nothing has
/// changed.
fn hand_over_ahead(
    engine: &mut Engine,
    options: &Options,
    set: &Set,
    closing: &[Passage],
    record: &mut Record,
) -> Result<bool, SwapFailure> {
    let started = task_port::now();
    let mut states: Vec<(&'static str, State)> = Vec::new();
    let done = export(closing, &mut states).and_then(|()| bear_heirs(set, options, &mut states));
    if let Err(failure) = done {
        bring_old(&set.passages);
        closing
            .iter()
            .for_each(|passage| passage.serving().resume());
        engine.journal.touched.clear();
        return Err(failure);
    }
    record.steps.ahead = task_port::now() - started;
    Ok(true)
}

/// From close to flip. After an error the old providers serve on.
fn replace(
    engine: &mut Engine,
    options: &Options,
    set: &Set,
    closing: &[Passage],
    pause: &mut Pause<'_>,
) -> Result<(), SwapFailure> {
    engine.journal.touched.clear();
    engine.journal.touched.extend_from_slice(closing);
    let mut states: Vec<(&'static str, State)> = Vec::new();
    pause.close_and_drain(closing)?;
    move_statics(&set.movers)?;
    let mut result = Ok(());
    if pause.ahead && !set.can_share(closing) {
        // A fault has torn a state since it was handed over.
        bring_old(&set.passages);
        pause.was_in_vain();
    }
    if !pause.ahead {
        result = export(&set.handing_over(closing), &mut states);
        if result.is_ok() && !set.begins_anew() {
            result = bear_heirs(set, options, &mut states);
        }
    }
    pause.handed_over();
    result = result.and_then(|()| {
        let journal = &mut engine.journal;
        if set.begins_anew() {
            return set_up_anew(set, options, &mut states, journal);
        }
        flip(&set.passages, journal)?;
        start(set.movers.iter())
    });
    pause.flipped();
    let flipped = core::mem::take(&mut engine.journal.flipped);
    if result.is_err() {
        // While the doors behind which tasks end are there.
        move_statics_back(&set.movers);
        if set.begins_anew() {
            let opened: Vec<Passage> = flipped.iter().map(as_new).collect();
            let _ = close_and_drain(&opened, task_port::now() + DRAIN_NS);
        }
        for passage in &flipped {
            passage.flip_back();
        }
        for member in set.members.iter().filter(|m| m.takes_over()) {
            bring_old(&member.passages);
        }
        for passage in closing {
            passage.serving().resume();
        }
        if set.begins_anew() {
            flipped.iter().for_each(|passage| passage.serving().open());
        }
    }
    result
}

/// A door by its new generation alone.
fn as_new(passage: &Passage) -> Passage {
    Passage {
        new: passage.new,
        old: None,
    }
}

/// Births and flips where something is brought back by a port's start, such as from
/// the disk: cell by cell, those that others call first, since its start calls what
/// lies below and what lies above is born from what it has brought back. Nobody else
/// is there: tasks are parked, doors closed.
fn set_up_anew(
    set: &Set,
    options: &Options,
    states: &mut Vec<(&'static str, State)>,
    journal: &mut Journal,
) -> Result<(), SwapFailure> {
    let mut born: Vec<&str> = Vec::new();
    for passage in set.passages.iter().rev() {
        if let Some(member) = set.behind(passage)
            && member.takes_over()
            && !born.contains(&member.code.name.as_str())
        {
            born.push(&member.code.name);
            bear_heir(member, options, states)?;
        }
        flip(core::slice::from_ref(passage), journal)?;
        passage.new.open();
        start(set.mover(passage).into_iter().filter(|m| m.new.anew))?;
    }
    start(set.movers.iter().filter(|m| !m.new.anew))
}

/// The births of the cells that take state over, each with the states of its
/// doors.
fn bear_heirs(
    set: &Set,
    options: &Options,
    states: &mut Vec<(&'static str, State)>,
) -> Result<(), SwapFailure> {
    let mut heirs = set.members.iter().filter(|m| m.takes_over());
    heirs.try_for_each(|member| bear_heir(member, options, states))
}

fn bear_heir(
    member: &Member,
    options: &Options,
    states: &mut Vec<(&'static str, State)>,
) -> Result<(), SwapFailure> {
    let mut inherited = Vec::new();
    for passage in &member.passages {
        let name = passage.new.name();
        if let Some(at) = states.iter().position(|(n, _)| *n == name) {
            inherited.push((name, states.swap_remove(at).1));
        }
    }
    birth(member, options, inherited)
}

/// The names, the objects and the history follow what the doors did.
fn finish(engine: &mut Engine, set: Set, record: &mut Record) {
    let pushed = |member: &crate::set::Member| matches!(member.order.source, Source::Pushed(_));
    let push = match record.reason {
        Reason::Pushed if set.members.iter().any(pushed) => objects::count_push(),
        _ => 0,
    };
    let former = make_current(&set);
    let crates = set.crates.iter().map(|krate| {
        let old = NAMESPACE.enter_crate(krate.clone());
        (krate.name.clone(), old)
    });
    let crates = crates.collect();
    record.cells.clear();
    for member in &set.members {
        let code = &member.code;
        let push = objects::enter(
            &code.name,
            code.object,
            &member.order.source,
            push,
            code.generation,
        );
        record.cells.push(member.ran(push));
    }
    // A port's former generation, too, would live on in what was linked to it.
    swap_port::spares::purge();
    engine.probation = Some(Probation {
        passages: set.passages.clone(),
        former,
        crates,
        ends: task_port::now() + PROBATION_NS,
    });
}
