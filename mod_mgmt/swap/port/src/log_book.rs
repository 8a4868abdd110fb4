//! What was swapped when, why, and how long callers waited.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use sync::SpinLock;

/// Why a cell was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Someone asked for it.
    Asked,
    /// A new version was pushed.
    Pushed,
    /// An earlier version was asked for.
    Rollback,
    /// It had faulted.
    Fault,
    /// It had faulted again: the last good version takes its place.
    LastGood,
    /// It faulted in probation: the former one is back.
    Probation,
}

impl Reason {
    /// A phrase for people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Reason::Asked => "asked for",
            Reason::Pushed => "pushed",
            Reason::Rollback => "rolled back",
            Reason::Fault => "after a fault",
            Reason::LastGood => "last good version after another fault",
            Reason::Probation => "back after a fault in probation",
        }
    }
}

/// A cell of a swap: what ran from then on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    /// Its name.
    pub name: String,
    /// Its package's version.
    pub version: String,
    /// Its generation; 0 if it was never loaded.
    pub generation: u64,
    /// The start of its object's digest.
    pub object: u64,
    /// Which push brought that object; 0 for the boot.
    pub push: u64,
}

/// Where the time of a swap went (ns), beside loading. The first two pass with all
/// doors open, the others are the pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Steps {
    /// Handing over beside calls, where states can be shared.
    pub ahead: u64,
    /// Waiting for a moment at which nobody is inside.
    pub lull: u64,
    /// From the first close until the last call had left.
    pub drain: u64,
    /// Handing over with the doors closed.
    pub hand_over: u64,
    /// Making the new providers the current ones.
    pub flip: u64,
    /// Opening the doors and waking who waits there.
    pub open: u64,
}

/// One swap.
#[derive(Clone, Debug)]
pub struct Record {
    /// When (ns since boot).
    pub at: u64,
    /// The cells, in the order they were born.
    pub cells: Vec<Ran>,
    /// Why.
    pub reason: Reason,
    /// Which revision was pushed, as the archive says; empty when it does not.
    pub label: String,
    /// From the first close to the last open (ns), with the wait for tasks that move;
    /// zero for cells without state.
    pub pause: u64,
    /// Loading and linking before that (ns).
    pub load: u64,
    /// The parts of the pause, and what came before it.
    pub steps: Steps,
    /// Why it was undone; empty for success.
    pub failure: String,
}

impl Record {
    /// The names of the cells.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.cells.iter().map(|c| c.name.as_str()).collect();
        names.join(" ")
    }
}

/// Swaps and faults of a cell.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    swaps: u64,
    faults: u64,
}

const KEEP: usize = 1000;

static BOOK: SpinLock<Vec<Record>> = SpinLock::new(Vec::new());
static TALLIES: SpinLock<BTreeMap<String, Tally>> = SpinLock::new(BTreeMap::new());

/// Enters a swap. The oldest entries go when there are many.
pub fn note(record: Record) {
    if record.failure.is_empty() {
        let mut tallies = TALLIES.lock();
        for cell in &record.cells {
            tallies.entry(cell.name.clone()).or_default().swaps += 1;
        }
    }
    let mut book = BOOK.lock();
    let old: Vec<Record> = match book.len() {
        KEEP.. => book.drain(..KEEP / 2).collect(),
        _ => Vec::new(),
    };
    book.push(record);
    drop(book);
    drop(old);
}

/// Counts a fault of `cell`.
pub fn note_fault(cell: &str) {
    TALLIES.lock().entry(String::from(cell)).or_default().faults += 1;
}

/// Swaps and faults of `cell` since boot.
#[must_use]
pub fn tally(cell: &str) -> (u64, u64) {
    let tally = TALLIES.lock().get(cell).copied().unwrap_or_default();
    (tally.swaps, tally.faults)
}

/// The latest swaps, oldest first.
#[must_use]
pub fn history() -> Vec<Record> {
    BOOK.lock().clone()
}
