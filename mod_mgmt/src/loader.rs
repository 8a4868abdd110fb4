//! Loads a cell from the archive: checks, places, links, protects, enters.
//!
//! Everything happens before anything that runs is touched, so a refused cell
//! costs nothing but time.

use crate::LoadError;
use crate::layout::Layout;
use crate::namespace::{BASE, BaseCrate, Function, Loaded, NAMESPACE};
use crate::object::{Definition, Object};
use crate::relocate::{Import, link};
use crate::scope::Scope;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use cell_archive::{Archive, Entry, EntryKind, SymbolTable};
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
    let key = public_key().ok_or(LoadError::Format("the boot image has no public key"))?;
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
        .ok_or(LoadError::Format("no symbol table"))?;
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
    if entry.kind != EntryKind::Cell {
        return Err(LoadError::NotFound(entry.name.to_string()));
    }
    if !entry.is_intact() {
        return Err(LoadError::Digest(entry.name.to_string()));
    }
    check_fingerprints(entry, scope)?;
    let object = Object::parse(entry.payload)?;
    let layout = Layout::of(&object)?;
    let mut memory = MappedPages::allocate(layout.size)?;
    let start = memory.start();
    let bytes = memory.bytes_mut().ok_or(LoadError::OutOfMemory)?;
    let imports = link(&object, &layout, bytes, start as u64, &|name| {
        scope.resolve(name)
    })?;
    let dependencies = dependencies(&imports)?;
    let memory = protect(memory, &layout);
    let (number, generation) = NAMESPACE.number(entry.name);
    let (functions, names) = functions(&object, &layout);
    let address_of = |section| {
        let section = object.section(section);
        section.map_or(0, |s| start + layout.sections[s])
    };
    let cell = Arc::new(Loaded {
        number,
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        fingerprint: entry.fingerprint,
        object: object_number(entry),
        generation,
        start,
        size: layout.size,
        eh_frame: address_of(".eh_frame"),
        eh_frame_hdr: address_of(".eh_frame_hdr"),
        functions,
        names,
        exports: exports(&object, &layout, start),
        imports,
        dependencies,
        descriptor: root_static(&object, &layout, entry.name, "4CELL").map(|at| start + at),
        moves: root_static(&object, &layout, entry.name, "5MOVES").map(|at| start + at),
        mutable: has_statics(&object),
        memory,
    });
    NAMESPACE.enter(&cell);
    Ok(cell)
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
            .ok_or_else(|| LoadError::MissingSymbol(format!("cell number {number}")))
    };
    numbers.into_iter().map(find).collect()
}

fn protect(mut execute: MappedPages, layout: &Layout) -> [MappedPages; 3] {
    let mut read = execute.split_off(layout.read_at);
    let write = read.split_off(layout.write_at - layout.read_at);
    execute.protect(Protection::Execute);
    read.protect(Protection::Read);
    [execute, read, write]
}

fn exports(object: &Object<'_>, layout: &Layout, start: usize) -> Vec<(u64, u64)> {
    let exported = object
        .symbols
        .iter()
        .enumerate()
        .filter(|(_, s)| s.exported);
    exported
        .filter_map(|(index, symbol)| {
            let offset = layout.offset_of(object, index)?;
            Some((
                cell_archive::hash_name(symbol.name),
                (start + offset) as u64,
            ))
        })
        .collect()
}

fn functions(object: &Object<'_>, layout: &Layout) -> (Vec<Function>, String) {
    let (mut functions, mut names) = (Vec::new(), String::new());
    for (index, symbol) in object
        .symbols
        .iter()
        .enumerate()
        .filter(|(_, s)| s.function)
    {
        if !matches!(symbol.definition, Definition::Section(..)) {
            continue;
        }
        let Some(offset) = layout.offset_of(object, index) else {
            continue;
        };
        functions.push(Function {
            offset: offset as u32,
            size: symbol.size as u32,
            name: names.len() as u32,
            name_len: symbol.name.len() as u32,
        });
        names.push_str(symbol.name);
    }
    functions.sort_unstable_by_key(|f| f.offset);
    (functions, names)
}

/// Whether it has statics that change. The pointer to the unwinder's personality,
/// which each object with landing pads has in `.data`, is none.
fn has_statics(object: &Object<'_>) -> bool {
    let size = |name| object.section(name).map_or(0, |s| object.sections[s].size);
    let mut symbols = object.symbols.iter();
    let personality = symbols.find(|s| s.name == "DW.ref.rust_eh_personality");
    let personality = personality.map_or(0, |symbol| symbol.size as usize);
    size(".bss") > 0 || size(".data") > personality
}

/// What tells the objects of a name apart: the start of the digest.
#[must_use]
pub fn object_number(entry: &Entry<'_>) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&entry.digest[..8]);
    u64::from_be_bytes(start)
}

/// The offset of a public static of the crate, such as `pub static CELL`, by its
/// v0 symbol: `_RNv`, then the path from the crate's name (with its length) to
/// `ending`, which is the static's name with its length.
fn root_static(object: &Object<'_>, layout: &Layout, name: &str, ending: &str) -> Option<usize> {
    let root = format!("{}{name}", name.len());
    let is_descriptor = |s: &str| {
        s.starts_with("_RNv") && s.ends_with(ending) && s.contains(&root) && !s.contains('$')
    };
    let symbol = object
        .symbols
        .iter()
        .position(|s| s.exported && is_descriptor(s.name))?;
    layout.offset_of(object, symbol)
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
