//! The objects that cells can be made from: the boot archive, and what was
//! pushed since, newest first.

#![cfg_attr(not(mitos), allow(dead_code))]

use alloc::sync::Arc;
use alloc::vec::Vec;
use cell_archive::{Archive, Entry, EntryKind};
use mod_mgmt::LoadError;
use sync::SpinLock;

/// An archive whose signature was checked.
#[derive(Clone)]
pub(crate) enum Source {
    /// The one the system was booted with.
    Boot(&'static [u8]),
    /// One that was pushed.
    Pushed(Arc<[u8]>),
}

impl Source {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Source::Boot(bytes) => bytes,
            Source::Pushed(bytes) => bytes,
        }
    }

    /// Calls `f` with the entry of the cell `name`.
    pub(crate) fn with_cell<R>(&self, name: &str, f: impl FnOnce(&Entry<'_>) -> R) -> Option<R> {
        let archive = Archive::parse(self.bytes()).ok()?;
        archive.find(EntryKind::Cell, name).map(|entry| f(&entry))
    }
}

static SOURCES: SpinLock<Vec<Source>> = SpinLock::new(Vec::new());

/// Says which archive the system was booted with. Its signature was checked by
/// the boot.
pub fn install_boot_archive(bytes: &'static [u8]) {
    SOURCES.lock().push(Source::Boot(bytes));
}

/// Adds a pushed archive after checking its signature; gives the names of its
/// cells. They run only once they are swapped in.
///
/// # Errors
/// When the archive is damaged or not signed with our key.
#[cfg(mitos)]
pub fn add_archive(bytes: Vec<u8>) -> Result<Vec<alloc::string::String>, LoadError> {
    use alloc::string::ToString;
    let names = {
        let archive = mod_mgmt::loader::open(&bytes)?;
        let cells = archive.entries().filter(|e| e.kind == EntryKind::Cell);
        cells.map(|e| e.name.to_string()).collect()
    };
    SOURCES.lock().push(Source::Pushed(bytes.into()));
    Ok(names)
}

/// The newest source that has the cell `name`.
pub(crate) fn newest(name: &str) -> Result<Source, LoadError> {
    let sources = SOURCES.lock().clone();
    let found = sources
        .into_iter()
        .rev()
        .find(|s| s.with_cell(name, |_| ()).is_some());
    found.ok_or_else(|| LoadError::NotFound(name.into()))
}
