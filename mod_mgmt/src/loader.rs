//! Loads a cell from the archive: checks, places, links, protects, enters.
//!
//! Everything happens before anything that runs is touched, so a refused cell
//! costs nothing but time.

use crate::LoadError;
use crate::namespace::{BASE, BaseCrate, Loaded, NAMESPACE};
use crate::scope::Scope;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use cell_archive::{Archive, Entry, EntryKind, SymbolTable};
use cell_object::{Import, ObjectError, Packed};
use memory::{MappedPages, Protection};

/// The key that cells must be signed with, built into the boot image.
#[must_use]
pub fn public_key() -> Option<[u8; 32]> {
    cell_archive::public_key_from_hex(option_env!("MITOS_PUBLIC_KEY")?)
}

/// Opens an archive and checks its signature.
///
/// # Errors
/// When it is damaged or not signed with our key.
pub fn open(bytes: &[u8]) -> Result<Archive<'_>, LoadError> {
    let archive = Archive::parse(bytes)?;
    let key = public_key().ok_or(LoadError::BootImage("public key"))?;
    archive.verify(&key)?;
    Ok(archive)
}

/// Tells the namespace about the boot image, from the archive it came with.
///
/// # Errors
/// When the archive lacks the symbol table.
pub fn enter_base(archive: &Archive<'static>) -> Result<(), LoadError> {
    let table = archive.entries().find(|e| e.kind == EntryKind::BaseSymbols);
    let table = table
        .and_then(|e| SymbolTable::parse(e.payload))
        .ok_or(LoadError::BootImage("symbol table"))?;
    let crates = archive
        .entries()
        .filter(|e| matches!(e.kind, EntryKind::BaseCrate | EntryKind::CodelessCrate))
        .map(|e| BaseCrate {
            name: e.name.to_string(),
            version: e.version.to_string(),
            fingerprint: e.fingerprint,
        });
    NAMESPACE.set_base(table, crates);
    Ok(())
}

/// Loads the cell in `entry`, without making it current.
///
/// # Errors
/// The check that failed. Nothing is left behind.
pub fn load(entry: &Entry<'_>) -> Result<Arc<Loaded>, LoadError> {
    load_in(entry, &Scope::default())
}

/// As [`load`], for a cell of a set: what the set has brought so far goes before
/// what is current.
///
/// # Errors
/// The check that failed. Nothing is left behind.
pub fn load_in(entry: &Entry<'_>, scope: &Scope) -> Result<Arc<Loaded>, LoadError> {
    prepare(entry, scope).map(Prepared::enter)
}

/// A cell that is linked and protected, and that nobody can find yet: a spare.
#[derive(Debug)]
pub struct Prepared(Loaded);

impl Prepared {
    /// Numbers it and enters it in the namespace.
    #[must_use]
    pub fn enter(self) -> Arc<Loaded> {
        let Prepared(mut cell) = self;
        (cell.number, cell.generation) = NAMESPACE.number(&cell.name);
        let cell = Arc::new(cell);
        NAMESPACE.enter(&cell);
        cell
    }

    /// Whether loading `entry` now would give the same: its object, linked to what
    /// is current.
    #[must_use]
    pub fn is_of(&self, entry: &Entry<'_>) -> bool {
        self.0.object == object_number(entry)
            && self.is_current()
            && check_fingerprints(entry, &Scope::default()).is_ok()
    }

    /// Whether all that it imports from is current.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let current = |d: &Arc<Loaded>| NAMESPACE.find(&d.name).map(|c| c.number);
        self.0
            .dependencies
            .iter()
            .all(|d| current(d) == Some(d.number))
    }

    /// The start of its object's digest.
    #[must_use]
    pub fn object(&self) -> u64 {
        self.0.object
    }

    /// Bytes of memory.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size
    }
}

/// Checks, places and links the cell in `entry`.
///
/// # Errors
/// The check that failed. Nothing is left behind.
pub fn prepare(entry: &Entry<'_>, scope: &Scope) -> Result<Prepared, LoadError> {
    if entry.kind != EntryKind::Cell {
        return Err(LoadError::NotFound(entry.name.to_string()));
    }
    if !entry.is_intact() {
        return Err(LoadError::Digest(entry.name.to_string()));
    }
    check_fingerprints(entry, scope)?;
    let object = Packed::parse(entry.payload)?;
    let mut memory = MappedPages::allocate(object.size())?;
    let start = memory.start();
    let bytes = memory.bytes_mut().ok_or(LoadError::OutOfMemory)?;
    let imports = object.link(bytes, start as u64, &|name| scope.resolve(name))?;
    let dependencies = dependencies(&imports)?;
    let memory = protect(memory, &object);
    let exports = object.exports();
    Ok(Prepared(Loaded {
        // Given when it is entered.
        number: BASE,
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        fingerprint: entry.fingerprint,
        object: object_number(entry),
        generation: 0,
        start,
        size: object.size(),
        eh_frame: object.eh_frame().map_or(0, |at| start + at),
        eh_frame_hdr: object.eh_frame_hdr().map_or(0, |at| start + at),
        names: object.names(),
        exports: exports
            .map(|(name, offset)| (name, (start + offset) as u64))
            .collect(),
        imports,
        dependencies,
        descriptor: object.descriptor().map(|offset| start + offset),
        moves: object.moves().map(|offset| start + offset),
        mutable: object.is_mutable(),
        memory,
    }))
}

/// The ports and libraries it was compiled against must be the loaded ones.
fn check_fingerprints(entry: &Entry<'_>, scope: &Scope) -> Result<(), LoadError> {
    for used in entry.uses() {
        if scope
            .fingerprint(used.name)
            .is_some_and(|loaded| loaded != used.fingerprint)
        {
            return Err(LoadError::Fingerprint {
                cell: entry.name.to_string(),
                interface: used.name.to_string(),
            });
        }
    }
    Ok(())
}

fn dependencies(imports: &[Import]) -> Result<Vec<Arc<Loaded>>, LoadError> {
    let mut numbers: Vec<usize> = imports
        .iter()
        .map(|i| i.exporter)
        .filter(|n| *n != BASE)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    let find = |number| {
        NAMESPACE
            .by_number(number)
            .ok_or_else(|| ObjectError::MissingSymbol(format!("cell number {number}")).into())
    };
    numbers.into_iter().map(find).collect()
}

fn protect(mut execute: MappedPages, object: &Packed<'_>) -> [MappedPages; 3] {
    let mut read = execute.split_off(object.read_at());
    let write = read.split_off(object.write_at() - object.read_at());
    execute.protect(Protection::Execute);
    read.protect(Protection::Read);
    [execute, read, write]
}

/// What tells the objects of a name apart: the start of the digest.
#[must_use]
pub fn object_number(entry: &Entry<'_>) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&entry.digest[..8]);
    u64::from_be_bytes(start)
}

impl Loaded {
    /// The cell's own description. It lives as long as the cell does: hold the
    /// `Arc` while using it.
    #[must_use]
    pub fn cell(&self) -> Option<&'static port::Cell> {
        // SAFETY: the address is that of the static `CELL` of the crate, found by
        // its symbol; its type is `port::Cell`, of which the fingerprint check
        // has seen that both sides mean the same.
        self.descriptor
            .map(|address| unsafe { &*(address as *const port::Cell) })
    }

    /// How the crate moves to a later generation, if it says so.
    #[must_use]
    pub fn moves(&self) -> Option<&'static port::Moves> {
        // SAFETY: as for `cell`: the static `MOVES` of the crate, of the type
        // `port::Moves`.
        self.moves
            .map(|address| unsafe { &*(address as *const port::Moves) })
    }
}
