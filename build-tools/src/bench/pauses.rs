//! The pause of a swap beside the size of what is handed over: the pool, open
//! connections, open transactions. Once in instructions, without a load, which no
//! other work of the host changes; and once in the system's time, with clients.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::Wishes;
use super::guest::{Disk, Guest};
use super::pgbench;
use super::report::Row;
use super::sql::Session;
use super::swaps::pause;
use crate::paths::Paths;

/// Sizes of the pool, and the machine's memory for each.
const POOLS: &[(&str, &str)] = &[("64M", "1G"), ("256M", "1G"), ("1G", "2G"), ("4G", "6G")];
/// Connections that are open and idle.
const CONNECTIONS: &[usize] = &[1, 100, 1_000];
/// Transactions that are open, each with an id and a snapshot.
const TRANSACTIONS: &[usize] = &[0, 1_000, 10_000];
/// A session's stack and buffers are more than half a MiB.
const MEMORY: &[(usize, &str)] = &[(1_000, "3G"), (10_000, "10G")];
/// Swaps of each cell, for each `--repeat`.
const SWAPS: usize = 4;
/// Of `pgbench -S`, where time is measured.
const CLIENTS: u32 = 4;
/// Connections are made by so many threads at once.
const THREADS: usize = 8;
/// What one connection may take while thousands are made.
const LIMIT: Duration = Duration::from_secs(600);

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for counting in [true, false] {
        let case = Case {
            paths,
            wishes,
            counting,
        };
        for (pool, memory) in POOLS {
            let what = format!("buffers={pool}");
            rows.extend(case.rows(&what, &["pg_buffer", "pg_wal"], || case.pool(pool, memory)));
        }
        for count in CONNECTIONS {
            let what = format!("{count} idle connections");
            let cells = ["net", "virtio_net", "pg_wire"];
            rows.extend(case.rows(&what, &cells, || case.sessions(*count, None)));
        }
        for count in TRANSACTIONS {
            let what = format!("{count} open transactions");
            let open = Some("begin; select txid_current()");
            rows.extend(case.rows(&what, &["pg_txn"], || case.sessions(*count, open)));
        }
    }
    Ok(rows)
}

/// How it is measured.
struct Case<'a> {
    paths: &'a Paths,
    wishes: &'a Wishes,
    /// Instructions, not time.
    counting: bool,
}

impl Case<'_> {
    /// The rows of some cells in a system that `prepare` makes; it stays so while what
    /// is given with it lives.
    fn rows(
        &self,
        what: &str,
        cells: &[&str],
        prepare: impl FnOnce() -> Result<(Guest, Vec<Session>)>,
    ) -> Vec<Row> {
        let title = |cell: &str| format!("swap of {cell}, pause, {what}");
        let missing = |error: anyhow::Error| {
            let why = format!("{error:#}");
            let row = |cell: &&str| Row::missing(title(cell), why.clone());
            cells.iter().map(row).collect::<Vec<Row>>()
        };
        let (guest, sessions) = match prepare() {
            Ok(prepared) => prepared,
            Err(error) => return missing(error),
        };
        let load = match self.counting {
            true => None,
            false => match pgbench::background(guest.port(), CLIENTS) {
                Ok(load) => Some(load),
                Err(error) => return missing(error),
            },
        };
        let mut rows = Vec::new();
        for cell in cells {
            rows.push(match self.pauses(&guest, cell) {
                Ok(pauses) => Row::median(title(cell), pauses, self.unit()),
                Err(error) => Row::missing(title(cell), format!("{error:#}")),
            });
        }
        drop(load);
        drop(sessions);
        rows
    }

    fn unit(&self) -> &'static str {
        match self.counting {
            true => "1000 instr.",
            false => "us",
        }
    }

    fn pauses(&self, guest: &Guest, cell: &str) -> Result<Vec<f64>> {
        let swap = |_| -> Result<f64> {
            let answer = guest.shell(&format!("swap {cell}"))?;
            std::thread::sleep(Duration::from_millis(20));
            pause(&answer).context("the answer to `swap` names no pause")
        };
        (0..SWAPS * self.wishes.repeat).map(swap).collect()
    }

    fn boot(&self, memory: &str, options: &[String]) -> Result<Guest> {
        let guest = Guest::boot(self.paths, Disk::empty(self.paths)?, |config| {
            config.memory = memory.into();
            config.count_instructions = self.counting;
            config.append.extend_from_slice(options);
        })?;
        if !self.counting {
            pgbench::fill(guest.port(), 1)?;
        }
        Ok(guest)
    }

    fn pool(&self, pool: &str, memory: &str) -> Result<(Guest, Vec<Session>)> {
        let guest = self.boot(memory, &[format!("buffers={pool}")])?;
        Ok((guest, Vec::new()))
    }

    /// A system with so many idle sessions, which have said `open`.
    fn sessions(&self, count: usize, open: Option<&str>) -> Result<(Guest, Vec<Session>)> {
        let memory = MEMORY.iter().find(|(most, _)| count <= *most);
        let (_, memory) = memory.context("no machine is large enough")?;
        let guest = self.boot(memory, &[format!("max_connections={}", count + 50)])?;
        let (port, open) = (guest.port(), open.map(str::to_string));
        let threads: Vec<_> = (0..THREADS)
            .map(|at| {
                let (own, open) = (share(count, at), open.clone());
                std::thread::spawn(move || connect(port, own, open.as_deref()))
            })
            .collect();
        let mut sessions = Vec::new();
        for thread in threads {
            sessions.extend(thread.join().map_err(|_| anyhow!("a thread panicked"))??);
        }
        Ok((guest, sessions))
    }
}

/// How many of `count` the thread number `at` makes.
fn share(count: usize, at: usize) -> usize {
    count / THREADS + usize::from(at < count % THREADS)
}

fn connect(port: u16, count: usize, open: Option<&str>) -> Result<Vec<Session>> {
    let session = |_| -> Result<Session> {
        let mut session = Session::connect(port, LIMIT)?;
        if let Some(open) = open {
            session.query(open)?;
        }
        Ok(session)
    };
    (0..count).map(session).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_make_all_of_them() {
        for count in [0, 1, 7, 8, 1_000, 10_000] {
            assert_eq!(
                (0..THREADS).map(|at| share(count, at)).sum::<usize>(),
                count
            );
        }
    }
}
