//! Cells crash under the load of clients that carry on after an error: a fault
//! may cost the statement it hits, and nothing else. The cell must be back, every
//! client must commit again on its old connection, and the tables must agree.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::book::Book;
use super::clients::{self, Clients, Work};
use super::findings::Findings;
use super::random::Random;
use super::state::State;
use super::sums::Sums;
use super::watch::Watch;
use super::{Wishes, boot, cells_there};
use crate::bench::guest::{Disk, Guest};
use crate::bench::pgbench;
use crate::bench::report::Row;
use crate::bench::sql::Session;
use crate::paths::Paths;
use crate::timeline::Deed;

/// Crashed when nothing is said: every database cell that statements go through.
pub(super) const USUAL: [&str; 10] = [
    "pg_wire",
    "pg_parser",
    "pg_planner",
    "pg_executor",
    "pg_catalog",
    "pg_txn",
    "pg_heap",
    "pg_btree",
    "pg_buffer",
    "pg_wal",
];
/// The kinds, when nothing is said: each cell the next one.
const FAULTS: [&str; 6] = ["panic", "null", "divide", "opcode", "stack", "loop"];
/// The captain does more about a cell that faults again within ten seconds, and
/// that is not what is looked at here.
const CALM: Duration = Duration::from_millis(10_500);
/// A hanging call is ended by the watchdog after seconds; the rest is for slow
/// machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// One crash.
#[derive(Debug, Serialize)]
struct Crash {
    cell: String,
    fault: String,
    /// By the system's clock, since the fault: until its gate had it, until a call
    /// ended that entered the cell after that, until the cell was replaced.
    caught_ms: Option<f64>,
    served_ms: Option<f64>,
    replaced_ms: Option<f64>,
    /// By the host's clock: from the answer to the command to the first commit
    /// of any client, and until every client had committed again.
    first_commit_ms: Option<f64>,
    all_again_ms: Option<f64>,
    /// What went wrong.
    trouble: Option<String>,
}

pub(super) fn run(paths: &Paths, wishes: &Wishes, findings: &mut Findings) -> Result<()> {
    let guest = boot(paths, wishes, Disk::empty(paths)?)?;
    let mut cells = cells_there(&guest, wishes, |cell| USUAL.contains(&cell))?;
    pgbench::fill(guest.port(), wishes.scale).context("no tables")?;
    clients::set_up(guest.port())?;
    let (mut random, mut book) = (Random::new(wishes.seed), Book::default());
    let faults: Vec<String> = match wishes.faults.as_slice() {
        [] => FAULTS.map(String::from).to_vec(),
        named => named.to_vec(),
    };
    let work = Work::Transfer {
        scale: wishes.scale,
    };
    let count = wishes.clients as usize;
    let clients = Clients::start(guest.port(), count, work, random.next(), &mut book);
    let (mut crashes, began, watch) = (Vec::new(), Instant::now(), Watch::new(false));
    let mut last: BTreeMap<String, Instant> = BTreeMap::new();
    for round in 0..wishes.times {
        random.shuffle(&mut cells);
        for (at, cell) in cells.iter().enumerate() {
            let fault = &faults[(at + round) % faults.len()];
            if let Some(last) = last.get(cell) {
                std::thread::sleep(CALM.saturating_sub(last.elapsed()));
            }
            std::thread::sleep(Duration::from_secs_f64(random.between(0.0, 0.3)));
            watch.note(Deed::Crash, cell);
            let crash = crash(&guest, &clients, cell, fault)?;
            println!("{:>8.3} s  {}", began.elapsed().as_secs_f64(), crash.line());
            crashes.push(crash);
            last.insert(cell.clone(), Instant::now());
        }
    }
    clients.finish(&mut book)?;
    report(findings, &crashes, &book);
    let title = format!("TPC-B, {count} clients, crashes of cells");
    watch.chart(&wishes.svg(paths), &title, &book.done)?;
    compare(findings, &guest, &mut book, "")?;
    // What memory says and what the disk says may be two things.
    let guest = boot(paths, wishes, guest.kill())?;
    compare(findings, &guest, &mut book, ", after a kill and a boot")?;
    findings.keep("crashes", crashes);
    guest.stop().map(drop)
}

/// Every acknowledged transaction, whole, and no other.
fn compare(findings: &mut Findings, guest: &Guest, book: &mut Book, when: &str) -> Result<()> {
    let (acknowledged, open) = (book.acknowledged() as u64, book.open() as u64);
    let there = book.check(findings, guest.port(), when)?;
    let sums = Sums::ask(guest.port())?;
    sums.check(findings, acknowledged, open, when);
    let what = format!("whole transactions: history rows = numbers{when}");
    findings.equal(what, sums.history, there);
    Ok(())
}

/// Crashes one cell and waits until it is back and all clients have gone on.
fn crash(guest: &Guest, clients: &Clients, cell: &str, fault: &str) -> Result<Crash> {
    let mut crash = Crash {
        cell: cell.to_string(),
        fault: fault.to_string(),
        caught_ms: None,
        served_ms: None,
        replaced_ms: None,
        first_commit_ms: None,
        all_again_ms: None,
        trouble: None,
    };
    // All clients are at work.
    if let Err(stuck) = clients.advance(1, PATIENCE) {
        bail!("clients {stuck:?} stand still\n{}", picture(guest));
    }
    let before = tally(guest, cell)?;
    if let Err(error) = guest.try_shell(&format!("crash {cell} {fault}"), PATIENCE) {
        crash.trouble = Some(format!("the command failed: {error}"));
        return alive(guest, crash);
    }
    // A text without a plan, for the parser and the planner: the clients' texts
    // have theirs. It may meet the fault, so its answer says nothing.
    if let Ok(mut stranger) = Session::connect(guest.port(), PATIENCE) {
        let _ = stranger.query(&format!("select 1 as {cell}_{}", before.faults));
    }
    match clients.advance(1, PATIENCE) {
        Ok((first, all)) => {
            crash.first_commit_ms = Some(milliseconds(first));
            crash.all_again_ms = Some(milliseconds(all));
        }
        Err(stuck) => {
            crash.trouble = Some(format!("clients {stuck:?} did not go on"));
            println!("{}", picture(guest));
        }
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = match tally(guest, cell) {
            Ok(now) => now,
            Err(error) => {
                crash.trouble = Some(format!("{error:#}"));
                return alive(guest, crash);
            }
        };
        if now.faults > before.faults && now.swaps > before.swaps {
            break;
        }
        if Instant::now() > deadline {
            let why = format!("not replaced: {now:?} after {before:?}");
            crash.trouble.get_or_insert(why);
            return alive(guest, crash);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let state = State::read(&guest.shell("cells --repairs")?);
    if let Some(repair) = state.as_ref().and_then(|state| state.repairs.get(cell)) {
        let ms = |us: Option<u64>| us.map(|us| us as f64 / 1e3);
        crash.caught_ms = ms(repair.caught);
        crash.served_ms = ms(repair.served);
        crash.replaced_ms = ms(repair.replaced);
    }
    Ok(crash)
}

/// The crash, unless the system did not live through it.
fn alive(guest: &Guest, crash: Crash) -> Result<Crash> {
    match guest.end() {
        Some(end) => bail!(
            "the system ended ({end}) at {}\n{}",
            crash.line(),
            guest.console_tail(40)
        ),
        None => Ok(crash),
    }
}

/// What the system does and said last, for whoever looks for the cause.
fn picture(guest: &Guest) -> String {
    let ask = |command| match guest.try_shell(command, PATIENCE) {
        Ok(answer) => answer,
        Err(error) => format!("{command}: {error}\n"),
    };
    let (tasks, cells, console) = (ask("tasks"), ask("cells"), guest.console_tail(40));
    format!("--- tasks\n{tasks}--- cells\n{cells}--- console\n{console}\n---")
}

impl Crash {
    fn line(&self) -> String {
        let ms = |ms: Option<f64>| ms.map_or("-".to_string(), |ms| format!("{ms:.1}"));
        format!(
            "{:<12} {:<7} caught {:>5} ms, served {:>5} ms, replaced {:>5} ms, first commit {:>5} ms, all again {:>5} ms {}",
            self.cell,
            self.fault,
            ms(self.caught_ms),
            ms(self.served_ms),
            ms(self.replaced_ms),
            ms(self.first_commit_ms),
            ms(self.all_again_ms),
            self.trouble.as_deref().unwrap_or_default()
        )
    }
}

fn report(findings: &mut Findings, crashes: &[Crash], book: &Book) {
    let troubled: Vec<String> = crashes
        .iter()
        .filter(|c| c.trouble.is_some())
        .map(Crash::line)
        .collect();
    let found = match troubled.len() {
        0 => format!("{} crashes", crashes.len()),
        _ => troubled.join("\n    "),
    };
    findings.check(
        "each cell was replaced, every client went on",
        troubled.is_empty(),
        found,
    );
    let mut lost = book.lost.clone();
    lost.dedup();
    let found = format!("{} {}", book.lost.len(), lost.join("; "));
    findings.check("lost connections", lost.is_empty(), found);
    let median = |name: &str, of: fn(&Crash) -> Option<f64>| {
        Row::median(name, crashes.iter().filter_map(of).collect(), "ms")
    };
    findings.row(median("fault to caught, the system's clock", |c| {
        c.caught_ms
    }));
    let served = median("fault to the first call served, the system's clock", |c| {
        c.served_ms
    });
    let replaced = median("fault to replaced, the system's clock", |c| c.replaced_ms);
    for (what, row) in [("served again", &served), ("replaced", &replaced)] {
        findings.check(
            format!("median from the fault to {what} below 10 ms"),
            row.value.is_some_and(|ms| ms < 10.0),
            row.value.map_or("-".into(), |ms| format!("{ms:.1} ms")),
        );
    }
    findings.row(served);
    findings.row(replaced);
    findings.row(median("crash to the first commit of any client", |c| {
        c.first_commit_ms
    }));
    findings.row(median("crash to a commit of every client", |c| {
        c.all_again_ms
    }));
    let errors = book.errors_by_text();
    let said: Vec<String> = errors
        .iter()
        .map(|(error, count)| format!("{count} × {error}"))
        .collect();
    findings.row(
        Row::one("statements that failed", book.errors.len() as f64, "").note(said.join("; ")),
    );
    findings.keep("errors", errors);
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

/// Swaps and faults of a cell.
#[derive(Debug, PartialEq, Eq)]
struct Tally {
    swaps: u64,
    faults: u64,
}

fn tally(guest: &Guest, cell: &str) -> Result<Tally> {
    let answer = guest.shell("cells")?;
    read_tally(&answer, cell)
        .with_context(|| format!("`cells` does not list {cell} with its faults"))
}

/// `NAME … swaps N faults N`.
fn read_tally(answer: &str, cell: &str) -> Option<Tally> {
    let mut lines = answer.lines().map(|line| line.split_whitespace().collect());
    let line: Vec<&str> = lines.find(|words: &Vec<&str>| words.first() == Some(&cell))?;
    let after = |word: &str| {
        let at = line.iter().position(|w| *w == word)?;
        line.get(at + 1)?.parse().ok()
    };
    Some(Tally {
        swaps: after("swaps")?,
        faults: after("faults")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_are_read() {
        let cells = "pg_wal2 0.1.0 generation 1 9 KiB in flight 0 swaps 7 faults 7\n\
                     pg_wal  0.1.0 generation 2 9 KiB in flight 0 swaps 1 faults 2\n";
        assert_eq!(
            read_tally(cells, "pg_wal"),
            Some(Tally {
                swaps: 1,
                faults: 2
            })
        );
        assert_eq!(read_tally(cells, "net"), None);
    }
}
