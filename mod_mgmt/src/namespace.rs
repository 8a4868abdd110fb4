//! The namespace: which cells are loaded, what they export, and what lies at an
//! address.
//!
//! One namespace serves the whole system. A name maps to the *current*
//! generation of a cell; older generations stay loaded while someone holds them
//! (a port's provider, a suspended query, a cell that imports from them) and are
//! still found by address, so that backtraces and unwinding work in them.

use crate::ranges;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use cell_archive::SymbolTable;
use cell_object::{FunctionNames, Import};
use hashbrown::HashMap;
use port::CellCode;
use sync::IrqLock;

/// The number of the boot image among exporters.
pub const BASE: usize = 0;

/// A loaded cell: one generation of one crate.
#[derive(Debug)]
pub struct Loaded {
    /// Never used again.
    pub number: usize,
    /// The crate's name.
    pub name: String,
    /// The crate's version.
    pub version: String,
    /// Its interface fingerprint.
    pub fingerprint: u64,
    /// The start of its object's digest: tells versions apart.
    pub object: u64,
    /// How many cells of this name were loaded before.
    pub generation: u64,
    /// First address.
    pub start: usize,
    /// Bytes.
    pub size: usize,
    /// Address of `.eh_frame`, zero if there is none.
    pub eh_frame: usize,
    /// Address of its sorted index `.eh_frame_hdr`, zero if there is none.
    pub eh_frame_hdr: usize,
    /// Its functions' names, packed.
    pub names: FunctionNames,
    /// What it exports: hash of the name and address.
    pub exports: Vec<(u64, u64)>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// The cells it imports from; they stay loaded as long as it does.
    pub dependencies: Vec<Arc<Loaded>>,
    /// Address of its descriptor, if it has one.
    pub descriptor: Option<usize>,
    /// Address of what says how it moves to a later generation, if it does.
    pub moves: Option<usize>,
    /// It has statics that change, which a later generation would not share.
    pub mutable: bool,
    /// Its memory; the executable, readable and writable pages.
    #[cfg(mitos)]
    pub memory: [memory::MappedPages; 3],
}

impl CellCode for Loaded {
    fn name(&self) -> &str {
        &self.name
    }
    fn version(&self) -> &str {
        &self.version
    }
    fn size(&self) -> usize {
        self.size
    }
}

impl Loaded {
    /// The function that covers `address`: its mangled name and its start.
    #[must_use]
    pub fn function(&self, address: usize) -> Option<(String, usize)> {
        let found = self.names.find(address.checked_sub(self.start)?);
        found.map(|(name, offset)| (name, self.start + offset))
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        ranges::leave(self.start);
        let mut inner = NAMESPACE.inner.lock();
        inner.by_number.remove(&self.number);
        for (name, _) in &self.exports {
            if inner.exports.get(name).is_some_and(|e| e.1 == self.number) {
                inner.exports.remove(name);
            }
        }
    }
}

/// A crate of the boot image.
#[derive(Clone, Debug)]
pub struct BaseCrate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its interface fingerprint.
    pub fingerprint: u64,
}

#[derive(Default)]
struct Inner {
    base: Option<SymbolTable<'static>>,
    base_crates: BTreeMap<String, BaseCrate>,
    /// Hash of an exported name to address and exporter.
    exports: HashMap<u64, (u64, usize)>,
    current: BTreeMap<String, Arc<Loaded>>,
    by_number: BTreeMap<usize, Weak<Loaded>>,
    generations: BTreeMap<String, u64>,
    /// The last number given; the first one is above [`BASE`].
    last: usize,
}

/// All loaded cells.
#[derive(Default)]
pub struct Namespace {
    inner: IrqLock<Inner>,
}

/// The system's namespace.
pub static NAMESPACE: spin::LazyLock<Namespace> = spin::LazyLock::new(Namespace::default);

/// What lies at an address.
#[derive(Clone, Debug)]
pub struct Place {
    /// The cell, or `nano_core` for the boot image.
    pub cell: String,
    /// Its generation.
    pub generation: u64,
    /// The function's readable name.
    pub function: String,
    /// Bytes from the function's start.
    pub offset: usize,
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {} + {:#x}", self.cell, self.function, self.offset)
    }
}

impl Namespace {
    /// Tells the namespace what the boot image exports.
    pub fn set_base(&self, symbols: SymbolTable<'static>, crates: impl Iterator<Item = BaseCrate>) {
        let mut inner = self.inner.lock();
        inner.base = Some(symbols);
        inner.base_crates = crates.map(|c| (c.name.clone(), c)).collect();
    }

    /// A new cell's number and generation.
    pub fn number(&self, name: &str) -> (usize, u64) {
        let mut inner = self.inner.lock();
        inner.last += 1;
        let number = inner.last;
        let generation = inner.generations.entry(name.to_string()).or_insert(0);
        *generation += 1;
        (number, *generation)
    }

    /// The address of an exported symbol, and who exports it.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<(u64, usize)> {
        let inner = self.inner.lock();
        let hash = cell_archive::hash_name(name);
        if let Some(found) = inner.exports.get(&hash) {
            return Some(*found);
        }
        inner
            .base
            .as_ref()?
            .find(name)
            .map(|symbol| (symbol.address, BASE))
    }

    /// The fingerprint of a loaded port or library.
    #[must_use]
    pub fn fingerprint(&self, name: &str) -> Option<u64> {
        let inner = self.inner.lock();
        match inner.current.get(name) {
            Some(cell) => Some(cell.fingerprint),
            None => inner.base_crates.get(name).map(|c| c.fingerprint),
        }
    }

    /// Enters a cell, so that it is found by address, and by name if `current`:
    /// its exports then go before older ones.
    pub fn enter(&self, cell: &Arc<Loaded>) {
        let mut inner = self.inner.lock();
        inner.by_number.insert(cell.number, Arc::downgrade(cell));
        drop(inner);
        if !ranges::enter(cell) {
            log::error!(
                "{}: too many cells are loaded to find it by address",
                cell.name
            );
        }
    }

    /// Makes `cell` the current one of its name. Gives the former one, which the
    /// caller drops or keeps for a rollback.
    pub fn make_current(&self, cell: &Arc<Loaded>) -> Option<Arc<Loaded>> {
        let mut inner = self.inner.lock();
        for (name, address) in &cell.exports {
            inner.exports.insert(*name, (*address, cell.number));
        }
        inner.current.insert(cell.name.clone(), Arc::clone(cell))
    }

    /// Forgets which cell is the current one of this name; what was is given to
    /// the caller. Its exports stay until it is dropped.
    pub fn forget(&self, name: &str) -> Option<Arc<Loaded>> {
        self.inner.lock().current.remove(name)
    }

    /// Enters a crate without code in the version that a set brought.
    pub fn enter_crate(&self, krate: BaseCrate) -> Option<BaseCrate> {
        self.inner
            .lock()
            .base_crates
            .insert(krate.name.clone(), krate)
    }

    /// Forgets a crate without code.
    pub fn forget_crate(&self, name: &str) {
        let krate = self.inner.lock().base_crates.remove(name);
        drop(krate);
    }

    /// The current cell of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Arc<Loaded>> {
        self.inner.lock().current.get(name).cloned()
    }

    /// The cell of this number, if it is still loaded.
    #[must_use]
    pub fn by_number(&self, number: usize) -> Option<Arc<Loaded>> {
        self.inner.lock().by_number.get(&number)?.upgrade()
    }

    /// The cell whose memory covers `address`. None, too, while a fault in the middle of
    /// such a look is seen to, on the same CPU: what it looked at is damaged.
    #[must_use]
    pub fn by_address(&self, address: usize) -> Option<Arc<Loaded>> {
        ranges::find(address)
    }

    /// All current cells, by name.
    #[must_use]
    pub fn cells(&self) -> Vec<Arc<Loaded>> {
        self.inner.lock().current.values().cloned().collect()
    }

    /// All cells, older generations included, by number: each after those it
    /// imports from.
    fn all(&self) -> Vec<Arc<Loaded>> {
        let inner = self.inner.lock();
        inner.by_number.values().filter_map(Weak::upgrade).collect()
        // Whoever is dropped by the caller finds the lock free.
    }

    /// The names of the cells that import from any generation of `name`, sorted.
    #[must_use]
    pub fn dependents(&self, name: &str) -> Vec<String> {
        let uses = |cell: &&Arc<Loaded>| cell.dependencies.iter().any(|d| d.name == name);
        let all = self.all();
        let mut names: Vec<String> = all.iter().filter(uses).map(|c| c.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The order in which `name` and all that import from it, directly or not,
    /// can be unloaded: users before what they use, later loaded ones first.
    /// Counts current generations.
    #[must_use]
    pub fn unloading_order(&self, name: &str) -> Vec<String> {
        let mut taken: Vec<Arc<Loaded>> = Vec::new();
        let mut cells = self.cells();
        cells.sort_unstable_by_key(|cell| cell.number);
        for cell in cells {
            let uses_taken = |d: &Arc<Loaded>| taken.iter().any(|t| t.number == d.number);
            if cell.name == name || cell.dependencies.iter().any(uses_taken) {
                taken.push(cell);
            }
        }
        taken.iter().rev().map(|cell| cell.name.clone()).collect()
    }

    /// The crates of the boot image.
    #[must_use]
    pub fn base_crates(&self) -> Vec<BaseCrate> {
        self.inner.lock().base_crates.values().cloned().collect()
    }

    /// How many cells are loaded, older generations included.
    #[must_use]
    pub fn loaded(&self) -> usize {
        self.inner.lock().by_number.len()
    }

    /// What lies at `address`, for reports.
    #[must_use]
    pub fn describe(&self, address: usize) -> Option<Place> {
        if let Some(cell) = self.by_address(address) {
            let (function, start) = cell
                .function(address)
                .unwrap_or(("?".to_string(), cell.start));
            return Some(place(
                &cell.name,
                cell.generation,
                &function,
                address - start,
            ));
        }
        let inner = self.inner.lock_unless_mine()?;
        let symbol = inner.base.as_ref()?.covering(address as u64)?;
        Some(place(
            "nano_core",
            1,
            symbol.name,
            address - symbol.address as usize,
        ))
    }
}

fn place(cell: &str, generation: u64, function: &str, offset: usize) -> Place {
    let function = alloc::format!("{:#}", rustc_demangle::demangle(function));
    Place {
        cell: cell.to_string(),
        generation,
        function,
        offset,
    }
}
