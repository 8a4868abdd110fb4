//! Counting guest instructions, and where they are executed: the plugin
//! `bench/insns.c`, compiled when it is needed, and what it writes.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::guest::{Guest, folder};
use crate::paths::Paths;

/// Total and number of blocks.
const HEADER: usize = 16;
/// Address, instructions executed, how many there are, the lengths of the first ones.
const RECORD: usize = 32;
/// Where the instructions are counted in it.
const LENGTHS: usize = 16;
/// Blocks that are looked up by name; the rest is one sum.
const NAMED: usize = 3000;

/// The compiled plugin.
pub(crate) fn plugin(paths: &Paths) -> Result<PathBuf> {
    let source = paths.root().join("bench/insns.c");
    let plugin = folder(paths)?.join("insns.so");
    let status = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&plugin)
        .arg(&source)
        .status()
        .context("cannot run the C compiler; install gcc")?;
    if !status.success() {
        bail!("{} does not compile", source.display());
    }
    Ok(plugin)
}

/// The file that the plugin writes while the guest runs.
pub(crate) struct Counts(File);

/// Instructions by block, at one moment.
pub(crate) struct Snapshot(HashMap<u64, u64>);

/// Instructions executed in one function.
#[derive(Debug)]
pub(super) struct Spot {
    /// Cell and function.
    pub(super) place: String,
    /// Instructions.
    pub(super) executed: f64,
}

impl Counts {
    /// Opens it.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        Ok(Self(File::open(path).context("the plugin's file")?))
    }

    /// All instructions since power-on.
    pub(crate) fn total(&self) -> Result<u64> {
        Ok(self.word(0)?)
    }

    fn word(&self, at: u64) -> std::io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn records(&self) -> Result<Vec<u8>> {
        let blocks = usize::try_from(self.word(8)?)?;
        let mut bytes = vec![0; blocks * RECORD];
        self.0.read_exact_at(&mut bytes, HEADER as u64)?;
        Ok(bytes)
    }

    /// The lengths of the instructions of each block, by its address, of fifteen at
    /// most; and how many it has.
    pub(crate) fn lengths(&self) -> Result<HashMap<u64, (u8, Vec<u8>)>> {
        let bytes = self.records()?;
        let record = |record: &[u8]| -> Option<(u64, (u8, Vec<u8>))> {
            let address = u64::from_le_bytes(*record.first_chunk::<8>()?);
            let (count, lengths) = record.get(LENGTHS..)?.split_first()?;
            let known = usize::from(*count).min(lengths.len());
            Some((address, (*count, lengths[..known].to_vec())))
        };
        Ok(bytes.chunks_exact(RECORD).filter_map(record).collect())
    }

    /// All blocks.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let bytes = self.records()?;
        let record = |record: &[u8]| -> Option<(u64, u64)> {
            let (address, executed) = record.split_first_chunk::<8>()?;
            let executed = executed.first_chunk::<8>()?;
            Some((u64::from_le_bytes(*address), u64::from_le_bytes(*executed)))
        };
        Ok(Snapshot(
            bytes.chunks_exact(RECORD).filter_map(record).collect(),
        ))
    }
}

impl Snapshot {
    /// The blocks that were executed since `before`, with their instructions.
    pub(crate) fn executed_since(&self, before: &Self) -> Vec<(u64, u64)> {
        let since = |(address, now): (&u64, &u64)| {
            let executed = now.saturating_sub(*before.0.get(address).unwrap_or(&0));
            (*address, executed)
        };
        let all = self.0.iter().map(since);
        all.filter(|(_, executed)| *executed > 0).collect()
    }

    /// What was executed in the functions since `before`, most first, for each
    /// of `count` operations. The running system names the addresses.
    pub(super) fn since(&self, before: &Self, count: f64, guest: &Guest) -> Vec<Spot> {
        let mut blocks: Vec<(u64, u64)> = self
            .0
            .iter()
            .map(|(address, now)| (*address, now - before.0.get(address).unwrap_or(&0)))
            .filter(|(_, executed)| *executed > 0)
            .collect();
        blocks.sort_by_key(|(_, executed)| std::cmp::Reverse(*executed));
        let mut spots: HashMap<String, u64> = HashMap::new();
        for (number, (address, executed)) in blocks.iter().enumerate() {
            let place = match number < NAMED {
                true => name(guest, *address),
                false => "elsewhere".to_string(),
            };
            *spots.entry(place).or_default() += executed;
        }
        let spot = |(place, executed)| Spot {
            place,
            executed: executed as f64 / count,
        };
        sorted(spots.into_iter().map(spot).collect())
    }
}

fn sorted(mut spots: Vec<Spot>) -> Vec<Spot> {
    spots.sort_by(|a, b| b.executed.total_cmp(&a.executed));
    spots
}

/// The sums of the cells, most first.
pub(super) fn by_cell(spots: &[Spot]) -> Vec<Spot> {
    let mut sums: HashMap<&str, f64> = HashMap::new();
    for spot in spots {
        let (cell, _) = spot.place.split_once(": ").unwrap_or((&spot.place, ""));
        *sums.entry(cell).or_default() += spot.executed;
    }
    let spot = |(cell, executed): (&str, f64)| Spot {
        place: cell.to_string(),
        executed,
    };
    sorted(sums.into_iter().map(spot).collect())
}

/// Cell and function at an address, without the offset in it.
fn name(guest: &Guest, address: u64) -> String {
    let answer = guest.shell(&format!("where {address:x}"));
    answer.map_or("unknown".into(), |place| without_offset(place.trim()))
}

fn without_offset(place: &str) -> String {
    match place.rsplit_once(" + 0x") {
        Some((function, _)) => function.to_string(),
        None => place.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_dropped() {
        assert_eq!(without_offset("net: net::poll + 0x1f"), "net: net::poll");
        assert_eq!(without_offset("unknown"), "unknown");
    }

    #[test]
    fn cells_are_summed() {
        let spot = |place: &str, executed| Spot {
            place: place.to_string(),
            executed,
        };
        let spots = [
            spot("net: a", 1.0),
            spot("task: b", 2.0),
            spot("net: c", 4.0),
        ];
        let cells = by_cell(&spots);
        assert_eq!((cells[0].place.as_str(), cells[0].executed), ("net", 5.0));
        assert_eq!(cells.len(), 2);
    }
}
