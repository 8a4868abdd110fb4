//! What runs in a system: every crate's fingerprint and the start of its object's
//! digest. Pushes and upgrades are planned against it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use cell_archive::{Archive, EntryKind};

use crate::client;
use crate::image::Cell;
use crate::instance::Instance;

/// A crate that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crate {
    /// Its interface fingerprint; 0 for a cell with a port, and for crates from
    /// elsewhere.
    pub fingerprint: u64,
    /// The start of its object's digest; 0 without an object of its own.
    pub object: u64,
    /// Whether its statics and tasks can move to a later generation.
    pub moving: Moving,
}

/// What becomes of the statics and tasks of a crate that is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moving {
    /// It says how they move.
    Moves,
    /// It does not say so, and stays as it was loaded.
    Fixed,
    /// It has none, or a door that keeps its state.
    Free,
    /// The system does not tell.
    #[default]
    Unknown,
}

/// All crates that run, by name.
#[derive(Clone, Debug, Default)]
pub struct Running(BTreeMap<String, Crate>);

impl Running {
    /// Asks a running system.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(instance: &Instance) -> Result<Self> {
        let answer = client::shell(instance, "cells --objects", Duration::from_secs(30))?;
        Self::parse(&answer).context("the system's list of cells cannot be read")
    }

    /// Reads the shell's list: name, fingerprint and object a line, in hexadecimal
    /// digits, `-` for no object; and how it moves.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_string();
            let fingerprint = u64::from_str_radix(words.next()?, 16).ok()?;
            let object = match words.next()? {
                "-" => 0,
                digits => u64::from_str_radix(digits, 16).ok()?,
            };
            let moving = match words.next() {
                Some("moves") => Moving::Moves,
                Some("fixed") => Moving::Fixed,
                Some("free") => Moving::Free,
                _ => Moving::Unknown,
            };
            Some((
                name,
                Crate {
                    fingerprint,
                    object,
                    moving,
                },
            ))
        };
        text.lines().map(line).collect::<Option<_>>().map(Self)
    }

    /// What a system runs that was booted from this archive, before any push.
    #[must_use]
    pub fn from_archive(archive: &Archive<'_>) -> Self {
        let crates = archive
            .entries()
            .filter(|entry| entry.kind != EntryKind::BaseSymbols);
        let krate = |entry: cell_archive::Entry<'_>| {
            let object = match entry.payload {
                [] => 0,
                _ => start(entry.digest),
            };
            let fingerprint = entry.fingerprint;
            (
                entry.name.to_string(),
                Crate {
                    fingerprint,
                    object,
                    moving: Moving::Unknown,
                },
            )
        };
        Self(crates.map(krate).collect())
    }

    /// All crates, by name.
    pub fn crates(&self) -> impl Iterator<Item = (&str, Crate)> {
        self.0.iter().map(|(name, krate)| (name.as_str(), *krate))
    }

    /// The crate of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Crate> {
        self.0.get(name).copied()
    }

    /// Whether `cell` as built must be sent before those that need it: it has
    /// another interface than what runs, or other code and can have it: a crate with
    /// statics runs on as it was loaded.
    #[must_use]
    pub fn differs(&self, cell: &Cell) -> bool {
        let Some(runs) = self.get(&cell.name) else {
            return true;
        };
        let fixed = cell.fingerprint != 0 && has_statics(cell);
        runs.fingerprint != cell.fingerprint || !fixed && runs.object != object_number(cell)
    }

    /// Whether `cell` as built has other code than what runs.
    #[must_use]
    pub fn has_other_code(&self, cell: &Cell) -> bool {
        let runs = self.get(&cell.name);
        runs.is_none_or(|runs| runs.object != object_number(cell))
    }
}

/// Whether a crate has statics that change, such as a port its door: another copy
/// of it would not share them.
#[must_use]
pub fn has_statics(cell: &Cell) -> bool {
    let mut objects = cell.object.iter();
    objects.any(|object| object.symbols.statics)
}

/// Whether a crate says how its statics move to a later generation.
#[must_use]
pub fn says_how_it_moves(cell: &Cell) -> bool {
    let mut defined = cell
        .object
        .iter()
        .flat_map(|object| &object.symbols.defined);
    defined.any(|symbol| symbol.starts_with("_RNv") && symbol.ends_with("5MOVES"))
}

/// The start of the digest of a cell's object.
#[must_use]
pub fn object_number(cell: &Cell) -> u64 {
    cell.object.as_ref().map_or(0, |object| {
        start(&cell_archive::payload_digest(&object.packed))
    })
}

fn start(digest: &[u8; 32]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(bytes)
}
