//! Commands about cells.

use crate::commands::Outcome;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use port::CrashKind;
use swap_port::objects::{self, Verdict};
use swap_port::{Ran, Reason, Record, SwapFailure, history, tally};

/// The doors of a loaded cell.
fn doors(cell: &Loaded) -> &'static [port::DoorRef] {
    cell.cell().map_or(&[], |c| c.provides)
}

pub(crate) fn cells(arguments: &[&str]) -> Outcome {
    match arguments {
        [] => Ok(list(|cell| !doors(cell).is_empty())),
        ["--all"] => Ok(list(|_| true) + &base()),
        ["--history"] => Ok(history().iter().map(line).collect()),
        ["--history", name] => of_one(name),
        ["--repairs"] => Ok(repairs()),
        ["--objects"] => Ok(running()),
        ["--deps", name] => deps(name),
        ["--watch", rest @ ..] => crate::watch::watch(rest),
        _ => Err(String::from(
            "usage: cells [--history [CELL] | --repairs | --all | --deps CELL | --objects | --watch [LINES]]\n",
        )),
    }
}

fn list(wanted: impl Fn(&Loaded) -> bool) -> String {
    let mut text = String::new();
    let asked = captain_port::CAPTAIN.enter();
    let conditions = asked.map_or(Vec::new(), |captain| captain.conditions());
    for cell in NAMESPACE.cells().iter().filter(|c| wanted(c)) {
        let its = conditions.iter().filter(|(name, _)| *name == cell.name);
        let condition: String = its.map(|(_, words)| format!("  {words}")).collect();
        let inflight: u32 = doors(cell).iter().map(|d| d.status().inflight).sum();
        let (swaps, faults) = tally(&cell.name);
        text += &format!(
            "{:<16} {:<8} generation {:<4} {:>6} KiB  in flight {:<4} swaps {:<5} faults {}{}{}\n",
            cell.name,
            cell.version,
            cell.generation,
            cell.size / 1024,
            inflight,
            swaps,
            faults,
            trouble(&cell.name),
            condition
        );
    }
    text
}

/// What a cell imports from, who imports from it, and in which order all of
/// those could be unloaded.
fn deps(name: &str) -> Outcome {
    let cell = NAMESPACE
        .find(name)
        .ok_or_else(|| format!("no cell `{name}`; `cells --all` lists them\n"))?;
    let uses: Vec<&str> = cell.dependencies.iter().map(|d| d.name.as_str()).collect();
    Ok(format!(
        "imports from:    {}\nimported by:     {}\nunloading order: {}\n",
        uses.join(" "),
        NAMESPACE.dependents(name).join(" "),
        NAMESPACE.unloading_order(name).join(" ")
    ))
}

fn base() -> String {
    let line = |c: &mod_mgmt::namespace::BaseCrate| {
        format!("{:<16} {:<8} in the boot image\n", c.name, c.version)
    };
    NAMESPACE.base_crates().iter().map(line).collect()
}

/// The last repair of each cell, in microseconds since its fault.
fn repairs() -> String {
    let line = |repair: &captain_port::Repair| {
        let since = |at: u64| match at.checked_sub(repair.at) {
            Some(ns) if at != 0 => format!("{} us", ns / 1000),
            _ => String::from("-"),
        };
        format!(
            "{:<16} {:?} at {:.6} s, caught {}, served {}, replaced {}, gave back {}, torn {}\n",
            repair.cell,
            repair.kind,
            repair.at as f64 / 1e9,
            since(repair.caught),
            since(repair.served),
            since(repair.replaced),
            repair.released,
            repair.torn
        )
    };
    let all: String = captain_port::repairs().iter().map(line).collect();
    format!("faults {}\n{all}", captain_port::faults())
}

/// What the captain thinks of a cell that faulted lately.
fn trouble(name: &str) -> String {
    let past = captain_port::past(name);
    match past.given_up {
        true => format!("  given up after {} tries", past.strikes),
        false => String::new(),
    }
}

pub(crate) fn line(record: &Record) -> String {
    let result = if record.failure.is_empty() {
        String::new()
    } else {
        format!("  refused: {}", record.failure)
    };
    let cells: Vec<String> = record.cells.iter().map(ran).collect();
    format!(
        "{:>12.3} s  {}  {}{}  pause {} us, load {} us{}{}\n",
        record.at as f64 / 1e9,
        cells.join(" "),
        record.reason.text(),
        match record.label.as_str() {
            "" => String::new(),
            label => format!(" ({label})"),
        },
        us(record.pause),
        record.load / 1000,
        parts(record),
        result
    )
}

/// Microseconds to a tenth: where instructions are counted, a thousand is one.
fn us(ns: u64) -> String {
    match ns {
        0 => String::from("0"),
        ns => format!("{}.{}", ns / 1000, ns % 1000 / 100),
    }
}

/// Where the pause went, if there was one.
fn parts(record: &Record) -> String {
    if record.pause == 0 {
        return String::new();
    }
    let steps = &record.steps;
    format!(
        "; drain {}, hand over {}, flip {}, open {}; before it ahead {}, lull {} us",
        us(steps.drain),
        us(steps.hand_over),
        us(steps.flip),
        us(steps.open),
        us(steps.ahead),
        us(steps.lull)
    )
}

/// A cell of a swap: name, generation, and where its object came from.
fn ran(ran: &Ran) -> String {
    match (ran.generation, ran.push) {
        (0, _) => ran.name.clone(),
        (generation, 0) => format!("{}#{generation} {:08x}", ran.name, ran.object >> 32),
        (generation, push) => format!(
            "{}#{generation} {:08x} push {push}",
            ran.name,
            ran.object >> 32
        ),
    }
}

/// The history of one cell: its swaps, then the versions that are kept.
fn of_one(name: &str) -> Outcome {
    let cell = NAMESPACE
        .find(name)
        .ok_or_else(|| format!("no cell `{name}`; `cells` lists them\n"))?;
    let its = |record: &&Record| record.cells.iter().any(|ran| ran.name == name);
    let mut text: String = history().iter().filter(its).map(line).collect();
    for version in objects::versions(name) {
        let generations: Vec<String> = version.generations.iter().map(|g| format!("{g}")).collect();
        text += &format!(
            "version {:08x}  from {}  {}  generations {}{}\n",
            version.object >> 32,
            match version.push {
                0 => String::from("the boot"),
                push => format!("push {push}"),
            },
            match version.verdict {
                Verdict::Untried => "on probation",
                Verdict::Good => "good",
                Verdict::Bad => "bad",
            },
            generations.join(" "),
            if version.object == cell.object {
                "  runs now"
            } else {
                ""
            }
        );
    }
    Ok(text)
}

/// Every crate that runs, for the host: name, fingerprint, object, and whether it
/// would move to a later generation (`moves`, `fixed`; `free` for what has no statics
/// or stands behind a door).
fn running() -> String {
    let mut text = String::new();
    for cell in NAMESPACE.cells() {
        let moving = match (cell.moves().is_some(), cell.mutable) {
            (true, _) => "moves",
            (false, true) if cell.cell().is_none() => "fixed",
            (false, _) => "free",
        };
        text += &format!(
            "{} {:016x} {:016x} {moving}\n",
            cell.name, cell.fingerprint, cell.object
        );
    }
    for krate in NAMESPACE.base_crates() {
        text += &format!("{} {:016x} -\n", krate.name, krate.fingerprint);
    }
    text
}

pub(crate) fn swap(arguments: &[&str]) -> Outcome {
    let result = match arguments {
        [] => return Err(String::from("usage: swap CELL...; `cells` lists them\n")),
        [name, "with", by] => swap_port::swap_with(name, by, Reason::Asked),
        names => swap_port::swap(names, Reason::Asked),
    };
    report(result)
}

pub(crate) fn rollback(arguments: &[&str]) -> Outcome {
    const USAGE: &str = "usage: rollback CELL [GENERATION]; see `cells --history CELL`\n";
    match arguments {
        [name] => report(swap_port::rollback(name, None)),
        [name, generation] => {
            let generation = generation.parse().map_err(|_| String::from(USAGE))?;
            report(swap_port::rollback(name, Some(generation)))
        }
        _ => Err(String::from(USAGE)),
    }
}

fn report(result: Result<Record, SwapFailure>) -> Outcome {
    match result {
        Ok(record) => Ok(format!(
            "swapped {}: pause {} us, load {} us{}\n",
            record.names(),
            us(record.pause),
            record.load / 1000,
            parts(&record)
        )),
        Err(failure) => Err(format!("not swapped, the old cell serves on: {failure}\n")),
    }
}

pub(crate) fn push(archive: Vec<u8>) -> Outcome {
    report(swap_port::push(archive))
}

pub(crate) fn crash(arguments: &[&str]) -> Outcome {
    let usage = || {
        let words: Vec<&str> = CrashKind::words().collect();
        format!("usage: crash CELL {}\n", words.join("|"))
    };
    let [name, kind] = arguments else {
        return Err(usage());
    };
    let kind = CrashKind::from_word(kind).ok_or_else(usage)?;
    let cell = NAMESPACE
        .find(name)
        .ok_or_else(|| format!("no cell `{name}`; `cells` lists them\n"))?;
    let door = doors(&cell)
        .first()
        .ok_or_else(|| format!("{name} is a library and has no port to crash behind\n"))?;
    if !door.inject(kind) {
        return Err(format!(
            "{name} runs with interrupts off, where a fault cannot be caught\n"
        ));
    }
    Ok(format!("the next call into {name} will fault\n"))
}

pub(crate) fn inject(arguments: &[&str]) -> Outcome {
    const USAGE: &str =
        "usage: inject CELL code|text|data|word|skip|state|undo SEED [OFFSET LENGTH]\n";
    let number = |word: &str| word.parse().map_err(|_| String::from(USAGE));
    let (cell, kind, seed, at) = match arguments {
        [cell, kind, seed] => (cell, kind, seed, None),
        [cell, kind, seed, at, length] => {
            let (at, length): (usize, usize) = (number(at)?, number(length)?);
            (cell, kind, seed, Some(at..at.saturating_add(length)))
        }
        _ => return Err(String::from(USAGE)),
    };
    let seed = seed.parse().map_err(|_| String::from(USAGE))?;
    match fault_injection_port::INJECTOR.enter() {
        Ok(injector) => injector.inject(cell, kind, seed, at),
        Err(_) => Err(String::from(
            "damage is only done to a system that was booted with faults=inject\n",
        )),
    }
}
