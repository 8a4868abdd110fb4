//! Calls, tasks, memory: what the cell `benchmark` finds inside the system,
//! once as instruction counts and once as times.

use std::time::Duration;

use anyhow::{Result, bail};

use super::Wishes;
use super::guest::{Disk, Guest};
use super::report::Row;
use crate::paths::Paths;

const LIMIT: Duration = Duration::from_secs(180);

/// What the lines are called in the table.
const NAMES: &[(&str, &str)] = &[
    ("empty_loop", "loop around what follows (subtracted)"),
    ("plain_call", "call within a cell"),
    ("virtual_call", "call of a trait object within a cell"),
    ("slot_call", "call of another cell's function"),
    ("port_call", "call through a port: enter, call, leave"),
    ("port_call_inside", "further call inside the port"),
    ("gate", "gate without a fault"),
    ("panic_caught", "panic printed and caught at a gate"),
    ("clock", "reading the clock"),
    ("yield_alone", "yield with nobody else ready"),
    ("task_switch", "task switch"),
    ("channel_round_trip", "message and answer between tasks"),
    ("spawn_and_end", "task spawned and ended"),
    ("sleep_1ms_late", "wake-up after the asked time"),
    ("heap_64", "heap, 64 bytes taken and given back"),
    ("heap_1k", "heap, 1 KiB"),
    ("heap_64k", "heap, 64 KiB"),
    ("mapped_page", "page mapped and unmapped"),
    ("copy_8k", "copy of 8 KiB"),
    ("swap_pause_idle", "swap of an idle cell, pause"),
    ("swap_load_idle", "swap of an idle cell, load"),
];
/// Waiting and loading are not instructions of the thing itself.
const TIMES_ONLY: &[&str] = &["sleep_1ms_late"];

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let counts = run(paths, true)?;
    let mut times: Vec<Vec<(String, f64)>> = Vec::new();
    for _ in 0..wishes.repeat.min(3) {
        times.push(run(paths, false)?);
    }
    let mut rows = Vec::new();
    for (key, name) in NAMES {
        let of = |results: &[(String, f64)]| {
            let found = results.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| *value)
        };
        if !TIMES_ONLY.contains(key) {
            rows.push(match of(&counts) {
                Some(value) => Row::one(*name, value, "instructions"),
                None => Row::missing(*name, "the system did not say"),
            });
        }
        let times: Vec<f64> = times.iter().filter_map(|results| of(results)).collect();
        rows.push(Row::median(*name, times, "ns"));
    }
    Ok(rows)
}

fn run(paths: &Paths, counting: bool) -> Result<Vec<(String, f64)>> {
    let mut guest = Guest::start(paths, Disk::empty(paths)?, |config| {
        config.count_instructions = counting;
        config.append.push("bench=all".into());
    })?;
    let console = guest.console_at_end(LIMIT)?;
    let results = parse(&console);
    if results.is_empty() {
        let tail: Vec<&str> = console.lines().rev().take(3).collect();
        bail!("no result; the console's last lines: {tail:?}");
    }
    Ok(results)
}

/// Lines `[benchmark] bench NAME VALUE ns`.
fn parse(console: &str) -> Vec<(String, f64)> {
    let result = |line: &str| {
        let (_, rest) = line.split_once("bench ")?;
        let mut words = rest.split_whitespace();
        let (name, value, unit) = (words.next()?, words.next()?, words.next()?);
        (unit == "ns").then_some(())?;
        Some((name.to_string(), value.parse().ok()?))
    };
    console.lines().filter_map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let console = "mitos: nano_core\n[benchmark] bench plain_call 2.500 ns\n[benchmark] error: bench heap_64 failed: out of memory\n";
        assert_eq!(parse(console), [("plain_call".to_string(), 2.5)]);
    }
}
