//! How long transactions took, from the logs that pgbench writes of each
//! (`--log`): client, transaction, time in microseconds, script, end (seconds,
//! microseconds of the epoch). A failed one has a word in place of its time.

use std::path::Path;

use anyhow::Result;

use crate::bench::report::Row;

/// Transactions that ended well.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    /// Microseconds, in no order.
    times: Vec<u64>,
}

impl Latencies {
    /// Adds the log of one thread of pgbench.
    pub(super) fn read(&mut self, log: &Path) -> Result<()> {
        let text = std::fs::read_to_string(log)?;
        self.times.extend(text.lines().filter_map(time));
        Ok(())
    }

    /// Adds those of another run.
    pub(super) fn add(&mut self, other: &Self) {
        self.times.extend(&other.times);
    }

    /// How many there are: each was acknowledged.
    pub(super) fn count(&self) -> u64 {
        self.times.len() as u64
    }

    /// Rows with percentiles, in milliseconds.
    pub(super) fn rows(&self, of: &str) -> Vec<Row> {
        let mut sorted = self.times.clone();
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

fn time(line: &str) -> Option<u64> {
    line.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_times_are_read() {
        assert_eq!(time("3 17 5123 0 1699902315 902700"), Some(5123));
        assert_eq!(time("3 18 serialization 0 1699902315 902700"), None);
        assert_eq!(time("3 18"), None);
    }

    #[test]
    fn percentiles() {
        let times = (1..=1000).map(|ms| ms * 1000).collect();
        let rows = Latencies { times }.rows("x");
        let values: Vec<Option<f64>> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [500.0, 990.0, 999.0, 1000.0].map(Some));
        assert_eq!(Latencies::default().rows("x")[0].value, None);
    }
}
