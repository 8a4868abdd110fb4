//! Commands about cells.

use crate::commands::Outcome;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use port::CrashKind;
use swap::{Reason, Record, history, tally};

/// The doors of a loaded cell.
fn doors(cell: &Loaded) -> &'static [port::DoorRef] {
    cell.cell().map_or(&[], |c| c.provides)
}

pub(crate) fn cells(arguments: &[&str]) -> Outcome {
    match arguments {
        [] => Ok(list(|cell| !doors(cell).is_empty())),
        ["--all"] => Ok(list(|_| true) + &base()),
        ["--history"] => Ok(history().iter().map(line).collect()),
        ["--deps", name] => deps(name),
        _ => Err(String::from(
            "usage: cells [--history | --all | --deps CELL]\n",
        )),
    }
}

fn list(wanted: impl Fn(&Loaded) -> bool) -> String {
    let mut text = String::new();
    for cell in NAMESPACE.cells().iter().filter(|c| wanted(c)) {
        let inflight: u32 = doors(cell).iter().map(|d| d.status().inflight).sum();
        let (swaps, faults) = tally(&cell.name);
        text += &format!(
            "{:<16} {:<8} generation {:<4} {:>6} KiB  in flight {:<4} swaps {:<5} faults {}\n",
            cell.name,
            cell.version,
            cell.generation,
            cell.size / 1024,
            inflight,
            swaps,
            faults
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

fn line(record: &Record) -> String {
    let reason = match record.reason {
        Reason::Asked => "asked for",
        Reason::Fault => "after a fault",
        Reason::Probation => "back after a fault in probation",
    };
    let result = if record.failure.is_empty() {
        String::new()
    } else {
        format!("  refused: {}", record.failure)
    };
    format!(
        "{:>12.3} s  {}  {}  pause {} us, load {} us{}\n",
        record.at as f64 / 1e9,
        record.cells.join(" "),
        reason,
        record.pause / 1000,
        record.load / 1000,
        result
    )
}

pub(crate) fn swap(arguments: &[&str]) -> Outcome {
    let result = match arguments {
        [] => return Err(String::from("usage: swap CELL...; `cells` lists them\n")),
        [name, "with", by] => swap::swap_with(name, by, Reason::Asked),
        names => swap::swap(names, Reason::Asked),
    };
    report(result)
}

fn report(result: Result<Record, swap::SwapFailure>) -> Outcome {
    match result {
        Ok(record) => Ok(format!(
            "swapped {}: pause {} us, load {} us\n",
            record.cells.join(" "),
            record.pause / 1000,
            record.load / 1000
        )),
        Err(failure) => Err(format!("not swapped, the old cell serves on: {failure}\n")),
    }
}

pub(crate) fn push(archive: Vec<u8>) -> Outcome {
    let names = swap::add_archive(archive).map_err(|e| format!("refused: {e}\n"))?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    report(swap::swap(&names, Reason::Asked))
}

pub(crate) fn crash(arguments: &[&str]) -> Outcome {
    const USAGE: &str = "usage: crash CELL panic|null|wild|divide|opcode|stack|loop\n";
    let [name, kind] = arguments else {
        return Err(String::from(USAGE));
    };
    let kind = CrashKind::from_word(kind).ok_or_else(|| String::from(USAGE))?;
    let cell = NAMESPACE
        .find(name)
        .ok_or_else(|| format!("no cell `{name}`; `cells` lists them\n"))?;
    let door = doors(&cell)
        .first()
        .ok_or_else(|| format!("{name} is a library and has no port to crash behind\n"))?;
    door.inject(kind);
    Ok(format!("the next call into {name} will fault\n"))
}
