//! `bench`: the figures by which the system is judged, as one table and as JSON.
//!
//! Each file measures one kind of thing and gives [`Row`]s; [`GROUPS`] lists
//! them in the order of the table. A figure that cannot be had is a row that
//! says why, never a guess. What each row means and how noisy it is:
//! `docs/benchmarks.md`.
//!
//! | file | what |
//! |---|---|
//! | `guest` | a booted system that belongs to the benchmark |
//! | `inside` | calls, tasks, memory: the cell `benchmark`, inside the system |
//! | `boot` | power-on to ready, image size, memory at rest |
//! | `echo` | TCP round trips without a database |
//! | `swaps` | the pause of each cell's swap, under load |
//! | `pauses` | the pause beside the size of what is handed over |
//! | `pgbench` | transactions and connections per second |
//! | `storage` | commits, flushes, scans, loading, recovery; also of other servers |
//! | `access` | page accesses by several CPUs, and the locks they meet |
//! | `logic` | the share of sqllogictest records that pass |
//! | `insns` | guest instructions per round trip and transaction, and where |
//! | `sql` | the least of PostgreSQL's protocol |
//! | `report` | rows, the table, JSON, the machine |

mod access;
mod boot;
mod command;
mod echo;
pub(crate) mod guest;
mod inside;
mod insns;
mod logic;
mod monitor;
mod pauses;
pub(crate) mod pgbench;
pub(crate) mod profile;
pub(crate) mod report;
mod slt;
pub(crate) mod sql;
mod storage;
pub(crate) mod swaps;

pub use command::run;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::paths::Paths;
use report::Row;

/// What `bench` was asked for.
pub(crate) struct Wishes {
    /// Groups by name; empty for all.
    only: Vec<String>,
    /// Repetitions of what is noisy.
    repeat: usize,
    /// How long each load of `pgbench` lasts.
    seconds: u64,
    /// The scale of `pgbench`'s tables.
    scale: u32,
    /// A server that runs already, measured instead of a guest's SQL.
    server: Option<u16>,
    /// Other servers that run, for the rows of `storage`: name, port, and the
    /// program that starts and kills it.
    peers: Vec<String>,
    /// Functions listed in a profile.
    spots: usize,
    /// The folder with sqllogictest scripts.
    logic: Option<PathBuf>,
    /// The limit for each of these scripts.
    logic_limit: Duration,
    /// Where the JSON goes.
    out: Option<PathBuf>,
    /// Build before.
    build: bool,
}

/// A group of rows that is measured together.
struct Group {
    name: &'static str,
    measure: fn(&Paths, &Wishes) -> Result<Vec<Row>>,
}

const GROUPS: &[Group] = &[
    Group {
        name: "boot",
        measure: boot::measure,
    },
    Group {
        name: "inside",
        measure: inside::measure,
    },
    Group {
        name: "swap",
        measure: swaps::measure,
    },
    Group {
        name: "pauses",
        measure: pauses::measure,
    },
    Group {
        name: "echo",
        measure: echo::measure,
    },
    Group {
        name: "pgbench",
        measure: pgbench::measure,
    },
    Group {
        name: "storage",
        measure: storage::measure,
    },
    Group {
        name: "access",
        measure: access::measure,
    },
    Group {
        name: "logic",
        measure: logic::measure,
    },
    Group {
        name: "insns",
        measure: insns::measure,
    },
];
