//! Linking the boot image, and the table of its symbols.
//!
//! The boot image is nano_core, everything it depends on, and the toolchain's
//! core, alloc and compiler_builtins *whole*: cells to come may need any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use cell_archive::write::{NewSymbol, symbol_table};
use goblin::elf::Elf;
use goblin::elf::sym::{STB_LOCAL, STT_FILE, STT_FUNC, STT_SECTION, st_bind};

use crate::link::SOURCES;
use crate::link::object::{cache, members};
use crate::paths::{Paths, write_if_changed};
use crate::run::output;

/// The boot image's symbols.
pub struct Base {
    /// Payload of the archive's entry of kind `BaseSymbols`.
    pub table: Vec<u8>,
    /// Names that cells may link to.
    pub linkable: BTreeSet<String>,
    /// The linked ELF file, in the cache.
    pub image: PathBuf,
}

/// Links `rlibs` into the boot image.
pub fn link(paths: &Paths, rlibs: &[PathBuf]) -> Result<Base> {
    let script = paths.root().join("nano_core/linker.ld");
    let mut key = std::fs::read(&script).with_context(|| script.display().to_string())?;
    key.extend_from_slice(SOURCES.as_bytes());
    for rlib in rlibs {
        let content = std::fs::read(rlib).with_context(|| rlib.display().to_string())?;
        key.extend_from_slice(&cell_archive::digest(&content));
    }
    let key = cell_archive::digest(&key);
    let (image, symbols) = (cache(paths, &key, "elf"), cache(paths, &key, "sym"));
    if !image.exists() || !symbols.exists() {
        write_if_changed(&symbols, &link_now(&script, rlibs, &image)?)?;
    }
    let table = std::fs::read(&symbols)?;
    let parsed = cell_archive::SymbolTable::parse(&table).context("unreadable symbol table")?;
    let linkable = parsed
        .iter()
        .filter(|symbol| symbol.is_linkable)
        .map(|symbol| symbol.name.to_string())
        .collect();
    Ok(Base {
        table,
        linkable,
        image,
    })
}

fn link_now(script: &Path, rlibs: &[PathBuf], image: &Path) -> Result<Vec<u8>> {
    let temporary = image.with_extension("elf.tmp");
    let mut command = Command::new("ld");
    command
        .args([
            "-m",
            "elf_x86_64",
            "-static",
            "-nostdlib",
            "-S",
            "--eh-frame-hdr",
        ])
        .args([
            "-z",
            "max-page-size=4096",
            "-z",
            "noexecstack",
            "--no-warn-rwx-segments",
        ])
        .arg("-T")
        .arg(script)
        .arg("-o")
        .arg(&temporary)
        .arg("--whole-archive")
        .args(rlibs);
    output(&mut command).map_err(|error| explain(&error.to_string()))?;
    let mut exported = BTreeSet::new();
    for rlib in rlibs {
        collect_exports(&std::fs::read(rlib)?, &mut exported)?;
    }
    let content = std::fs::read(&temporary)?;
    let table = symbols(&content, &exported)?;
    std::fs::rename(&temporary, image)?;
    Ok(table)
}

/// Shortens what `ld` says: each missing symbol once, then its other errors.
fn explain(said: &str) -> anyhow::Error {
    let mut missing = BTreeSet::new();
    let mut others = Vec::new();
    for line in said.lines() {
        match line.split_once("undefined reference to `") {
            Some((_, name)) => {
                missing.insert(name.trim_end_matches('\''));
            }
            None if line.contains("in function `") || line.contains("more undefined") => {}
            None => others.push(line),
        }
    }
    others.truncate(20);
    let missing: Vec<_> = missing.into_iter().collect();
    anyhow!(
        "cannot link the boot image; undefined: {}\n{}",
        if missing.is_empty() {
            "nothing".into()
        } else {
            missing.join(", ")
        },
        others.join("\n")
    )
}

/// Adds the names that the objects of an rlib define for others. Linking makes
/// hidden ones (compiler_builtins) local, yet cells need them.
fn collect_exports(rlib: &[u8], exported: &mut BTreeSet<String>) -> Result<()> {
    for member in members(rlib)? {
        let elf = Elf::parse(member)?;
        for symbol in &elf.syms {
            if symbol.st_bind() != STB_LOCAL && symbol.st_shndx != 0 {
                let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
                exported.insert(name.to_string());
            }
        }
    }
    Ok(())
}

/// Where the running image lies. What is below is used by the first instructions
/// alone, or is a number that the linker script gives a name.
const HIGHER_HALF: u64 = 0xffff_8000_0000_0000;

fn symbols(image: &[u8], exported: &BTreeSet<String>) -> Result<Vec<u8>> {
    let elf = Elf::parse(image)?;
    let mut found: BTreeMap<(String, u64), NewSymbol> = BTreeMap::new();
    let mut globals = BTreeSet::new();
    for symbol in &elf.syms {
        let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
        let kind = symbol.st_type();
        if symbol.st_shndx == 0 || name.is_empty() || kind == STT_SECTION || kind == STT_FILE {
            continue;
        }
        if symbol.st_value < HIGHER_HALF {
            continue;
        }
        let is_global = st_bind(symbol.st_info) != STB_LOCAL;
        let is_linkable = is_global || exported.contains(name);
        if !is_linkable && kind != STT_FUNC {
            continue;
        }
        if is_global {
            globals.insert(name.to_string());
        }
        let new = NewSymbol {
            name: name.to_string(),
            address: symbol.st_value,
            size: u32::try_from(symbol.st_size).unwrap_or(0),
            is_function: kind == STT_FUNC,
            is_linkable,
        };
        let known = found.entry((new.name.clone(), new.address)).or_insert(new);
        known.is_linkable |= is_linkable;
    }
    let mut symbols: Vec<NewSymbol> = found.into_values().collect();
    settle_namesakes(&mut symbols, &globals);
    match symbol_table(&symbols) {
        Ok(table) => Ok(table),
        Err(collision) => bail!(
            "`{}` and `{}` are two symbols of the boot image with one hash: rename one",
            collision.0,
            collision.1
        ),
    }
}

/// Several linkable symbols of one name: one object's exported function and
/// private ones of others. The global stays linkable, else none does.
fn settle_namesakes(symbols: &mut [NewSymbol], globals: &BTreeSet<String>) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for symbol in symbols.iter().filter(|symbol| symbol.is_linkable) {
        *seen.entry(symbol.name.clone()).or_default() += 1;
    }
    for symbol in symbols {
        if seen.get(&symbol.name).is_some_and(|count| *count > 1) {
            symbol.is_linkable = globals.contains(&symbol.name) && symbol.is_linkable;
        }
    }
}
