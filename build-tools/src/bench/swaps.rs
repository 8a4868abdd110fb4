//! The pause of each cell's swap, under load, with the usual buffer pool and with
//! one ten times as large.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Wishes;
use super::echo::{self, Load};
use super::guest::{Disk, Guest};
use super::pgbench;
use super::report::Row;
use super::sql;
use crate::paths::Paths;

/// How often each cell is swapped, for each `--repeat`.
const SWAPS: usize = 4;
/// The load: connections, and bytes of a message.
const CLIENTS: usize = 4;
const BYTES: usize = 100;
/// Traffic goes on between two swaps for so long at most.
const SETTLE: Duration = Duration::from_secs(2);
/// Cells that take no part: one is there to refuse, the other runs only where
/// faults are injected.
const APART: &[&str] = &["counter_faulty", "fault_injection"];
/// Clients of `pgbench -S`, where SQL is served.
const SQL_CLIENTS: u32 = 4;

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let mut rows = counted(paths)?;
    for buffers in ["64M", "640M"] {
        let guest = Guest::boot(paths, Disk::empty(paths)?, |config| {
            config.memory = "2G".into();
            config.append.push(format!("buffers={buffers}"));
            config.append.push(echo::OPTION.into());
        })?;
        rows.extend(one_pool(&guest, wishes, buffers)?);
    }
    Ok(rows)
}

/// The cells that can be swapped.
pub(crate) fn cells(guest: &Guest) -> Result<Vec<String>> {
    let mut cells = guest.cells()?;
    cells.retain(|cell| !APART.contains(&cell.as_str()));
    Ok(cells)
}

/// Without load, in thousands of instructions: what must be executed, without
/// the translation of new code, which takes most of the time under TCG. Cells
/// without a pause are one row.
fn counted(paths: &Paths) -> Result<Vec<Row>> {
    let guest = Guest::boot(paths, Disk::empty(paths)?, |config| {
        config.count_instructions = true;
    })?;
    let (mut rows, mut without) = (Vec::new(), Vec::new());
    for cell in cells(&guest)? {
        let title = format!("swap of {cell}, pause, idle");
        let answers: Result<Vec<String>> = (0..SWAPS)
            .map(|_| guest.shell(&format!("swap {cell}")))
            .collect();
        match answers {
            Ok(answers) => {
                let pauses: Vec<f64> = answers.iter().filter_map(|a| pause(a)).collect();
                if pauses.iter().all(|pause| *pause == 0.0) {
                    without.push(cell);
                } else {
                    rows.push(Row::median(title, pauses, "1000 instr."));
                }
            }
            Err(error) => rows.push(Row::missing(title, format!("{error:#}"))),
        }
    }
    let count = without.len() as f64;
    rows.push(Row::one("cells swapped without a pause", count, "cells").note(without.join(" ")));
    Ok(rows)
}

fn one_pool(guest: &Guest, wishes: &Wishes, buffers: &str) -> Result<Vec<Row>> {
    let swaps = SWAPS * wishes.repeat;
    let cells = cells(guest)?;
    let sql = match sql::missing(guest.port()) {
        None => pgbench::fill(guest.port(), wishes.scale).map_err(|e| format!("{e:#}")),
        Some(why) => Err(why),
    };
    // Longer than the swaps take; ended when they are done.
    let queries = match &sql {
        Ok(_) => Some(pgbench::background(guest.port(), SQL_CLIENTS)?),
        Err(_) => None,
    };
    let under = match &sql {
        Ok(_) => format!("{CLIENTS} echo clients, pgbench -S with {SQL_CLIENTS}"),
        Err(why) => format!("{CLIENTS} echo clients only: {why}"),
    };
    let load = Load::start(guest.echo(), CLIENTS, BYTES);
    wait_for_traffic(&load);
    let mut rows = Vec::new();
    let title = |cells: &str| match cells.contains(' ') {
        true => format!("swap of all pg cells as one, pause, buffers={buffers}"),
        false => format!("swap of {cells}, pause, buffers={buffers}"),
    };
    let (mut worst, mut longest) = (0.0_f64, 0.0_f64);
    // Last, everything of the database at once: what stands in for a restart.
    let database: Vec<&str> = cells
        .iter()
        .map(String::as_str)
        .filter(|c| c.starts_with("pg_"))
        .collect();
    let together = database.join(" ");
    for cell in cells.iter().chain([&together]) {
        load.take_longest();
        let taken = pauses(guest, cell, swaps, &load);
        longest = longest.max(load.take_longest());
        let row = match taken {
            // Already said by `counted`.
            Ok(pauses) if pauses.iter().all(|pause| *pause == 0.0) => continue,
            Ok(pauses) => {
                worst = pauses.iter().copied().fold(worst, f64::max);
                Row::median(title(cell), pauses, "us")
            }
            Err(error) => Row::missing(title(cell), format!("{error:#}")),
        };
        rows.push(row);
    }
    load.end().context("an echo connection did not live on")?;
    drop(queries);
    rows.push(Row::one(format!("longest pause, buffers={buffers}"), worst, "us").note(&under));
    rows.push(
        Row::one(
            format!("longest echo round trip meanwhile, buffers={buffers}"),
            longest,
            "ms",
        )
        .note(under),
    );
    Ok(rows)
}

/// The pauses of some swaps of one cell, in microseconds.
fn pauses(guest: &Guest, cell: &str, swaps: usize, load: &Load) -> Result<Vec<f64>> {
    let mut pauses = Vec::new();
    for _ in 0..swaps {
        let answer = guest.shell(&format!("swap {cell}"))?;
        pauses.push(pause(&answer).context("the answer to `swap` names no pause")?);
        wait_for_traffic(load);
    }
    Ok(pauses)
}

/// Each swap happens with traffic before and after it.
fn wait_for_traffic(load: &Load) {
    let (before, deadline) = (load.count(), Instant::now() + SETTLE);
    while load.count() < before + CLIENTS as u64 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// `swapped NAME: pause N us, load N us`.
pub(crate) fn pause(answer: &str) -> Option<f64> {
    let (_, rest) = answer.split_once("pause ")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_read() {
        assert_eq!(
            pause("swapped net: pause 37 us, load 1200 us\n"),
            Some(37.0)
        );
        assert_eq!(pause("not swapped"), None);
    }
}
