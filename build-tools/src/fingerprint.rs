//! Interface fingerprints: 64 bits that name what a cell was compiled against.
//!
//! A crate's fingerprint covers its sources, its manifest, the compiler, and
//! the fingerprints of the workspace crates it depends on; an external crate
//! counts with its name and version. Comments, layout, what is not compiled
//! into the system (`absent.rs`), the bodies
//! of functions that are compiled once (`bodies.rs`), and what nothing mentions with which
//! others are compiled (`private.rs`) do not count; apart from these
//! it is deliberately coarse: a private type changes it, a changed type can never
//! escape it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cell_archive::UseKind;
use cell_archive::write::NewUse;

use crate::absent::places;
use crate::graph::{Graph, Package, PackageId};
use crate::tokens::{of_crate, parse};
use crate::toolchain::Toolchain;

/// The fingerprints of all packages.
pub struct Fingerprints {
    of: BTreeMap<PackageId, u64>,
}

impl Fingerprints {
    /// Reads the sources of every member.
    pub fn compute(graph: &Graph, toolchain: &Toolchain) -> Result<Self> {
        let mut of = BTreeMap::new();
        for package in graph.in_order() {
            let mut text = format!(
                "{}\n{}\n{}\n",
                toolchain.version, package.name, package.version
            )
            .into_bytes();
            if package.is_member {
                add_sources(&package.folder, &mut text)
                    .with_context(|| package.folder.display().to_string())?;
            }
            for dependency in &package.dependencies {
                let known: u64 = of.get(dependency).copied().unwrap_or_default();
                text.extend_from_slice(&known.to_le_bytes());
            }
            let digest = cell_archive::digest(&text);
            let mut short = [0; 8];
            short.copy_from_slice(&digest[..8]);
            // 0 means "none" in the archive.
            of.insert(package.id.clone(), u64::from_le_bytes(short).max(1));
        }
        Ok(Self { of })
    }

    /// The fingerprint others must agree on: ports and libraries have one,
    /// cells with a port do not.
    pub fn own(&self, package: &Package) -> u64 {
        if package.is_member && !has_port(package) {
            self.of.get(&package.id).copied().unwrap_or_default()
        } else {
            0
        }
    }

    /// The members a package was compiled against, direct or not, by name.
    pub fn uses(&self, graph: &Graph, package: &Package) -> Vec<NewUse> {
        let mut uses: Vec<NewUse> = graph
            .closure(package.dependencies.iter())
            .iter()
            .filter_map(|id| graph.packages.get(id))
            .filter(|used| used.is_member)
            .map(|used| NewUse {
                name: used.krate.clone(),
                kind: if used.is_port() {
                    UseKind::Port
                } else {
                    UseKind::Library
                },
                fingerprint: self.own(used),
            })
            .filter(|used| used.fingerprint != 0)
            .collect();
        uses.sort_by(|a, b| a.name.cmp(&b.name));
        uses
    }
}

/// True for a cell that is called through the port beside it.
pub fn has_port(package: &Package) -> bool {
    package.folder.join("port/Cargo.toml").exists()
}

fn add_sources(folder: &Path, text: &mut Vec<u8>) -> Result<()> {
    let mut files = vec![folder.join("Cargo.toml")];
    list(&folder.join("src"), &mut files)?;
    files.sort();
    let (mut absent, mut sources, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let mut content = std::fs::read(&file)?;
        if file.extension().is_some_and(|end| end == "rs") {
            let (tokens, modules) = parse(&String::from_utf8(content)?)
                .with_context(|| format!("{} is not Rust", file.display()))?;
            absent.extend(modules.iter().flat_map(|module| places(&file, module)));
            sources.push((file, tokens));
            continue;
        }
        if file.ends_with("Cargo.toml") {
            content = manifest(&String::from_utf8_lossy(&content)).into_bytes();
        }
        others.push((file, content));
    }
    let is_there = |file: &Path| !absent.iter().any(|place| file.starts_with(place));
    sources.retain(|(file, _)| is_there(file));
    others.retain(|(file, _)| is_there(file));
    let (names, sources): (Vec<PathBuf>, Vec<_>) = sources.into_iter().unzip();
    let sources = of_crate(sources).into_iter().map(String::into_bytes);
    for (file, content) in names.into_iter().zip(sources).chain(others) {
        let name = file.strip_prefix(folder).unwrap_or(&file);
        text.extend_from_slice(name.to_string_lossy().as_bytes());
        text.extend_from_slice(&(content.len() as u64).to_le_bytes());
        text.extend_from_slice(&content);
    }
    Ok(())
}

/// A manifest without what only tests need.
fn manifest(text: &str) -> String {
    let mut is_for_tests = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.starts_with('[') {
            is_for_tests = line.starts_with("[dev-dependencies");
        }
        if !is_for_tests && !line.is_empty() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::manifest;

    #[test]
    fn what_only_tests_need_does_not_count() {
        let text = "[package]\nname = \"a\"\n\n[dev-dependencies]\nb = \"1\"\n\n[lints]\nc = 1\n";
        assert_eq!(manifest(text), "[package]\nname = \"a\"\n[lints]\nc = 1\n");
    }
}
