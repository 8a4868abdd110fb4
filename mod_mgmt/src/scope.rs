//! What the cells of a set are linked against: each other, then what is current.
//!
//! A set that brings a new generation of a port must not be linked against the
//! port that runs. So the loader asks a [`Scope`], which knows what the set has
//! brought so far and asks the namespace for the rest. Nothing of it is current
//! before the set's flip.

use crate::namespace::{Loaded, NAMESPACE};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashMap;

/// The cells and crates of a set that are loaded already.
#[derive(Debug, Default)]
pub struct Scope {
    cells: Vec<Arc<Loaded>>,
    /// Hash of an exported name to address and exporter.
    exports: HashMap<u64, (u64, usize)>,
    /// Fingerprints by name.
    fingerprints: BTreeMap<String, u64>,
}

impl Scope {
    /// Adds a loaded cell of the set.
    pub fn add(&mut self, cell: &Arc<Loaded>) {
        let exports = cell.exports.iter();
        self.exports
            .extend(exports.map(|(name, address)| (*name, (*address, cell.number))));
        self.add_crate(&cell.name, cell.fingerprint);
        self.cells.push(Arc::clone(cell));
    }

    /// Adds a crate of the set that has no code.
    pub fn add_crate(&mut self, name: &str, fingerprint: u64) {
        self.fingerprints.insert(name.to_string(), fingerprint);
    }

    /// The cells of the set, in the order they were added.
    #[must_use]
    pub fn cells(&self) -> &[Arc<Loaded>] {
        &self.cells
    }

    /// The address of an exported symbol, and who exports it.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<(u64, usize)> {
        if self.exports.is_empty() {
            return NAMESPACE.resolve(name);
        }
        let hash = cell_archive::hash_name(name);
        let own = self.exports.get(&hash).copied();
        own.or_else(|| NAMESPACE.resolve(name))
    }

    /// The fingerprint of a port or library as the set sees it.
    #[must_use]
    pub fn fingerprint(&self, name: &str) -> Option<u64> {
        let own = self.fingerprints.get(name).copied();
        own.or_else(|| NAMESPACE.fingerprint(name))
    }
}
