//! Where things lie, below the workspace's root.

use std::path::{Path, PathBuf};

/// The places the tool reads and writes.
#[derive(Clone, Debug)]
pub struct Paths {
    root: PathBuf,
    /// What all revisions share.
    target: PathBuf,
    /// What was built from this one.
    build: PathBuf,
}

impl Paths {
    /// The workspace this tool was built from, unless `MITOS_ROOT` names
    /// another.
    pub fn new() -> Self {
        let root = std::env::var_os("MITOS_ROOT").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
            PathBuf::from,
        );
        Self::at(root)
    }

    /// Another workspace.
    pub fn at(root: PathBuf) -> Self {
        let root = root.canonicalize().unwrap_or(root);
        let target = root.join("target");
        Self {
            build: target.clone(),
            root,
            target,
        }
    }

    /// Another revision of this workspace, checked out in a folder of its own. It
    /// shares the toolchain, the keys, the cache and the running systems; what is
    /// compiled from it has a place of its own, so that neither makes the other's
    /// out of date.
    #[must_use]
    pub fn revision(&self) -> Self {
        let build = self.target.join("upgrade");
        Self {
            root: build.join("tree"),
            target: self.target.clone(),
            build,
        }
    }

    /// The workspace's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Everything generated, but for what belongs to one revision.
    pub fn target(&self) -> PathBuf {
        self.target.clone()
    }

    /// Cargo's target directory for cells.
    pub fn cells(&self) -> PathBuf {
        self.build.join("cells")
    }

    /// The finished image.
    pub fn image(&self) -> PathBuf {
        self.build.join("image")
    }

    /// Results that are found by what they were made from.
    pub fn cache(&self) -> PathBuf {
        self.target.join("image/cache")
    }

    /// The boot image.
    pub fn nano_core(&self) -> PathBuf {
        self.image().join("nano_core.elf")
    }

    /// The cell archive.
    pub fn archive(&self) -> PathBuf {
        self.image().join("mitos.img")
    }

    /// Where running systems leave their sockets and process ids.
    pub fn run(&self) -> PathBuf {
        self.target().join("run")
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a file whole or not at all, and only when its content changes.
/// Returns true when it was written.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> std::io::Result<bool> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)?;
    Ok(true)
}
