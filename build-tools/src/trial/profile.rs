//! Which blocks of the cells' code the load executes, so that damage to code goes
//! where it is met: a system of its own runs under QEMU's plugin for a while.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Wishes;
use super::boot_with_config;
use super::choice::aims;
use super::clients::{Clients, Work};
use super::random::Random;
use super::site::{Bench, PATIENCE};
use crate::bench::guest::{Guest, folder};
use crate::bench::profile::{self, Counts};
use crate::paths::Paths;
use crate::qemu::Accel;

/// How long the load runs.
const SECONDS: u64 = 12;
/// A block that ran less often than this in that time may not run during a fault.
const OFTEN: u64 = 25 * SECONDS;

/// Instructions that run often, by cell: where each of them lies in the cell's code.
#[derive(Debug, Default)]
pub(super) struct Hot(BTreeMap<String, Vec<Range<u32>>>);

impl Hot {
    /// Runs the load and counts.
    pub(super) fn find(paths: &Paths, wishes: &Wishes, bench: &mut Bench) -> Result<Self> {
        let (disk, answers) = bench.prepared()?;
        let file = folder(paths)?.join(format!("hot-{}.counts", std::process::id()));
        let plugin = profile::plugin(paths)?;
        let guest = boot_with_config(paths, wishes, disk, |config| {
            config.accel = Accel::Tcg;
            config.append.push("faults=inject".into());
            config.qemu_args.push("-plugin".into());
            let plugin = format!("{},out={}", plugin.display(), file.display());
            config.qemu_args.push(plugin);
        })?;
        let counts = Counts::open(file.clone())?;
        // Only the open file is needed from here on.
        std::fs::remove_file(&file)?;
        let mut book = super::book::Book::default();
        let work = Work::Transfer {
            scale: wishes.scale,
        };
        let count = wishes.clients as usize;
        let tellers = Clients::start(guest.port(), count, work, wishes.seed, &mut book);
        let askers = Clients::ask(guest.port(), 2, &answers, wishes.seed);
        // Everyone is past his first statements.
        let _ = tellers.advance(3, 3 * PATIENCE);
        let before = counts.snapshot()?;
        std::thread::sleep(Duration::from_secs(SECONDS));
        let executed = counts.snapshot()?.executed_since(&before);
        let lengths = counts.lengths()?;
        tellers.finish(&mut book)?;
        askers.finish(&mut book)?;
        Self::sort(&guest, &often(&executed, &lengths))
    }

    /// Gives each instruction to its cell.
    fn sort(guest: &Guest, often: &[Range<u64>]) -> Result<Self> {
        let mut hot = BTreeMap::new();
        for cell in guest.cells()? {
            let Ok(said) = guest.shell(&format!("inject {cell} code 0")) else {
                continue;
            };
            let (start, len) = read_place(&said).context("no place of code")?;
            let within = |instruction: &Range<u64>| {
                let offset = |address: u64| u32::try_from(address.checked_sub(start)?).ok();
                let fits = instruction.end <= start + len;
                let at = offset(instruction.start)?..offset(instruction.end)?;
                fits.then_some(at)
            };
            let mut inside: Vec<Range<u32>> = often.iter().filter_map(within).collect();
            inside.sort_unstable_by_key(|at| at.start);
            inside.dedup();
            if !inside.is_empty() {
                hot.insert(cell, inside);
            }
        }
        let count: usize = hot.values().map(Vec::len).sum();
        eprintln!(
            "{:>10} {count} instructions of {} cells run often",
            "Profiled",
            hot.len()
        );
        Ok(Self(hot))
    }

    /// An instruction of the cell's code that runs, if the kind is one that looks for
    /// its place there and one is known.
    pub(super) fn pick(&self, cell: &str, kind: &str, random: &mut Random) -> Option<Range<u32>> {
        let instructions = self.0.get(cell)?;
        aims(kind).then(|| random.pick(instructions).clone())
    }
}

/// The instructions of blocks that ran often, as addresses.
fn often(executed: &[(u64, u64)], lengths: &HashMap<u64, (u8, Vec<u8>)>) -> Vec<Range<u64>> {
    let mut found = Vec::new();
    for (block, instructions) in executed {
        let Some((count, lengths)) = lengths.get(block) else {
            continue;
        };
        if instructions / u64::from(*count).max(1) < OFTEN {
            continue;
        }
        let mut at = *block;
        for length in lengths {
            let end = at + u64::from(*length);
            found.push(at..end);
            at = end;
        }
    }
    found
}

/// `0xADDRESS LENGTH`.
fn read_place(said: &str) -> Option<(u64, u64)> {
    let (start, len) = said.trim().split_once(' ')?;
    let start = u64::from_str_radix(start.strip_prefix("0x")?, 16).ok()?;
    Some((start, len.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_blocks_that_run_often_are_found() {
        let lengths = [(100, (2, vec![3, 5])), (200, (1, vec![1]))].into();
        let executed = [(100, 2 * OFTEN), (200, OFTEN - 1), (300, OFTEN)];
        assert_eq!(often(&executed, &lengths), [100..103, 103..108]);
    }

    #[test]
    fn places_are_read() {
        assert_eq!(read_place("0xff00 16\n"), Some((0xff00, 16)));
        assert_eq!(read_place("nothing"), None);
    }
}
