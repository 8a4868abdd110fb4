//! What an access to a page in memory waits for with 1, 2, 4 and 8 CPUs: as many
//! sessions each look up rows by an index, thousands in one statement, so that hardly
//! anything but page accesses is done. The system counts how often a CPU found a
//! spinning lock taken. A lock that every access took would show as a figure that
//! grows with the CPUs. Times are left out: the host has fewer CPUs than the guest.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::Wishes;
use super::guest::{Disk, Guest};
use super::pgbench;
use super::report::Row;
use super::sql::Session;
use crate::paths::Paths;

const CPUS: [u32; 4] = [1, 2, 4, 8];
/// Rows that each session looks up.
const ROWS: u32 = 20_000;
/// What one statement may take.
const LIMIT: Duration = Duration::from_secs(600);
/// The tables are small: all of them are in memory.
const SCALE: u32 = 1;

pub(super) fn measure(paths: &Paths, _: &Wishes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut disk = Disk::empty(paths)?;
    for (round, cpus) in CPUS.into_iter().enumerate() {
        let guest = Guest::boot(paths, disk, |config| {
            config.cpus = cpus;
            config.memory = "1G".into();
        })?;
        if round == 0 {
            pgbench::fill(guest.port(), SCALE)?;
        }
        rows.extend(accesses(&guest, cpus)?);
        disk = guest.stop()?;
    }
    Ok(rows)
}

fn accesses(guest: &Guest, cpus: u32) -> Result<Vec<Row>> {
    // Everything is in memory, and hints are set.
    look_up(guest.port(), 1)?;
    let before = counters(guest)?;
    look_up(guest.port(), cpus)?;
    let after = counters(guest)?;
    let [hits, spins, reads] = core::array::from_fn(|at| (after[at] - before[at]) as f64);
    let of = format!("{cpus} CPUs, {cpus} sessions");
    let looked_up = f64::from(ROWS * cpus);
    Ok(vec![
        Row::one(
            format!("looks at taken locks in 1,000 page accesses, {of}"),
            1e3 * spins / hits.max(1.0),
            "",
        )
        .note(format!("of {hits} accesses; {reads} pages were read")),
        Row::one(format!("page accesses a row, {of}"), hits / looked_up, ""),
    ])
}

fn look_up(port: u16, sessions: u32) -> Result<()> {
    let text = format!(
        "select sum((select abalance from pgbench_accounts where aid = g)) \
         from generate_series(1, {ROWS}) g"
    );
    let session = move |text: String| -> Result<()> {
        let mut session = Session::connect(port, LIMIT)?;
        session.query(&text)?;
        Ok(())
    };
    let threads: Vec<_> = (0..sessions)
        .map(|_| {
            let text = text.clone();
            std::thread::spawn(move || session(text))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| anyhow!("a session panicked"))??;
    }
    Ok(())
}

/// Hits, looks at taken locks, pages read.
fn counters(guest: &Guest) -> Result<[u64; 3]> {
    let answer = guest.shell("counters")?;
    let find = |name: &str| -> Result<u64> {
        let mut lines = answer.lines().filter_map(|line| line.split_once(' '));
        let (_, number) = lines
            .find(|(found, _)| *found == name)
            .with_context(|| format!("`counters` does not say `{name}`"))?;
        Ok(number.parse()?)
    };
    Ok([
        find("pool.hits")?,
        find("locks.spins")?,
        find("pool.reads")?,
    ])
}
