//! The steps from sources to a bootable image, in order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cell_archive::EntryKind;

use crate::base::{self, Base};
use crate::compile::compile;
use crate::fingerprint::Fingerprints;
use crate::graph::{Graph, Package};
use crate::image::{self, Cell};
use crate::keys::Keys;
use crate::object;
use crate::paths::{Paths, write_if_changed};
use crate::progress::Progress;
use crate::toolchain::Toolchain;

/// Everything compiled and linked, before packing.
pub struct Parts {
    /// The boot image.
    pub base: Base,
    /// The crates within it.
    pub base_crates: Vec<Cell>,
    /// The others, in dependency order.
    pub cells: Vec<Cell>,
    /// What signs them.
    pub keys: Keys,
    /// Which revision they are of: what a system's history says of them.
    pub label: String,
    /// How long making them took.
    pub spent: Spent,
}

/// How long the steps took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Finding the crates.
    pub finding: Duration,
    /// Compiling, while the sources are read for fingerprints.
    pub compiling: Duration,
    /// Making objects and packing them.
    pub packing: Duration,
    /// Linking the boot image, which is compared with the one that runs.
    pub linking: Duration,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "crates {:.1}, compiling {:.1}, packing {:.1}, boot image {:.1}",
            self.finding.as_secs_f32(),
            self.compiling.as_secs_f32(),
            self.packing.as_secs_f32(),
            self.linking.as_secs_f32()
        )
    }
}

/// Compiles all crates and links the boot image.
pub fn prepare(paths: &Paths) -> Result<Parts> {
    prepare_with(paths, Keys::load(paths)?, &[])
}

/// The same, signed with keys from elsewhere, and with features of members turned
/// on (`MEMBER/FEATURE`): another version of them.
pub fn prepare_with(paths: &Paths, keys: Keys, features: &[&str]) -> Result<Parts> {
    let mut spent = Spent::default();
    let mut since = Instant::now();
    let mut lap = || std::mem::replace(&mut since, Instant::now()).elapsed();
    let toolchain = Toolchain::prepare(paths)?;
    let graph = Graph::load(paths, &toolchain)?;
    spent.finding = lap();
    // The sources are read while they are compiled.
    let (rlibs, fingerprints) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| Fingerprints::compute(&graph, &toolchain));
        let rlibs = compile(paths, &toolchain, &graph, &keys.public, features);
        (
            rlibs,
            reading.join().expect("reading sources does not panic"),
        )
    });
    let (rlibs, fingerprints) = (rlibs?, fingerprints?);
    spent.compiling = lap();
    let root = graph
        .member("nano_core")
        .context("the workspace has no nano_core")?;
    let in_base = graph.closure([&root.id].into_iter());

    let mut progress = Progress::new("Linking");
    let built: Vec<(&Package, &PathBuf)> = graph
        .in_order()
        .into_iter()
        .filter_map(|package| Some((package, rlibs.get(&package.id)?)))
        .collect();
    let names = unique_names(&built);
    let (inside, outside): (Vec<_>, Vec<_>) = built
        .into_iter()
        .partition(|(package, _)| in_base.contains(&package.id));
    let mut base_rlibs = toolchain.rlibs.clone();
    base_rlibs.extend(inside.iter().map(|(_, rlib)| (*rlib).clone()));
    let as_cell = |package: &Package| Cell {
        name: names[&package.id].clone(),
        version: package.version.clone(),
        fingerprint: fingerprints.own(package),
        uses: fingerprints.uses(&graph, package),
        kind: EntryKind::BaseCrate,
        object: None,
    };
    let base_crates: Vec<Cell> = inside.iter().map(|(package, _)| as_cell(package)).collect();
    progress.update(&format!("{} cells", outside.len()));
    let cells = make_cells(paths, &outside, as_cell)?;
    spent.packing = lap();
    progress.update("nano_core");
    let base = base::link(paths, &base_rlibs)?;
    let cells = image::order(&base, cells)?;
    spent.linking = lap();
    let count = cells.iter().filter(|cell| cell.object.is_some()).count();
    progress.done(&format!(
        "{} crates into the boot image, {count} cells",
        base_crates.len()
    ));
    Ok(Parts {
        base,
        base_crates,
        cells,
        keys,
        label: String::new(),
        spent,
    })
}

/// The objects of the crates outside of the boot image.
fn make_cells(
    paths: &Paths,
    outside: &[(&Package, &PathBuf)],
    as_cell: impl Fn(&Package) -> Cell,
) -> Result<Vec<Cell>> {
    let crates: Vec<(&Path, &str)> = outside
        .iter()
        .map(|(package, rlib)| (rlib.as_path(), package.krate.as_str()))
        .collect();
    let mut cells = Vec::new();
    for ((package, _), object) in outside.iter().zip(object::make_all(paths, &crates)?) {
        let kind = match &object {
            Some(_) => EntryKind::Cell,
            None if package.is_member => EntryKind::CodelessCrate,
            None => continue,
        };
        cells.push(Cell {
            kind,
            object,
            ..as_cell(package)
        });
    }
    Ok(cells)
}

/// Builds the whole image: `target/image/nano_core.elf` and `mitos.img`.
pub fn build(paths: &Paths) -> Result<Parts> {
    let parts = prepare(paths)?;
    write(paths, &parts)?;
    Ok(parts)
}

/// Writes them, ready to be booted.
pub fn write(paths: &Paths, parts: &Parts) -> Result<()> {
    write_if_changed(&paths.nano_core(), &std::fs::read(&parts.base.image)?)?;
    let mut entries = vec![image::base_entry(&parts.base)];
    entries.extend(
        parts
            .base_crates
            .iter()
            .chain(&parts.cells)
            .map(Cell::entry),
    );
    let archive = cell_archive::write::archive(&entries, &parts.keys.secret);
    write_if_changed(&paths.archive(), &archive)?;
    Ok(())
}

/// Crate names; with the version appended where several versions are built.
fn unique_names(built: &[(&Package, &PathBuf)]) -> BTreeMap<String, String> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for (package, _) in built {
        *count.entry(&package.krate).or_default() += 1;
    }
    let name = |package: &Package| match count[package.krate.as_str()] {
        1 => package.krate.clone(),
        _ => format!("{}-{}", package.krate, package.version),
    };
    built
        .iter()
        .map(|(package, _)| (package.id.clone(), name(package)))
        .collect()
}
