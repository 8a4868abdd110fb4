//! `trial`: a system of its own under pgbench's load, and something done to it
//! meanwhile; afterwards everything that was promised is checked.
//!
//! Each file that is a [`Kind`] does one thing to the system and gives
//! [`Findings`]: checks, which decide about success, and figures. What only
//! measures is [`crate::bench`]; what a test needs in a minute is `tests/`. The
//! moments, the order and the cells chosen come from a seed.
//!
//! | file | what |
//! |---|---|
//! | `swaps` | cells are swapped again and again; nobody may notice |
//! | `crashes` | cells crash; the others carry on |
//! | `faults` | one fault at a time, in random cells; what became of it |
//! | `revisions` | one revision after the other is pushed; nobody may notice |
//! | `kills` | QEMU is killed; every acknowledged commit must be there |
//! | `soak` | everything at once for a long time; nothing may be wrong or left over |
//! | `steady` | as many updates as an hour brings; sizes and costs must stay |
//! | `load` | pgbench's processes and what they say at the end |
//! | `latency` | percentiles of pgbench's logs |
//! | `watch` | the picture in the terminal meanwhile (`--watch`) |
//! | `sums` | the four sums of pgbench's tables |
//! | `clients` | clients of our own that know what was acknowledged to them |
//! | `book` | what they know, compared with the table they wrote |
//! | `answers` | questions whose answers are known |
//! | `choice` | which fault comes next |
//! | `site` | the system that a campaign damages, and its clients |
//! | `state` | what that system says of itself |
//! | `looks` | whether anything is wrong there |
//! | `profile` | which code the load executes |
//! | `verdict` | what becomes of a fault, as CSV and summaries |
//! | `outcome` | what a campaign shows |
//! | `random` | numbers from a seed |
//! | `findings` | checks, figures, the file |

mod answers;
mod book;
mod choice;
mod clients;
mod command;
mod crashes;
mod faults;
mod findings;
mod kills;
mod latency;
mod load;
mod looks;
mod outcome;
mod profile;
mod random;
mod revisions;
mod site;
mod soak;
mod state;
mod steady;
mod sums;
mod swaps;
mod verdict;
mod watch;

pub use command::run;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::bench::guest::{Disk, Guest};
use crate::bench::swaps::cells;
use crate::machine::Config;
use crate::paths::Paths;
use findings::Findings;

/// What `trial` was asked for.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Wishes {
    kind: String,
    /// How long pgbench runs at a time.
    seconds: u64,
    /// Clients of pgbench.
    clients: u32,
    /// The scale of pgbench's tables.
    scale: u32,
    /// Decides moments, order and choice.
    seed: u64,
    /// How often it is done; to each cell, where cells are chosen.
    times: usize,
    /// Transactions at a time, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    transactions: Option<u32>,
    /// The cells it is done to; empty for the kind's own choice.
    cells: Vec<String>,
    /// The kinds of faults; empty for the kind's own choice.
    faults: Vec<String>,
    /// Whether the clients speak all three modes of the protocol.
    mixed: bool,
    /// The size of the buffer pool, as the boot option has it; empty for the
    /// kind's own choice.
    buffers: String,
    /// Draw throughput and latency while it runs.
    #[serde(skip)]
    watch: bool,
    /// How long damage is watched at the least before nothing is expected of it (ms).
    settle: u64,
    /// When so many faults of the table have manifested, a campaign is done; 0 for no
    /// limit.
    manifested: usize,
    /// After so many minutes a campaign begins no other fault; 0 for no limit.
    minutes: u64,
    /// A campaign goes on where its table ends.
    append: bool,
    /// Damage to code goes where code runs.
    aim: bool,
    /// The machine's memory, as QEMU reads it.
    memory: String,
    /// The revisions that are pushed, `FROM..TO`; empty for the latest ones.
    through: String,
    /// Where the JSON goes.
    #[serde(skip)]
    out: Option<PathBuf>,
    /// Build before.
    #[serde(skip)]
    build: bool,
}

/// Something that is done to a system.
struct Kind {
    name: &'static str,
    /// How often, when nothing is said.
    times: usize,
    /// How long the load runs, when nothing is said.
    seconds: u64,
    /// How many clients there are, when nothing is said.
    clients: u32,
    /// The scale of pgbench's tables, when nothing is said.
    scale: u32,
    run: fn(&Paths, &Wishes, &mut Findings) -> Result<()>,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "swaps",
        times: 10,
        seconds: 60,
        clients: 8,
        scale: 10,
        run: swaps::run,
    },
    Kind {
        name: "revisions",
        times: 20,
        seconds: 12,
        clients: 8,
        scale: 10,
        run: revisions::run,
    },
    Kind {
        name: "kills",
        times: 5,
        seconds: 60,
        clients: 8,
        scale: 10,
        run: kills::run,
    },
    Kind {
        name: "crashes",
        times: 1,
        seconds: 60,
        clients: 8,
        scale: 10,
        run: crashes::run,
    },
    Kind {
        name: "faults",
        times: 200,
        seconds: 2,
        clients: 8,
        // All accounts are added up now and then.
        scale: 1,
        run: faults::run,
    },
    Kind {
        name: "steady",
        times: 24,
        seconds: 0,
        clients: 1,
        scale: 1,
        run: steady::run,
    },
    Kind {
        name: "soak",
        times: 1,
        seconds: 1200,
        clients: 32,
        scale: 10,
        run: soak::run,
    },
];

impl Wishes {
    /// Where a table goes: beside the JSON.
    fn csv(&self, paths: &Paths) -> PathBuf {
        self.json(paths).with_extension("csv")
    }

    /// Where tables for people go: beside the JSON.
    fn markdown(&self, paths: &Paths) -> PathBuf {
        self.json(paths).with_extension("md")
    }

    /// Where a chart goes: beside the JSON.
    fn svg(&self, paths: &Paths) -> PathBuf {
        self.json(paths).with_extension("svg")
    }

    /// Where the JSON goes.
    fn json(&self, paths: &Paths) -> PathBuf {
        let usual = || paths.root().join(format!("bench/trial-{}.json", self.kind));
        self.out.clone().unwrap_or_else(usual)
    }
}

/// Boots a system for a trial on this disk.
fn boot(paths: &Paths, wishes: &Wishes, disk: Disk) -> Result<Guest> {
    boot_with(paths, wishes, disk, &[])
}

/// The same, from an image that was built elsewhere.
fn boot_from(image: &Paths, wishes: &Wishes, disk: Disk) -> Result<Guest> {
    boot_with(image, wishes, disk, &[])
}

/// The same, with boot options.
fn boot_with(paths: &Paths, wishes: &Wishes, disk: Disk, options: &[&str]) -> Result<Guest> {
    boot_with_config(paths, wishes, disk, |config| {
        config.append.extend(options.iter().map(|o| o.to_string()));
    })
}

/// The same, with anything else about the machine.
fn boot_with_config(
    paths: &Paths,
    wishes: &Wishes,
    disk: Disk,
    adjust: impl Fn(&mut Config),
) -> Result<Guest> {
    Guest::boot(paths, disk, |config| {
        config.memory.clone_from(&wishes.memory);
        adjust(config);
    })
}

/// The cells that were wished for, or those that are `usual`.
fn cells_there(
    guest: &Guest,
    wishes: &Wishes,
    usual: impl Fn(&str) -> bool,
) -> Result<Vec<String>> {
    let mut there = cells(guest)?;
    match wishes.cells.as_slice() {
        [] => there.retain(|cell| usual(cell)),
        [all] if all == "all" => {}
        named => {
            if let Some(cell) = named.iter().find(|cell| !there.contains(cell)) {
                bail!("there is no cell `{cell}`; there are {}", there.join(" "));
            }
            return Ok(named.to_vec());
        }
    }
    Ok(there)
}
