//! What is sent to a running system when cells are pushed: the named ones, and
//! what must come with them. That is found by going on until nothing is missing:
//!
//! - crates they need that the system does not run,
//! - ports and libraries they were compiled against that have another interface
//!   than those that run,
//! - libraries without statics that have other code than those that run,
//! - with a changed port, every cell and port that uses it: it would go on calling
//!   through the former door.
//!
//! The system checks the set again, since it alone knows who is linked to what.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use cell_archive::UseKind;

use crate::image::Cell;
use crate::pipeline::Parts;
use crate::running::{Moving, Running, has_statics, says_how_it_moves};

/// A set of cells to push.
pub struct Push {
    /// The signed archive.
    pub archive: Vec<u8>,
    /// The cells in it, in order.
    pub names: Vec<String>,
}

/// Chooses and packs.
///
/// # Errors
/// When a name is no cell, belongs to the boot image, or needs a change of it.
pub fn plan(parts: &Parts, running: &Running, names: &[String]) -> Result<Push> {
    for name in names {
        if parts.base_crates.iter().any(|cell| cell.name == *name) {
            bail!("{name} is part of the boot image and cannot be replaced while it runs");
        }
        if !parts.cells.iter().any(|cell| cell.name == *name) {
            let known: Vec<&str> = parts.cells.iter().map(|cell| cell.name.as_str()).collect();
            bail!("there is no cell `{name}`; cells are: {}", known.join(" "));
        }
    }
    let wanted = names.iter().map(String::as_str);
    Ok(pack(parts, &Needs::new(parts, running).closure(wanted)?))
}

/// Packs the cells of these names.
pub fn pack(parts: &Parts, names: &BTreeSet<&str>) -> Push {
    let cells: Vec<&Cell> = parts
        .cells
        .iter()
        .filter(|cell| names.contains(cell.name.as_str()))
        .collect();
    let entries: Vec<_> = cells.iter().map(|cell| cell.entry()).collect();
    Push {
        archive: cell_archive::write::labelled(&entries, &parts.keys.secret, &parts.label),
        names: cells.iter().map(|cell| cell.name.clone()).collect(),
    }
}

/// Who needs whom, in a build and a running system.
pub struct Needs<'a> {
    parts: &'a Parts,
    running: &'a Running,
    by_name: BTreeMap<&'a str, &'a Cell>,
    /// Who defines a symbol.
    providers: BTreeMap<&'a str, &'a Cell>,
}

impl<'a> Needs<'a> {
    /// Looks through a build.
    #[must_use]
    pub fn new(parts: &'a Parts, running: &'a Running) -> Self {
        let (mut by_name, mut providers) = (BTreeMap::new(), BTreeMap::new());
        for cell in &parts.cells {
            by_name.insert(cell.name.as_str(), cell);
            for symbol in cell
                .object
                .iter()
                .flat_map(|object| &object.symbols.defined)
            {
                providers.insert(symbol.as_str(), cell);
            }
        }
        Self {
            parts,
            running,
            by_name,
            providers,
        }
    }

    /// These cells and all that must come with them.
    ///
    /// # Errors
    /// When a crate of the boot image would have to be another one.
    pub fn closure<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<BTreeSet<&'a str>> {
        let mut chosen = BTreeSet::new();
        let mut waiting: Vec<&'a Cell> = names
            .filter_map(|name| self.by_name.get(name).copied())
            .collect();
        while let Some(cell) = waiting.pop() {
            if !chosen.insert(cell.name.as_str()) {
                continue;
            }
            self.check_base(cell)?;
            self.check_moving(cell)?;
            waiting.extend(self.needed_by(cell));
            // It was named, or has another interface.
            if cell.name.ends_with("_port") {
                waiting.extend(self.users_of(&cell.name));
            }
        }
        Ok(chosen)
    }

    fn check_base(&self, cell: &Cell) -> Result<()> {
        for used in &cell.uses {
            let in_base = self.parts.base_crates.iter().any(|c| c.name == used.name);
            let runs = self.running.get(&used.name);
            if in_base && runs.is_some_and(|runs| runs.fingerprint != used.fingerprint) {
                bail!(
                    "{} needs another {}, which is part of the boot image: restart the system",
                    cell.name,
                    used.name
                );
            }
        }
        Ok(())
    }

    /// A crate with statics that is replaced must say how they move, in both
    /// generations.
    fn check_moving(&self, cell: &Cell) -> Result<()> {
        let Some(runs) = self.running.get(&cell.name) else {
            return Ok(());
        };
        // A cell keeps its state behind its door.
        let keeps = cell.fingerprint != 0 && has_statics(cell);
        let fixed = match runs.moving {
            Moving::Fixed => true,
            Moving::Moves | Moving::Free | Moving::Unknown => keeps && !says_how_it_moves(cell),
        };
        if fixed {
            bail!(
                "{} has statics or tasks and does not say how they move: restart the system",
                cell.name
            );
        }
        Ok(())
    }

    /// What it was compiled against and links to, where the system runs none or
    /// another one.
    fn needed_by(&self, cell: &'a Cell) -> impl Iterator<Item = &'a Cell> {
        let symbols = cell
            .object
            .iter()
            .flat_map(|object| &object.symbols.undefined);
        let linked = symbols.filter_map(|symbol| self.providers.get(symbol.as_str()).copied());
        let used = cell.uses.iter();
        let used = used.filter_map(|used| self.by_name.get(used.name.as_str()).copied());
        linked.chain(used).filter(|cell| self.running.differs(cell))
    }

    fn users_of(&self, port: &str) -> Vec<&'a Cell> {
        let uses = |cell: &&Cell| {
            let mut uses = cell.uses.iter();
            uses.any(|used| used.kind == UseKind::Port && used.name == port)
        };
        self.parts.cells.iter().filter(uses).collect()
    }
}
