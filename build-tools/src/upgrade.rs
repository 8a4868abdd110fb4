//! Which cells of another build replace what runs, and in which sets.
//!
//! Every cell that differs from what runs, or was compiled against something that
//! does, is taken with all that must come with it. Sets that share a crate become
//! one; sets go in the order of the image, so that what others call comes first.
//!
//! A crate with statics whose code alone has changed is sent if it says how they
//! move; else it runs on as it was loaded, which [`left`] lists.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::pipeline::Parts;
use crate::push::Needs;
use crate::running::{Running, says_how_it_moves};

/// The sets to push, one after the other.
///
/// # Errors
/// When a crate of the boot image would have to be another one.
pub fn sets<'a>(parts: &'a Parts, running: &'a Running) -> Result<Vec<BTreeSet<&'a str>>> {
    let needs = Needs::new(parts, running);
    let mut sets: Vec<BTreeSet<&'a str>> = Vec::new();
    for cell in &parts.cells {
        let other = |used: &cell_archive::write::NewUse| {
            let used = parts.cells.iter().find(|cell| cell.name == used.name);
            used.is_some_and(|used| running.differs(used))
        };
        let changed = running.differs(cell) || cell.uses.iter().any(other);
        let moves = running.has_other_code(cell) && says_how_it_moves(cell);
        // A library alone replaces nothing: it comes with those that use it.
        if !(moves || changed && has_door(parts, &cell.name)) {
            continue;
        }
        let mut set = needs.closure(std::iter::once(cell.name.as_str()))?;
        sets.retain(|earlier| {
            let apart = earlier.is_disjoint(&set);
            if !apart {
                set.extend(earlier);
            }
            apart
        });
        sets.push(set);
    }
    let place = |name: &str| parts.cells.iter().position(|cell| cell.name == name);
    sets.sort_by_key(|set| set.iter().filter_map(|name| place(name)).max());
    Ok(sets)
}

/// The crates whose code differs and that run on as they were loaded.
#[must_use]
pub fn left<'a>(parts: &'a Parts, running: &Running, sets: &[BTreeSet<&str>]) -> Vec<&'a str> {
    let crates = parts.cells.iter().chain(&parts.base_crates);
    let in_base = |name: &str| parts.base_crates.iter().any(|cell| cell.name == name);
    let differs = |cell: &&crate::image::Cell| match in_base(&cell.name) {
        true => running
            .get(&cell.name)
            .is_some_and(|runs| runs.fingerprint != cell.fingerprint),
        false => running.has_other_code(cell),
    };
    crates
        .filter(differs)
        .map(|cell| cell.name.as_str())
        .filter(|name| !sets.iter().any(|set| set.contains(name)))
        .collect()
}

/// Whether a crate is a cell behind a port: the port lies beside it.
fn has_door(parts: &Parts, name: &str) -> bool {
    let port = format!("{name}_port");
    parts.cells.iter().any(|cell| cell.name == port)
}
