//! Guest instructions for a round trip and for a transaction, and the functions
//! they are executed in. Counted by a plugin of QEMU's translator on one CPU, so
//! the figures hardly depend on what else the host does.
//!
//! A figure is the slope between a short and a long run, so what a run costs by
//! itself (connecting, preparing) is not in it; what the idle system does in the
//! same time is subtracted.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Wishes;
use super::echo::{self, Echo};
use super::guest::{Disk, Guest, folder};
use super::pgbench;
use super::profile::{self, Counts};
use super::report::Row;
use super::sql;
use crate::paths::Paths;
use crate::qemu::Accel;

/// Cells listed for a profile.
const CELLS: usize = 12;
/// After a run, until what it left to do is done.
const SETTLE: Duration = Duration::from_millis(200);

/// Name, arguments of `pgbench`, length of the short and the long run.
const LOADS: &[(&str, &[&str], u32, u32)] = &[
    ("select", &["-S"], 200, 1200),
    ("select, prepared", &["-S", "-M", "prepared"], 200, 1200),
    ("TPC-B", &[], 50, 350),
    ("TPC-B, prepared", &["-M", "prepared"], 50, 350),
    ("connect and select", &["-C", "-S"], 5, 35),
];

/// What filling `pgbench`'s tables consists of: name, the letter of its step.
const STEPS: &[(&str, &str)] = &[
    ("load, COPY, each row", "g"),
    ("load, vacuum, each row", "v"),
    ("load, primary key, each row", "p"),
];
/// Rows of the tables at scale 1.
const ROWS: u32 = 100_000;
/// Reads all of them.
const SCAN: &str = "select sum(abalance), count(*) from pgbench_accounts";

/// A guest whose instructions are counted.
struct Counted {
    guest: Guest,
    counts: Counts,
    /// What it executes each second when it has nothing to do.
    idle: f64,
}

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let file = folder(paths)?.join(format!("insns-{}.counts", std::process::id()));
    let plugin = profile::plugin(paths)?;
    let guest = Guest::boot(paths, Disk::empty(paths)?, |config| {
        config.accel = Accel::Tcg;
        config.cpus = 1;
        config.append.push(echo::OPTION.into());
        config.qemu_args.push("-plugin".into());
        let plugin = format!("{},out={}", plugin.display(), file.display());
        config.qemu_args.push(plugin);
    })?;
    let counts = Counts::open(file.clone())?;
    // Only the open file is needed from here on.
    std::fs::remove_file(&file)?;
    let boot = counts.total()? as f64;
    let mut counted = Counted {
        guest,
        counts,
        idle: 0.0,
    };
    counted.idle = counted.at_rest()?;
    let mut rows = vec![
        Row::one("boot", boot, "instructions"),
        Row::one("at rest, each second", counted.idle, "instructions"),
    ];
    rows.extend(counted.places(wishes, "at rest", 2, |seconds| {
        std::thread::sleep(Duration::from_secs(seconds.into()));
        Ok(())
    })?);
    rows.extend(counted.echo(wishes)?);
    rows.extend(counted.sql(wishes)?);
    Ok(rows)
}

impl Counted {
    fn at_rest(&self) -> Result<f64> {
        let mut rates = Vec::new();
        for _ in 0..3 {
            let (before, started) = (self.counts.total()?, Instant::now());
            std::thread::sleep(Duration::from_secs(2));
            let executed = self.counts.total()? - before;
            rates.push(executed as f64 / started.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        Ok(rates[1])
    }

    /// Instructions of a run, less what the idle system does meanwhile.
    fn count(&self, run: impl FnOnce() -> Result<()>) -> Result<f64> {
        let (before, started) = (self.counts.total()?, Instant::now());
        run()?;
        std::thread::sleep(SETTLE);
        let executed = (self.counts.total()? - before) as f64;
        Ok(executed - self.idle * started.elapsed().as_secs_f64())
    }

    /// Instructions for each of the operations that a long run has more than a
    /// short one, several times.
    fn slope(
        &self,
        wishes: &Wishes,
        (short, long): (u32, u32),
        run: impl Fn(u32) -> Result<()>,
    ) -> Result<Vec<f64>> {
        run(long)?;
        let mut slopes = Vec::new();
        for _ in 0..wishes.repeat {
            let (few, many) = (self.count(|| run(short))?, self.count(|| run(long))?);
            slopes.push((many - few) / f64::from(long - short));
        }
        Ok(slopes)
    }

    /// Where a run of `count` operations executes its instructions, with what it
    /// costs to start it.
    fn places(
        &self,
        wishes: &Wishes,
        name: &str,
        count: u32,
        run: impl Fn(u32) -> Result<()>,
    ) -> Result<Vec<Row>> {
        let before = self.counts.snapshot()?;
        run(count)?;
        let after = self.counts.snapshot()?;
        let spots = after.since(&before, f64::from(count), &self.guest);
        let row = |spot: &profile::Spot| {
            let title = format!("  {} in {}", short(name), spot.place);
            Row::one(title, spot.executed, "instructions")
        };
        let cells = profile::by_cell(&spots);
        let cells = cells.iter().take(CELLS).map(row);
        Ok(cells
            .chain(spots.iter().take(wishes.spots).map(row))
            .collect())
    }

    fn echo(&self, wishes: &Wishes) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for bytes in [1, 100, 4000] {
            let mut echo = Echo::connect(self.guest.echo())?;
            let run = std::cell::RefCell::new(&mut echo);
            let run = |count| {
                let mut echo = run.borrow_mut();
                (0..count).try_for_each(|_| echo.round_trip(bytes))
            };
            let name = format!("TCP round trip, {bytes} bytes");
            let slopes = self.slope(wishes, (200, 2000), run)?;
            rows.push(Row::median(name.clone(), slopes, "instructions"));
            if bytes == 100 {
                rows.extend(self.places(wishes, &name, 2000, run)?);
            }
        }
        Ok(rows)
    }

    fn sql(&self, wishes: &Wishes) -> Result<Vec<Row>> {
        let port = self.guest.port();
        let mut rows = Vec::new();
        let filled = match sql::missing(port) {
            // The smallest tables: time is not what counts here.
            None => self
                .fill(wishes)
                .map(|found| rows = found)
                .map_err(|error| format!("no tables: {error:#}")),
            Some(why) => Err(why),
        };
        for (name, arguments, short, long) in LOADS {
            if let Err(why) = &filled {
                rows.push(Row::missing(*name, why));
                continue;
            }
            let run = |count| pgbench::transactions(port, arguments, count);
            match self.slope(wishes, (*short, *long), run) {
                Ok(slopes) => {
                    rows.push(Row::median(*name, slopes, "instructions"));
                    rows.extend(self.places(wishes, name, *long, run)?);
                }
                Err(error) => rows.push(Row::missing(*name, format!("{error:#}"))),
            }
        }
        Ok(rows)
    }
}

impl Counted {
    /// Makes the tables of `pgbench` step by step, and reads the largest.
    fn fill(&self, wishes: &Wishes) -> Result<Vec<Row>> {
        let port = self.guest.port();
        pgbench::steps(port, 1, "dt")?;
        let mut rows = Vec::new();
        for (name, step) in STEPS {
            let run = || pgbench::steps(port, 1, step);
            let executed = std::cell::Cell::new(0.0);
            let counted = |_| {
                executed.set(self.count(run)?);
                Ok(())
            };
            let places = self.places(wishes, name, ROWS, counted)?;
            let each = executed.get() / f64::from(ROWS);
            rows.push(Row::one(*name, each, "instructions"));
            rows.extend(places);
        }
        let scan = |count: u32| {
            let mut session = sql::Session::connect(port, SETTLE * 100)?;
            for _ in 0..count {
                session.query(SCAN)?;
            }
            Ok(())
        };
        let name = "scan and sum, each row";
        let slopes = self.slope(wishes, (1, 4), scan)?;
        let each = slopes.iter().map(|s| s / f64::from(ROWS)).collect();
        rows.push(Row::median(name, each, "instructions"));
        let places = self.places(wishes, name, ROWS, |_| scan(1))?;
        rows.extend(places);
        Ok(rows)
    }
}

/// A name's first words, for the rows below it.
fn short(name: &str) -> &str {
    name.split_once(", 1").map_or(name, |(short, _)| short)
}
