//! Packing: from objects to the signed archive.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use cell_archive::EntryKind;
use cell_archive::write::{NewEntry, NewUse};
use rustc_demangle::demangle;

use crate::base::Base;
use crate::object::Object;

/// A crate ready to be packed.
pub struct Cell {
    /// The crate's name, unique within the image.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// Its own fingerprint, or 0.
    pub fingerprint: u64,
    /// What it was compiled against.
    pub uses: Vec<NewUse>,
    /// What it is in the archive.
    pub kind: EntryKind,
    /// Its object, if it is a cell.
    pub object: Option<Object>,
}

impl Cell {
    /// This crate as an archive entry.
    pub fn entry(&self) -> NewEntry {
        NewEntry {
            kind: self.kind,
            name: self.name.clone(),
            version: self.version.clone(),
            fingerprint: self.fingerprint,
            uses: self.uses.clone(),
            payload: self
                .object
                .as_ref()
                .map(|object| object.packed.clone())
                .unwrap_or_default(),
        }
    }
}

/// The boot image's symbols as an archive entry.
pub fn base_entry(base: &Base) -> NewEntry {
    NewEntry {
        kind: EntryKind::BaseSymbols,
        name: "nano_core".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        fingerprint: 0,
        uses: Vec::new(),
        payload: base.table.clone(),
    }
}

/// Puts cells behind those whose symbols they need, and refuses an image in
/// which a symbol has no provider or two.
pub fn order(base: &Base, cells: Vec<Cell>) -> Result<Vec<Cell>> {
    let mut providers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        for name in cell
            .object
            .iter()
            .flat_map(|object| &object.symbols.defined)
        {
            if base.linkable.contains(name) {
                faults.push(format!(
                    "{:#} is defined by {} and the boot image",
                    demangle(name),
                    cell.name
                ));
            } else if let Some(first) = providers.insert(name, index) {
                faults.push(format!(
                    "{:#} is defined by {} and {}",
                    demangle(name),
                    cells[first].name,
                    cell.name
                ));
            }
        }
    }
    let mut needs: Vec<BTreeSet<usize>> = Vec::new();
    for cell in &cells {
        let mut needed = BTreeSet::new();
        for name in cell
            .object
            .iter()
            .flat_map(|object| &object.symbols.undefined)
        {
            match providers.get(name.as_str()) {
                Some(index) => {
                    needed.insert(*index);
                }
                None if base.linkable.contains(name) => {}
                None => faults.push(format!(
                    "{:#}, needed by {}, is defined nowhere",
                    demangle(name),
                    cell.name
                )),
            }
        }
        needs.push(needed);
    }
    if !faults.is_empty() {
        let count = faults.len();
        faults.truncate(20);
        bail!("{count} symbols do not resolve:\n  {}", faults.join("\n  "));
    }
    let mut placed = vec![false; cells.len()];
    let mut sequence = Vec::new();
    for index in 0..cells.len() {
        place(index, &needs, &mut placed, &mut sequence);
    }
    let mut cells: Vec<Option<Cell>> = cells.into_iter().map(Some).collect();
    Ok(sequence
        .into_iter()
        .filter_map(|index| cells[index].take())
        .collect())
}

fn place(index: usize, needs: &[BTreeSet<usize>], placed: &mut [bool], sequence: &mut Vec<usize>) {
    if std::mem::replace(&mut placed[index], true) {
        return;
    }
    for needed in &needs[index] {
        place(*needed, needs, placed, sequence);
    }
    sequence.push(index);
}
