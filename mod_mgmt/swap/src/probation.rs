//! After a swap: its probation ends and the former cells go, or one of the new
//! cells faults and the former ones come back.

use crate::set::{Mover, make_former_current};
use crate::steps::{PARK_NS, close_and_drain, move_statics_back, park, start};
use crate::transaction::SETTLE_NS;
use alloc::string::String;
use alloc::vec::Vec;
use mod_mgmt::namespace::NAMESPACE;
use port::State;
use swap_port::objects::{Verdict, judge};
use swap_port::{Engine, Passage, Probation, Ran, Reason, Record, Steps, SwapFailure, note};
use task_port::gate_unreported;

/// How long those inside may take to leave when a faulty cell is replaced.
const DRAIN_NS: u64 = 50_000_000;

/// Drops the former cells, waiting `patience` (ns) for those still inside.
pub(crate) fn end(engine: &mut Engine, patience: u64) -> Result<(), SwapFailure> {
    let Some(probation) = &engine.probation else {
        return Ok(());
    };
    let deadline = task_port::now() + patience;
    for passage in &probation.passages {
        match passage.old {
            Some(old) => old.dismiss(deadline)?,
            None => passage.new.retire(deadline)?,
        }
    }
    let probation = engine.probation.take();
    for (new, _) in probation.iter().flat_map(|p| &p.former) {
        judge(&new.name, new.object, Verdict::Good);
    }
    Ok(())
}

/// Ends a probation whose time is over.
pub(crate) fn settle_if_over(engine: &mut Engine) {
    let over = |p: &Probation| p.ends <= task_port::now();
    if engine.probation.as_ref().is_some_and(over) {
        let _ = end(engine, 0);
    }
}

/// Puts the former cells back if `cell` is on probation.
pub(crate) fn revert(engine: &mut Engine, cell: &str) -> Option<Record> {
    let is_its = |p: &&mut Probation| p.former.iter().any(|(new, _)| new.name == cell);
    let started = task_port::now();
    let movers = movers(engine.probation.as_mut().filter(is_its)?);
    // Tasks in the later generation's code would go on calling its doors; while
    // they cannot leave it, a fresh instance has to do.
    park(&forward(&movers), started + PARK_NS, &mut engine.journal).ok()?;
    let probation = engine.probation.take()?;
    // Where a port has moved, nobody may be on his way through either door.
    let closing: Vec<Passage> = probation
        .passages
        .iter()
        .filter(|p| p.new.has_state() || !movers.is_empty())
        .map(|p| Passage {
            new: p.new,
            old: None,
        })
        .collect();
    engine.journal.touched.clone_from(&closing);
    // While the doors behind which it ends are there.
    move_statics_back(&movers);
    engine.journal.parked.clear();
    let drained = close_and_drain(&closing, task_port::now() + DRAIN_NS).is_ok();
    flip_back(&probation, &movers, drained);
    for passage in closing.iter().rev() {
        passage.new.open();
    }
    let _ = start(forward(&movers).iter());
    engine.journal.touched.clear();
    make_former_current(&probation.former);
    for (name, krate) in probation.crates {
        match krate {
            Some(krate) => drop(NAMESPACE.enter_crate(krate)),
            None => NAMESPACE.forget_crate(&name),
        }
    }
    for (new, old) in &probation.former {
        if old.as_ref().is_some_and(|old| old.object != new.object) {
            judge(&new.name, new.object, Verdict::Bad);
        }
    }
    let record = Record {
        at: started,
        cells: probation.former.iter().filter_map(|f| back(&f.1)).collect(),
        reason: Reason::Probation,
        label: String::new(),
        pause: task_port::now() - started,
        load: 0,
        steps: Steps::default(),
        failure: String::new(),
    };
    note(record.clone());
    // The faulty generation goes once nobody is inside.
    for passage in &probation.passages {
        let deadline = task_port::now() + SETTLE_NS;
        let _ = match passage.old {
            Some(_) => passage.new.dismiss(deadline),
            None => passage.new.retire(deadline),
        };
    }
    Some(record)
}

/// Flips all doors back. The former providers take over the states that the later
/// ones went on with, if these have been left and can be handed over.
fn flip_back(probation: &Probation, movers: &[Mover], drained: bool) {
    for passage in &probation.passages {
        let anew = movers.iter().any(|mover| {
            mover.new.anew && mover.name.strip_suffix("_port") == Some(passage.new.name())
        });
        let state = match drained && !anew {
            true => state_of(passage),
            false => None,
        };
        if passage.flip_back()
            && let Some(state) = state
        {
            let _ = gate_unreported(|| passage.serving().reclaim(state));
        }
    }
}

fn state_of(passage: &Passage) -> Option<State> {
    let given = gate_unreported(|| passage.new.export());
    given.ok()?.ok()?
}

fn back(former: &Option<alloc::sync::Arc<mod_mgmt::namespace::Loaded>>) -> Option<Ran> {
    let former = former.as_ref()?;
    Some(Ran {
        name: former.name.clone(),
        version: former.version.clone(),
        generation: former.generation,
        object: former.object,
        push: 0,
    })
}

/// The same crates, as they would move on from the generation that serves now.
fn forward(movers: &[Mover]) -> Vec<Mover> {
    let swapped = |mover: &Mover| Mover {
        name: mover.name.clone(),
        old: mover.new,
        new: mover.old,
    };
    movers.iter().map(swapped).collect()
}

/// The crates whose statics had moved, lowest first.
fn movers(probation: &Probation) -> Vec<Mover> {
    let moved = probation.former.iter().filter_map(|(new, old)| {
        let old = old.as_ref()?;
        let both = new.cell().is_none() && (old.mutable || new.mutable);
        both.then_some(Mover {
            name: new.name.clone(),
            old: old.moves()?,
            new: new.moves()?,
        })
    });
    moved.collect()
}
