//! Commits that are acknowledged before they are durable.

use crate::flush::flush;
use crate::state::{WalState, state};
use crate::{Durability, Lsn, WalError};
use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicU64, Ordering};
use sync::SpinLock;

/// What [`Durability::Second`] promises.
const SECOND: u64 = 1_000_000_000;
/// Commits within so many nanoseconds are remembered as one.
const TOGETHER: u64 = 50_000_000;

/// Commits acknowledged and perhaps not durable yet.
#[derive(Debug, Default)]
pub struct Lazy {
    /// Where the last of them ends.
    end: AtomicU64,
    /// Groups of them, oldest first: when the first one came, where the last ends.
    groups: SpinLock<VecDeque<(u64, u64)>>,
}

impl Lazy {
    /// Notes a commit that ends at `lsn`.
    fn note(&self, lsn: u64, now: u64, flushed: u64) {
        self.end.fetch_max(lsn, Ordering::SeqCst);
        let mut groups = self.groups.lock();
        while groups.front().is_some_and(|g| g.1 <= flushed) {
            groups.pop_front();
        }
        match groups.back_mut() {
            Some(last) if now < last.0.saturating_add(TOGETHER) => last.1 = last.1.max(lsn),
            _ => groups.push_back((now, lsn)),
        }
    }

    /// The end of the oldest group that came before `moment` and is not durable.
    fn overdue(&self, moment: u64, flushed: u64) -> Option<u64> {
        let groups = self.groups.lock();
        let open = groups.iter().find(|g| g.1 > flushed)?;
        (open.0 <= moment).then_some(open.1)
    }

    /// Forgets all: the log starts anew.
    pub(crate) fn reset(&self) {
        self.end.store(0, Ordering::SeqCst);
        self.groups.lock().clear();
    }
}

/// Waits until a commit whose record ends at `lsn` may be acknowledged.
///
/// # Errors
/// As [`flush`], and when the log has failed: what it takes now is lost.
pub fn settle(lsn: Lsn, durability: Durability) -> Result<(), WalError> {
    if durability == Durability::Flushed {
        // Who is about to commit as well comes along with this flush, instead of
        // waiting for its end and for another one.
        task_port::yield_now();
        return flush(lsn);
    }
    let state = state()?;
    state.check()?;
    let flushed = || state.flushed.load(Ordering::SeqCst);
    // Before anybody sees the commit: see `is_durable_so_far`.
    state.lazy.note(lsn.0, task_port::now(), flushed());
    if durability == Durability::Second {
        let moment = || task_port::now().saturating_sub(SECOND);
        while let Some(end) = state.lazy.overdue(moment(), flushed()) {
            flush(Lsn(end))?;
        }
    }
    Ok(())
}

/// Whether every commit that anybody can see is durable. What is written without
/// the log, hints, may tell of commits only then: a power cut would leave the
/// hint and take the commit.
#[inline]
#[must_use]
pub fn is_durable_so_far() -> bool {
    let durable =
        |s: &WalState| s.lazy.end.load(Ordering::SeqCst) <= s.flushed.load(Ordering::SeqCst);
    crate::state::STATE.get().is_none_or(durable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_commit_that_is_not_durable_counts() {
        let lazy = Lazy::default();
        lazy.note(100, 0, 0);
        lazy.note(200, TOGETHER - 1, 0);
        lazy.note(300, TOGETHER, 0);
        assert_eq!(lazy.overdue(0, 0), Some(200));
        assert_eq!(lazy.overdue(TOGETHER - 1, 200), None);
        assert_eq!(lazy.overdue(TOGETHER, 200), Some(300));
        assert_eq!(lazy.overdue(u64::MAX, 300), None);
        // Groups that are durable are forgotten.
        lazy.note(400, 3 * TOGETHER, 300);
        assert_eq!(lazy.groups.lock().len(), 1);
        lazy.reset();
        assert_eq!(lazy.overdue(u64::MAX, 0), None);
    }
}
