//! When connections want attention without a packet.
//!
//! A connection's deadline moves with every packet, mostly later. So an entry
//! is left where it is when the deadline moves later, and looked at again when
//! it comes up; only an earlier deadline moves it. An exchange of a request
//! and an answer then touches no timer at all.

use alloc::collections::BTreeSet;

/// Entries by time, at most one per connection.
#[derive(Debug, Default)]
pub struct Timers(BTreeSet<(i64, u32)>);

impl Timers {
    /// Makes sure that `who`, whose entry is `entry`, comes up at `at` (µs) or
    /// before. Updates `entry`.
    pub fn at_latest(&mut self, who: u32, entry: &mut Option<i64>, at: i64) {
        match *entry {
            Some(earlier) if earlier <= at => return,
            Some(later) => {
                self.0.remove(&(later, who));
            }
            None => {}
        }
        self.0.insert((at, who));
        *entry = Some(at);
    }

    /// Takes the entry of `who` out.
    pub fn forget(&mut self, who: u32, entry: &mut Option<i64>) {
        if let Some(at) = entry.take() {
            self.0.remove(&(at, who));
        }
    }

    /// The earliest entry, if it is due at `now` (µs), taken out.
    pub fn pop_due(&mut self, now: i64) -> Option<u32> {
        let first = *self.0.first()?;
        (first.0 <= now).then(|| {
            self.0.remove(&first);
            first.1
        })
    }

    /// The time of the earliest entry.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.0.first().map(|e| e.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_moves_only_to_an_earlier_time() {
        let mut timers = Timers::default();
        let (mut a, mut b) = (None, None);
        timers.at_latest(1, &mut a, 100);
        timers.at_latest(1, &mut a, 200);
        assert_eq!((a, timers.first()), (Some(100), Some(100)));
        timers.at_latest(1, &mut a, 50);
        timers.at_latest(2, &mut b, 70);
        assert_eq!(timers.pop_due(49), None);
        assert_eq!(timers.pop_due(60), Some(1));
        assert_eq!(timers.pop_due(60), None);
        timers.forget(2, &mut b);
        assert_eq!(timers.first(), None);
    }
}
