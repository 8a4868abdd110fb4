//! Where things lie, below the workspace's root.

use std::path::{Path, PathBuf};

/// The places the tool reads and writes.
#[derive(Clone, Debug)]
pub struct Paths {
    root: PathBuf,
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
        Self {
            root: root.canonicalize().unwrap_or(root),
        }
    }

    /// The workspace's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Everything generated.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Cargo's target directory for cells.
    pub fn cells(&self) -> PathBuf {
        self.target().join("cells")
    }

    /// The finished image.
    pub fn image(&self) -> PathBuf {
        self.target().join("image")
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
