//! Why a cell was refused. Every variant names the check that failed.

use alloc::string::String;
use cell_archive::ArchiveError;
use cell_object::ObjectError;
use core::fmt;

/// Why a cell was not loaded. The system runs on as if nothing had happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The archive that holds it is damaged or not signed by us.
    Archive(ArchiveError),
    /// The archive has no cell of that name.
    NotFound(String),
    /// The object's bytes are not those that were signed.
    Digest(String),
    /// The object is damaged, or something that it imports is missing.
    Object(ObjectError),
    /// The boot image lacks something.
    BootImage(&'static str),
    /// The cell was compiled against another version of a port or library.
    Fingerprint {
        /// The cell.
        cell: String,
        /// The port or library.
        interface: String,
    },
    /// No memory for it.
    OutOfMemory,
    /// It has no descriptor (`pub static CELL`), but one was asked for.
    NoDescriptor(String),
    /// Others still depend on it.
    InUse(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Archive(error) => write!(f, "{error}"),
            LoadError::NotFound(name) => write!(f, "there is no cell `{name}` in the archive"),
            LoadError::Digest(name) => {
                write!(f, "{name}: the object is not the one that was signed")
            }
            LoadError::Object(error) => write!(f, "{error}"),
            LoadError::BootImage(what) => write!(f, "the boot image has no {what}"),
            LoadError::Fingerprint { cell, interface } => write!(
                f,
                "{cell} was compiled against another version of {interface}; swap every cell that uses {interface} as one set"
            ),
            LoadError::OutOfMemory => f.write_str("not enough memory for the cell"),
            LoadError::NoDescriptor(name) => write!(f, "{name} has no cell descriptor"),
            LoadError::InUse(name) => write!(f, "{name} is still in use"),
        }
    }
}

impl From<ArchiveError> for LoadError {
    fn from(error: ArchiveError) -> Self {
        LoadError::Archive(error)
    }
}

impl From<ObjectError> for LoadError {
    fn from(error: ObjectError) -> Self {
        LoadError::Object(error)
    }
}

impl From<memory::OutOfMemory> for LoadError {
    fn from(_: memory::OutOfMemory) -> Self {
        LoadError::OutOfMemory
    }
}
