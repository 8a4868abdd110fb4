//! What a cell says of itself, and its birth.

use crate::{Component, Door, HandoverError, Port, State, SwapError};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A door by way of the static that its port crate keeps: `pub static DOOR: &dyn
/// Door = &PORT`.
pub type DoorRef = &'static &'static dyn Door;

/// A cell's own description: `pub static CELL` in its crate root, found by the
/// loader through its symbol.
pub struct Cell {
    /// The crate's name, which is the folder's and the port's.
    pub name: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// The doors it stands behind. References to the port crates' statics, so
    /// that the doors' own code is the port crates': a swap runs it after this
    /// cell is gone.
    pub provides: &'static [DoorRef],
    /// Builds the providers, with the state of their predecessors if there are
    /// any, and stages them. Nothing outside sees them before the flip.
    pub birth: fn(&mut Birth<'_>) -> Result<(), BirthError>,
}

/// The loaded code of a cell; dropping the last reference unloads it.
pub trait CellCode: Send + Sync {
    /// The crate's name.
    fn name(&self) -> &str;
    /// The crate's version.
    fn version(&self) -> &str;
    /// Bytes of memory the code and data take.
    fn size(&self) -> usize;
}

/// Keeps a cell's code loaded. Cheap to clone.
#[derive(Clone)]
pub struct CellRef(pub Arc<dyn CellCode>);

impl core::fmt::Debug for CellRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.0.name(), self.0.version())
    }
}

/// Code that is linked in for good: on the host, and in the boot image.
struct Linked(&'static Cell);

impl CellCode for Linked {
    fn name(&self) -> &str {
        self.0.name
    }
    fn version(&self) -> &str {
        self.0.version
    }
    fn size(&self) -> usize {
        0
    }
}

/// The boot options: `key=value` words.
#[derive(Clone, Debug, Default)]
pub struct Options(BTreeMap<String, String>);

impl Options {
    /// Parses `key=value` words separated by blanks. A word without `=` has the
    /// value `true`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let split = |word: &str| match word.split_once('=') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (word.to_owned(), "true".to_owned()),
        };
        Options(text.split_whitespace().map(split).collect())
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The value of `key` as a number of bytes: digits with an optional K, M or
    /// G.
    #[must_use]
    pub fn bytes(&self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        let (digits, shift) = match value.as_bytes().last()? {
            b'K' | b'k' => (&value[..value.len() - 1], 10),
            b'M' | b'm' => (&value[..value.len() - 1], 20),
            b'G' | b'g' => (&value[..value.len() - 1], 30),
            _ => (value, 0),
        };
        digits.parse::<u64>().ok()?.checked_mul(1 << shift)
    }

    /// The value of `key` as a number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }
}

/// Why a cell could not be born.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BirthError {
    /// The inherited state was not taken.
    Handover(HandoverError),
    /// Something it needs is missing; a sentence for people.
    Missing(String),
    /// A step of putting it in place failed.
    Swap(SwapError),
}

impl From<HandoverError> for BirthError {
    fn from(error: HandoverError) -> Self {
        BirthError::Handover(error)
    }
}

impl core::fmt::Display for BirthError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BirthError::Handover(HandoverError::Schema { offered }) => {
                write!(
                    f,
                    "the inherited state has schema {offered}, which this version does not take over"
                )
            }
            BirthError::Handover(HandoverError::Missing) => {
                f.write_str("the state to inherit is missing")
            }
            BirthError::Handover(HandoverError::Busy) => {
                f.write_str("the state cannot be taken now")
            }
            BirthError::Missing(what) => f.write_str(what),
            BirthError::Swap(error) => write!(f, "{error}"),
        }
    }
}

/// What a cell gets at its birth, and where it leaves its providers.
pub struct Birth<'a> {
    cell: CellRef,
    options: &'a Options,
    states: Vec<(&'static str, State)>,
    staged: Vec<&'static dyn Door>,
}

impl<'a> Birth<'a> {
    /// A birth of `cell` that inherits `states`, each with its port's name.
    #[must_use]
    pub fn new(cell: CellRef, options: &'a Options, states: Vec<(&'static str, State)>) -> Self {
        Birth {
            cell,
            options,
            states,
            staged: Vec::new(),
        }
    }

    /// The boot options.
    #[must_use]
    pub fn options(&self) -> &'a Options {
        self.options
    }

    /// The state its predecessor behind `door` left, if there was one.
    pub fn inherit(&mut self, door: &dyn Door) -> Option<State> {
        let at = self
            .states
            .iter()
            .position(|(name, _)| *name == door.name())?;
        Some(self.states.swap_remove(at).1)
    }

    /// Leaves the provider for `port`.
    pub fn provide<T: ?Sized + Component>(&mut self, port: &'static Port<T>, provider: Box<T>) {
        port.stage(provider, self.cell.clone());
        self.note_staged(port);
    }

    /// Adds a door behind which a provider was left.
    pub(crate) fn note_staged(&mut self, door: &'static dyn Door) {
        self.staged.push(door);
    }

    /// A reference that keeps the code of the cell being born loaded, for
    /// objects of its own that outlive a call.
    #[must_use]
    pub fn keep_alive(&self) -> CellRef {
        self.cell.clone()
    }

    /// The doors that have a staged provider now.
    #[must_use]
    pub fn staged(&self) -> &[&'static dyn Door] {
        &self.staged
    }
}

/// Starts a linked-in cell behind ports that are empty: on the host, and for
/// cells of the boot image.
///
/// # Errors
/// When the cell refuses to be born or its ports are taken.
pub fn start(cell: &'static Cell, options: &Options) -> Result<(), BirthError> {
    let mut birth = Birth::new(CellRef(Arc::new(Linked(cell))), options, Vec::new());
    let born = (cell.birth)(&mut birth);
    let started = born.and_then(|()| birth.staged.iter().try_for_each(|door| bring_up(*door)));
    if started.is_err() {
        birth.staged.iter().for_each(|door| door.unstage());
    }
    started
}

fn bring_up(door: &dyn Door) -> Result<(), BirthError> {
    door.flip().map_err(BirthError::Swap)?;
    door.open();
    // Nobody is inside a predecessor unless this is a restart in a test.
    door.retire(task_port::now() + 1_000_000_000)
        .map_err(BirthError::Swap)
}
