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
    /// It had faulted.
    Fault,
    /// It faulted in probation: the former one is back.
    Probation,
}

/// One swap.
#[derive(Clone, Debug)]
pub struct Record {
    /// When (ns since boot).
    pub at: u64,
    /// The cells, in the order they were born.
    pub cells: Vec<String>,
    /// Why.
    pub reason: Reason,
    /// From the first close to the last open (ns); zero for cells without state.
    pub pause: u64,
    /// Loading and linking before that (ns).
    pub load: u64,
    /// What came of it; empty for success.
    pub failure: String,
}

/// Swaps and faults of a cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) swaps: u64,
    pub(crate) faults: u64,
}

const KEEP: usize = 1000;

static BOOK: SpinLock<Vec<Record>> = SpinLock::new(Vec::new());
static TALLIES: SpinLock<BTreeMap<String, Tally>> = SpinLock::new(BTreeMap::new());

#[cfg_attr(not(mitos), allow(dead_code))]
pub(crate) fn note(record: Record) {
    if record.failure.is_empty() {
        let mut tallies = TALLIES.lock();
        for cell in &record.cells {
            tallies.entry(cell.clone()).or_default().swaps += 1;
        }
    }
    let mut book = BOOK.lock();
    if book.len() >= KEEP {
        book.drain(..KEEP / 2);
    }
    book.push(record);
}

#[cfg_attr(not(mitos), allow(dead_code))]
pub(crate) fn note_fault(cell: &str) {
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
