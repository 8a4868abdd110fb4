//! How much is served and how long clients wait for it: what `cells --watch` shows.
//!
//! An *exchange* is what comes of one message or of several that came together: from
//! the moment at which the first has been read until the answers are handed to the
//! network.

use core::sync::atomic::{AtomicU64, Ordering};

static EXCHANGES: AtomicU64 = AtomicU64::new(0);
static TIME: AtomicU64 = AtomicU64::new(0);
static LONGEST: AtomicU64 = AtomicU64::new(0);

/// What was served since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pulse {
    /// Transactions that have committed.
    pub commits: u64,
    /// Transactions that have not.
    pub rollbacks: u64,
    /// Exchanges that have ended.
    pub exchanges: u64,
    /// What they took together (ns).
    pub time: u64,
    /// What the longest took since this was asked last (ns).
    pub longest: u64,
}

/// An exchange that began at `began` (ns) has ended.
pub(crate) fn note(began: u64) {
    let took = task_port::now().saturating_sub(began);
    EXCHANGES.fetch_add(1, Ordering::Relaxed);
    TIME.fetch_add(took, Ordering::Relaxed);
    LONGEST.fetch_max(took, Ordering::Relaxed);
}

/// What was served since the start.
#[must_use]
pub fn pulse() -> Pulse {
    let (commits, rollbacks) = crate::transactions();
    Pulse {
        commits,
        rollbacks,
        exchanges: EXCHANGES.load(Ordering::Relaxed),
        time: TIME.load(Ordering::Relaxed),
        longest: LONGEST.swap(0, Ordering::Relaxed),
    }
}
