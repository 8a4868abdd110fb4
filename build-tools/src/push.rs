//! What is sent to a running system when cells are pushed: the named ones, and
//! crates they need that the system was booted without.
//!
//! The system decides whether the set fits. It alone knows what was pushed
//! before; the archive it was booted from only serves to choose and to advise.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use cell_archive::{Archive, EntryKind};

use crate::image::Cell;
use crate::pipeline::Parts;

/// A set of cells to push.
pub struct Push {
    /// The signed archive.
    pub archive: Vec<u8>,
    /// The cells in it, in order.
    pub names: Vec<String>,
    /// What to do should the system refuse: one sentence a line.
    pub advice: Vec<String>,
}

/// Chooses and packs.
///
/// # Errors
/// When a name is no cell, or belongs to the boot image.
pub fn plan(parts: &Parts, booted: &Archive<'_>, names: &[String]) -> Result<Push> {
    for name in names {
        if parts.base_crates.iter().any(|cell| cell.name == *name) {
            bail!("{name} is part of the boot image and cannot be replaced while it runs");
        }
        if !parts.cells.iter().any(|cell| cell.name == *name) {
            let known: Vec<&str> = parts.cells.iter().map(|cell| cell.name.as_str()).collect();
            bail!("there is no cell `{name}`; cells are: {}", known.join(" "));
        }
    }
    let known: BTreeSet<&str> = booted.entries().map(|entry| entry.name).collect();
    let chosen = with_new_crates(&parts.cells, names, &known);
    let cells: Vec<&Cell> = parts
        .cells
        .iter()
        .filter(|cell| chosen.contains(cell.name.as_str()))
        .collect();
    let entries: Vec<_> = cells.iter().map(|cell| cell.entry()).collect();
    Ok(Push {
        archive: cell_archive::write::archive(&entries, &parts.keys.secret),
        names: cells.iter().map(|cell| cell.name.clone()).collect(),
        advice: advice(parts, booted, &cells),
    })
}

/// The named cells and, again and again, whatever they need that is `known` to
/// nobody.
fn with_new_crates<'a>(
    cells: &'a [Cell],
    names: &[String],
    known: &BTreeSet<&str>,
) -> BTreeSet<&'a str> {
    let mut providers: BTreeMap<&str, &Cell> = BTreeMap::new();
    let mut by_name: BTreeMap<&str, &Cell> = BTreeMap::new();
    for cell in cells {
        by_name.insert(&cell.name, cell);
        for symbol in cell
            .object
            .iter()
            .flat_map(|object| &object.symbols.defined)
        {
            providers.insert(symbol, cell);
        }
    }
    let mut chosen = BTreeSet::new();
    let mut waiting: Vec<&Cell> = names
        .iter()
        .filter_map(|name| by_name.get(name.as_str()).copied())
        .collect();
    while let Some(cell) = waiting.pop() {
        if !chosen.insert(cell.name.as_str()) {
            continue;
        }
        let symbols = cell
            .object
            .iter()
            .flat_map(|object| &object.symbols.undefined);
        let needed = symbols.filter_map(|symbol| providers.get(symbol.as_str()).copied());
        let used = cell
            .uses
            .iter()
            .filter_map(|used| by_name.get(used.name.as_str()).copied());
        waiting.extend(
            needed
                .chain(used)
                .filter(|cell| !known.contains(cell.name.as_str())),
        );
    }
    chosen
}

/// Interfaces that changed since the system was booted, and who else uses them.
fn advice(parts: &Parts, booted: &Archive<'_>, cells: &[&Cell]) -> Vec<String> {
    let pushed: BTreeSet<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
    let mut advice = BTreeSet::new();
    for used in cells.iter().flat_map(|cell| &cell.uses) {
        let then = booted
            .entries()
            .find(|entry| entry.name == used.name && entry.kind != EntryKind::BaseSymbols);
        let Some(then) = then else { continue };
        if then.fingerprint == used.fingerprint {
            continue;
        }
        if then.kind == EntryKind::BaseCrate {
            advice.insert(format!(
                "{} changed since the boot and is part of the boot image: restart the system",
                used.name
            ));
            continue;
        }
        let missing: Vec<&str> = parts
            .cells
            .iter()
            .filter(|cell| {
                cell.name == used.name || cell.uses.iter().any(|other| other.name == used.name)
            })
            .map(|cell| cell.name.as_str())
            .filter(|name| !pushed.contains(name))
            .collect();
        if !missing.is_empty() {
            advice.insert(format!(
                "{} changed since the boot; push in the same set: {}",
                used.name,
                missing.join(" ")
            ));
        }
    }
    advice.into_iter().collect()
}
