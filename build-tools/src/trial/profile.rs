//! Which blocks of the cells' code the load executes, so that damage to code goes
//! where it is met: a system of its own runs under QEMU's plugin for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Wishes;
use super::boot_with_config;
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
const OFTEN: u64 = 200;

/// Offsets of blocks in their cells' code, by cell.
#[derive(Debug, Default)]
pub(super) struct Hot(BTreeMap<String, Vec<u32>>);

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
        tellers.finish(&mut book)?;
        askers.finish(&mut book)?;
        Self::sort(&guest, &executed)
    }

    /// Gives each block to its cell.
    fn sort(guest: &Guest, executed: &[(u64, u64)]) -> Result<Self> {
        let mut hot = BTreeMap::new();
        for cell in guest.cells()? {
            let Ok(said) = guest.shell(&format!("inject {cell} code 0")) else {
                continue;
            };
            let (start, len) = read_place(&said).context("no place of code")?;
            let within = |address: u64| {
                let offset = address.checked_sub(start)?;
                u32::try_from(offset).ok().filter(|_| offset < len)
            };
            let often = executed.iter().filter(|(_, count)| *count >= OFTEN);
            let mut blocks: Vec<u32> = often.filter_map(|(at, _)| within(*at)).collect();
            blocks.sort_unstable();
            if !blocks.is_empty() {
                hot.insert(cell, blocks);
            }
        }
        let count: usize = hot.values().map(Vec::len).sum();
        eprintln!(
            "{:>10} {count} blocks of {} cells run",
            "Profiled",
            hot.len()
        );
        Ok(Self(hot))
    }

    /// A block of the cell's code that runs, if the kind damages code and one is
    /// known.
    pub(super) fn pick(&self, cell: &str, kind: &str, random: &mut Random) -> Option<u32> {
        let blocks = self.0.get(cell)?;
        matches!(kind, "text" | "skip").then(|| *random.pick(blocks))
    }
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
    fn places_are_read() {
        assert_eq!(read_place("0xff00 16\n"), Some((0xff00, 16)));
        assert_eq!(read_place("nothing"), None);
    }
}
