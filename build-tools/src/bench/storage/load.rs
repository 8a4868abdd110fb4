//! Sessions that do one thing again and again, and time it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::bench::report::Row;
use crate::bench::sql::{Session, SqlError};

/// What one round may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Percentiles in the table.
const SHARES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("max", 1.0),
];

/// Numbers that need be no better than this: Marsaglia's xorshift64, 2003.
pub(super) struct Dice(u64);

impl Dice {
    /// A number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// How long each round took, in microseconds, in order of length.
pub(super) struct Load(Vec<u64>);

impl Load {
    /// Lets `clients` sessions do this for `length`.
    pub(super) fn run(
        port: u16,
        clients: usize,
        length: Duration,
        round: impl Fn(&mut Session, &mut Dice) -> Result<(), SqlError> + Copy + Send + 'static,
    ) -> Result<Self> {
        let client = move |number: usize| -> Result<Vec<u64>, SqlError> {
            let mut session = Session::connect(port, LIMIT)?;
            let mut dice = Dice(0x9e37_79b9 + number as u64);
            let (began, mut times) = (Instant::now(), Vec::new());
            while began.elapsed() < length {
                session.allow(LIMIT);
                let start = Instant::now();
                round(&mut session, &mut dice)?;
                times.push(start.elapsed().as_micros() as u64);
            }
            Ok(times)
        };
        let threads: Vec<_> = (0..clients)
            .map(|number| std::thread::spawn(move || client(number)))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        if all.is_empty() {
            bail!("nothing was done in time");
        }
        all.sort_unstable();
        Ok(Self(all))
    }

    /// How many rounds there were.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The percentiles as rows, in milliseconds.
    pub(super) fn rows(&self, name: &str, note: &str) -> Vec<Row> {
        let percentile = |share: f64| {
            let at = (self.0.len() as f64 * share).ceil() as usize;
            self.0[at.clamp(1, self.0.len()) - 1] as f64 / 1e3
        };
        let row = |(of, share): &(&str, f64)| {
            let mut row = Row::one(format!("{name}, {of}"), percentile(*share), "ms");
            row.samples = self.0.len();
            row.note(format!("of {} {note}", self.0.len()).trim_end())
        };
        SHARES.iter().map(row).collect()
    }
}

/// Does something once in a session of its own.
pub(super) fn once(
    port: u16,
    limit: Duration,
    work: impl FnOnce(&mut Session) -> Result<(), SqlError>,
) -> Result<()> {
    Ok(work(&mut Session::connect(port, limit)?)?)
}

/// One transaction of TPC-B, as pgbench has it, in one message.
pub(super) fn transfer(session: &mut Session, dice: &mut Dice, scale: u64) -> Result<(), SqlError> {
    let (account, teller) = (dice.below(100_000 * scale) + 1, dice.below(10 * scale) + 1);
    let (branch, delta) = (dice.below(scale) + 1, dice.below(10_001) as i64 - 5000);
    let text = format!(
        "begin; \
         update pgbench_accounts set abalance = abalance + {delta} where aid = {account}; \
         select abalance from pgbench_accounts where aid = {account}; \
         update pgbench_tellers set tbalance = tbalance + {delta} where tid = {teller}; \
         update pgbench_branches set bbalance = bbalance + {delta} where bid = {branch}; \
         insert into pgbench_history (tid, bid, aid, delta, mtime) \
         values ({teller}, {branch}, {account}, {delta}, current_timestamp); \
         end"
    );
    session.query(&text).map(drop)
}

/// A session that runs a text again and again until it is stopped.
pub(super) struct Again {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), SqlError>>,
}

impl Again {
    pub(super) fn start(port: u16, text: &'static str) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&count));
        let thread = std::thread::spawn(move || {
            let mut session = Session::connect(port, LIMIT)?;
            let counted: Arc<AtomicU64> = counted;
            while !told.load(Ordering::SeqCst) {
                session.allow(LIMIT);
                session.query(text)?;
                counted.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
        Self {
            stop,
            count,
            thread,
        }
    }

    /// Ends it; how often the text was run.
    pub(super) fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread
            .join()
            .map_err(|_| anyhow!("a session panicked"))??;
        Ok(self.count.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_rounds() {
        let load = Load((1..=10_000).map(|ms| ms * 1000).collect());
        let rows = load.rows("x", "");
        let values: Vec<Option<f64>> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [5000.0, 9900.0, 9990.0, 9999.0, 10_000.0].map(Some));
    }
}
