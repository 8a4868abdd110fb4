//! The crates of the system and how they depend on each other, from
//! `cargo metadata`.
//!
//! Only *normal* dependencies count: build scripts and procedural macros run
//! on the host. Whether an optional dependency is really on is decided by what
//! cargo builds, not here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::paths::Paths;
use crate::run::output;
use crate::toolchain::{TARGET, Toolchain, cargo};

/// Members that are not part of the system itself.
const HOST_ONLY: [&str; 2] = ["build-tools", "tests"];

/// Identifies a package, as cargo does.
pub type PackageId = String;

/// One package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Cargo's id.
    pub id: PackageId,
    /// The package's name, as `-p` wants it.
    pub name: String,
    /// The library's crate name (underscores).
    pub krate: String,
    /// Its version.
    pub version: String,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// True for workspace members that become part of the system.
    pub is_member: bool,
    /// Packages it depends on, sorted.
    pub dependencies: BTreeSet<PackageId>,
}

impl Package {
    /// True for a crate through which cells are called.
    pub fn is_port(&self) -> bool {
        self.is_member && self.krate.ends_with("_port")
    }
}

/// The packages reachable from the system's members.
pub struct Graph {
    /// All of them.
    pub packages: BTreeMap<PackageId, Package>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
    workspace_members: Vec<PackageId>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct RawPackage {
    id: PackageId,
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<RawTarget>,
}

#[derive(Deserialize)]
struct RawTarget {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: PackageId,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: PackageId,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Graph {
    /// Asks cargo, for the target and the flags that cells are built with.
    pub fn load(paths: &Paths, toolchain: &Toolchain) -> Result<Self> {
        let json = output(
            cargo(paths)
                .args([
                    "metadata",
                    "--format-version=1",
                    "--filter-platform",
                    TARGET,
                ])
                .env("CARGO_ENCODED_RUSTFLAGS", toolchain.encoded_flags()),
        )?;
        let metadata: Metadata =
            serde_json::from_slice(&json).context("cannot read cargo's metadata")?;
        Ok(Self::build(paths, metadata))
    }

    fn build(paths: &Paths, metadata: Metadata) -> Self {
        let members: BTreeSet<PackageId> = metadata.workspace_members.into_iter().collect();
        let mut packages = BTreeMap::new();
        for raw in metadata.packages {
            let library = raw.targets.iter().find(|target| {
                target
                    .kind
                    .iter()
                    .any(|kind| kind == "lib" || kind == "rlib")
            });
            // Procedural macros and programs are no part of the system.
            let Some(library) = library else { continue };
            let folder = raw
                .manifest_path
                .parent()
                .unwrap_or(&raw.manifest_path)
                .to_path_buf();
            let place = folder.strip_prefix(paths.root()).unwrap_or(&folder);
            let is_host = HOST_ONLY.iter().any(|host| place.starts_with(host));
            packages.insert(
                raw.id.clone(),
                Package {
                    krate: library.name.replace('-', "_"),
                    is_member: members.contains(&raw.id) && !is_host,
                    id: raw.id,
                    name: raw.name,
                    version: raw.version,
                    folder,
                    dependencies: BTreeSet::new(),
                },
            );
        }
        for node in metadata.resolve.nodes {
            let normal = node
                .deps
                .into_iter()
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            let targets: BTreeSet<_> = normal
                .map(|dependency| dependency.pkg)
                .filter(|id| packages.contains_key(id))
                .collect();
            if let Some(package) = packages.get_mut(&node.id) {
                package.dependencies = targets;
            }
        }
        let mut graph = Self { packages };
        let roots: Vec<_> = graph.members().map(|package| package.id.clone()).collect();
        let reachable = graph.closure(roots.iter());
        graph.packages.retain(|id, _| reachable.contains(id));
        graph
    }

    /// The workspace's members that are part of the system.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.is_member)
    }

    /// The member of this crate or package name.
    pub fn member(&self, name: &str) -> Option<&Package> {
        self.members()
            .find(|package| package.name == name || package.krate == name)
    }

    /// These packages and everything they depend on.
    pub fn closure<'a>(&self, roots: impl Iterator<Item = &'a PackageId>) -> BTreeSet<PackageId> {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<&PackageId> = roots.collect::<Vec<_>>();
        while let Some(id) = waiting.pop() {
            let Some(package) = self.packages.get(id) else {
                continue;
            };
            if found.insert(package.id.clone()) {
                waiting.extend(&package.dependencies);
            }
        }
        found
    }

    /// All packages, each after those it depends on.
    pub fn in_order(&self) -> Vec<&Package> {
        let mut order = Vec::new();
        let mut placed = BTreeSet::new();
        for package in self.packages.values() {
            self.place(package, &mut placed, &mut order);
        }
        order
    }

    fn place<'a>(
        &'a self,
        package: &'a Package,
        placed: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a Package>,
    ) {
        if !placed.insert(&package.id) {
            return;
        }
        for dependency in package
            .dependencies
            .iter()
            .filter_map(|id| self.packages.get(id))
        {
            self.place(dependency, placed, order);
        }
        order.push(package);
    }
}
