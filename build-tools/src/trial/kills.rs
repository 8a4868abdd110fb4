//! QEMU is killed (SIGKILL) at a random moment of a run, again and again on the
//! same disk. After each boot every acknowledged transaction must be there:
//! pgbench's, by its log and the rows of the history; our own, number by number.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::book::Book;
use super::clients::{self, Clients, Work};
use super::findings::Findings;
use super::load::{Load, Outcome};
use super::random::Random;
use super::sums::Sums;
use super::{Wishes, boot};
use crate::bench::guest::Disk;
use crate::bench::pgbench;
use crate::bench::report::Row;
use crate::paths::Paths;

/// Clients of our own, beside pgbench's.
const WITNESSES: usize = 2;
/// No kill comes before the load is under way.
const EARLIEST: f64 = 2.0;

/// One kill.
#[derive(Debug, Serialize)]
struct Kill {
    /// After the load began.
    second: f64,
    /// pgbench's, in this run.
    acknowledged: u64,
    /// Of the history, after the boot.
    rows: u64,
    /// Our own, over all runs.
    numbers: usize,
    /// From QEMU's start to ready.
    boot_ms: f64,
}

pub(super) fn run(paths: &Paths, wishes: &Wishes, findings: &mut Findings) -> Result<()> {
    let mut random = Random::new(wishes.seed);
    let mut book = Book::default();
    let mut guest = boot(paths, wishes, Disk::empty(paths)?)?;
    pgbench::fill(guest.port(), wishes.scale).context("no tables")?;
    clients::set_up(guest.port())?;
    let (mut kills, mut before): (Vec<Kill>, u64) = (Vec::new(), 0);
    for number in 1..=wishes.times {
        let mut load = Load::start(paths, guest.port(), wishes, random.next())?;
        let witnesses = Clients::start(
            guest.port(),
            WITNESSES,
            Work::Note,
            random.next(),
            &mut book,
        );
        let latest = (wishes.seconds as f64 - 1.0).max(EARLIEST);
        let second = random.between(EARLIEST, latest);
        std::thread::sleep(Duration::from_secs_f64(second));
        if !load.is_running() || guest.end().is_some() {
            bail!(
                "the load ended before the kill: {:?}\n{}",
                load.finish()?.errors,
                guest.console_tail(30)
            );
        }
        let disk = guest.kill();
        let outcome = load.finish()?;
        witnesses.finish(&mut book)?;
        let started = Instant::now();
        guest = boot(paths, wishes, disk).with_context(|| format!("boot after kill {number}"))?;
        let boot_ms = (started.elapsed().as_secs_f64() * 1e3).round();
        let when = format!(", kill {number}");
        let acknowledged = outcome.latencies.count();
        println!(
            "killed after {second:.3} s with {acknowledged} transactions; ready again after {boot_ms} ms"
        );
        let sums = check(findings, guest.port(), wishes, before, &outcome, &when)?;
        findings.check(
            format!("one unanswered number a client at most{when}"),
            book.open() <= WITNESSES,
            format!("{} numbers", book.open()),
        );
        book.check(findings, guest.port(), &when)?;
        kills.push(Kill {
            second: (second * 1e3).round() / 1e3,
            acknowledged,
            rows: sums.history - before.min(sums.history),
            numbers: book.acknowledged(),
            boot_ms,
        });
        before = sums.history;
    }
    let boots = kills.iter().map(|kill| kill.boot_ms).collect();
    findings.row(Row::median("start to ready after a kill", boots, "ms"));
    findings.keep("kills", kills);
    guest.stop().map(drop)
}

/// What pgbench was told must be there, after the boot; gives what is.
fn check(
    findings: &mut Findings,
    port: u16,
    wishes: &Wishes,
    before: u64,
    outcome: &Outcome,
    when: &str,
) -> Result<Sums> {
    // What was under way may have become durable: one for each client.
    let acknowledged = outcome.latencies.count();
    let sums = Sums::ask(port)?;
    let most = u64::from(wishes.clients);
    sums.check(findings, before + acknowledged, most, when);
    findings.check(
        format!("pgbench's log is as its count{when}"),
        outcome.processed == acknowledged && outcome.failed == 0,
        format!(
            "{acknowledged} logged, {} counted, {} failed",
            outcome.processed, outcome.failed
        ),
    );
    Ok(sums)
}
