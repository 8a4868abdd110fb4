//! How long transactions took, from the logs that pgbench writes of each
//! (`--log`): client, transaction, time in microseconds, script, end (seconds,
//! microseconds of the epoch). A failed one has a word in place of its time.

use std::path::Path;

use anyhow::Result;

use crate::bench::report::Row;
use crate::timeline::Done;

/// Transactions that ended well.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    /// In no order; the host's clock since 1970.
    done: Vec<Done>,
}

impl Latencies {
    /// Adds the log of one thread of pgbench.
    pub(super) fn read(&mut self, log: &Path) -> Result<()> {
        let text = std::fs::read_to_string(log)?;
        self.done.extend(text.lines().filter_map(done));
        Ok(())
    }

    /// Adds those of another run.
    pub(super) fn add(&mut self, other: &Self) {
        self.done.extend(&other.done);
    }

    /// How many there are: each was acknowledged.
    pub(super) fn count(&self) -> u64 {
        self.done.len() as u64
    }

    /// Each transaction.
    pub(super) fn done(&self) -> &[Done] {
        &self.done
    }

    /// Rows with percentiles, in milliseconds.
    pub(super) fn rows(&self, of: &str) -> Vec<Row> {
        let mut sorted: Vec<u64> = self.done.iter().map(|done| done.took).collect();
        sorted.sort_unstable();
        let percentile = |share: f64| {
            let at = (sorted.len() as f64 * share).ceil() as usize;
            sorted.get(at.saturating_sub(1)).map(|us| *us as f64 / 1e3)
        };
        let shares = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
        let rows = shares.map(|(name, share)| {
            let title = format!("latency {name}, {of}");
            match percentile(share) {
                Some(ms) => Row::one(title, ms, "ms"),
                None => Row::missing(title, "no transaction ended"),
            }
        });
        rows.into()
    }
}

/// A line of the log, if its transaction ended well.
pub(super) fn done(line: &str) -> Option<Done> {
    let mut words = line.split(' ').skip(2);
    let took = words.next()?.parse().ok()?;
    let seconds: u64 = words.nth(1)?.parse().ok()?;
    let rest: u64 = words.next()?.parse().ok()?;
    let at = seconds.checked_mul(1_000_000)?.checked_add(rest)?;
    Some(Done { at, took })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_times_are_read() {
        let ended = Done {
            at: 1_699_902_315_902_700,
            took: 5123,
        };
        assert_eq!(done("3 17 5123 0 1699902315 902700"), Some(ended));
        assert_eq!(done("3 18 serialization 0 1699902315 902700"), None);
        assert_eq!(done("3 18 5123 0 16999"), None, "half a line");
    }

    #[test]
    fn percentiles() {
        let after = |ms: u64| Done {
            at: 0,
            took: ms * 1000,
        };
        let done = (1..=1000).map(after).collect();
        let rows = Latencies { done }.rows("x");
        let values: Vec<Option<f64>> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [500.0, 990.0, 999.0, 1000.0].map(Some));
        assert_eq!(Latencies::default().rows("x")[0].value, None);
    }
}
