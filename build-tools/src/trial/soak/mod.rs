//! Everything at once, for a long time, on data larger than the pool: TPC-B from
//! many clients, long readers, changes of the schema, VACUUM, COPY. Afterwards the
//! sums agree, every acknowledged transaction is there, and nothing is left over:
//! no pin, no lock, no snapshot, no request, no task, no file, no memory.
//!
//! | file | what |
//! |---|---|
//! | `crew` | those who work beside the clients, and what they find wrong |
//! | `jobs` | what they do |
//! | `rest` | the system's counters, under way and at rest |

mod crew;
mod jobs;
mod rest;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::book::Book;
use super::clients::{self, Clients, Work};
use super::findings::Findings;
use super::random::Random;
use super::sums::Sums;
use super::{Wishes, boot_with};
use crate::bench::guest::{Disk, Guest};
use crate::bench::pgbench;
use crate::bench::report::Row;
use crate::paths::Paths;
use crew::Crew;
use rest::{Counters, Sizes};

/// The pool when nothing is said: pgbench's tables of scale 10 take more than twice
/// as much.
const BUFFERS: &str = "64M";
/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long everybody works before the counters are read for the first time: caches
/// have filled and memory that is kept has been taken.
const WARM_UP: Duration = Duration::from_secs(60);
/// What `check` may take.
const CHECK_LIMIT: Duration = Duration::from_secs(600);

/// What an interval showed.
#[derive(Debug, Serialize)]
struct Interval {
    second: u64,
    transactions: u64,
    /// Of the crew, by kind.
    jobs: Vec<(&'static str, u64)>,
    problems: usize,
    sizes: Sizes,
    counters: Counters,
}

/// One run of everybody: the warm-up, or the soak.
struct Shift<'a> {
    guest: &'a Guest,
    scale: u32,
    clients: usize,
    length: Duration,
    intervals: Vec<Interval>,
}

pub(super) fn run(paths: &Paths, wishes: &Wishes, findings: &mut Findings) -> Result<()> {
    let size = match wishes.buffers.as_str() {
        "" => BUFFERS,
        named => named,
    };
    let buffers = format!("buffers={size}");
    let guest = boot_with(paths, wishes, Disk::empty(paths)?, &[&buffers])?;
    pgbench::fill(guest.port(), wishes.scale).context("no tables")?;
    clients::set_up(guest.port())?;
    let (mut random, mut book) = (Random::new(wishes.seed), Book::default());
    let length = Duration::from_secs(wishes.seconds);
    let mut shift = Shift {
        guest: &guest,
        scale: wishes.scale,
        clients: wishes.clients as usize,
        length: WARM_UP.min(length / 3),
        intervals: Vec::new(),
    };
    shift.work(&mut random, &mut book, findings, "warm-up")?;
    let (before, _) = rest::settle(&guest)?;
    shift.length = length;
    shift.work(&mut random, &mut book, findings, "soak")?;
    let intervals = core::mem::take(&mut shift.intervals);
    figures(findings, wishes, &intervals);
    rest::check_sizes(findings, &intervals);
    let (after, waited) = rest::settle(&guest)?;
    rest::check(findings, &before, &after, waited);
    compare(findings, &guest, &mut book)?;
    let sound = guest.try_shell("check", CHECK_LIMIT);
    findings.check(
        "`check` finds nothing",
        sound.is_ok(),
        match &sound {
            Ok(answer) => answer.lines().last().unwrap_or_default().to_string(),
            Err(error) => error.to_string(),
        },
    );
    findings.keep("counters_before", &before);
    findings.keep("counters_after", &after);
    findings.keep("intervals", &intervals);
    guest.stop().map(drop)
}

impl Shift<'_> {
    /// Lets everybody work for the length of the shift, with a line an interval.
    fn work(
        &mut self,
        random: &mut Random,
        book: &mut Book,
        findings: &mut Findings,
        of: &str,
    ) -> Result<()> {
        let port = self.guest.port();
        println!(
            "{of}: {} s, {} clients",
            self.length.as_secs(),
            self.clients
        );
        let work = Work::Transfer { scale: self.scale };
        let clients = Clients::start(port, self.clients, work, random.next(), book);
        let crew = Crew::start(port, random.next());
        let began = Instant::now();
        let mut last = (Instant::now(), 0, rest::read(self.guest)?);
        while began.elapsed() < self.length {
            let left = self.length.saturating_sub(began.elapsed());
            std::thread::sleep(left.min(INTERVAL));
            if let Some(end) = self.guest.end() {
                bail!("the system ended: {end}\n{}", self.guest.console_tail(40));
            }
            let interval = Interval {
                second: began.elapsed().as_secs(),
                transactions: clients.committed(),
                jobs: crew.done(),
                problems: crew.problems(),
                sizes: rest::sizes(port)?,
                counters: rest::read(self.guest)?,
            };
            println!("{}", interval.line(&last));
            last = (
                Instant::now(),
                interval.transactions,
                interval.counters.clone(),
            );
            self.intervals.push(interval);
        }
        clients.finish(book)?;
        for (kind, count) in crew.done() {
            let what = format!("{kind}: something was done, {of}");
            findings.check(what, count > 0, format!("{count}"));
        }
        let problems = crew.finish()?;
        findings.check(
            format!("the others met no error and nothing wrong, {of}"),
            problems.is_empty(),
            problems.join("\n    "),
        );
        for (what, texts) in [("lost", &mut book.lost), ("refused", &mut book.errors)] {
            texts.sort();
            texts.dedup();
            findings.check(
                format!("no transaction's connection or statement was {what}, {of}"),
                texts.is_empty(),
                texts.join("\n    "),
            );
            texts.clear();
        }
        Ok(())
    }
}

impl Interval {
    /// For people; rates since the last one: when, transactions, counters.
    fn line(&self, last: &(Instant, u64, Counters)) -> String {
        let seconds = last.0.elapsed().as_secs_f64().max(1e-3);
        let (now, before) = (&self.counters, &last.2);
        let since = |name: &str| now.get(name).saturating_sub(before.get(name)) as f64;
        let wanted = since("pool.hits") + since("pool.reads") - since("pool.read_ahead");
        let jobs = self
            .jobs
            .iter()
            .map(|(name, count)| format!("{name} {count}"));
        format!(
            "{:>5} s {:>6.0} tps  hits {:>5.1} %  reads {:>5.0}/s  writes {:>5.0}/s  log writes {:>4.0}/s  \
             dirty {:>5}  memory {} KiB  branches {} tellers {} accounts {} pages  {}{}",
            self.second,
            (self.transactions - last.1) as f64 / seconds,
            100.0 * since("pool.hits") / wanted.max(1.0),
            since("pool.reads") / seconds,
            since("pool.writes") / seconds,
            since("log.flushes") / seconds,
            now.get("pool.dirty"),
            now.get("memory.in_use") / 1024,
            self.sizes.branches,
            self.sizes.tellers,
            self.sizes.accounts,
            jobs.collect::<Vec<_>>().join(", "),
            match self.problems {
                0 => String::new(),
                count => format!("  {count} PROBLEMS"),
            }
        )
    }
}

fn figures(findings: &mut Findings, wishes: &Wishes, intervals: &[Interval]) {
    let Some(last) = intervals.last() else {
        return;
    };
    let rate = last.transactions as f64 / wishes.seconds.max(1) as f64;
    let clients = wishes.clients;
    findings.row(Row::one(format!("TPC-B, {clients} clients"), rate, "/s"));
    for (kind, count) in &last.jobs {
        findings.row(Row::one(format!("{kind}, rounds"), *count as f64, ""));
    }
}

/// Every acknowledged transaction, whole, and no other.
fn compare(findings: &mut Findings, guest: &Guest, book: &mut Book) -> Result<()> {
    let (acknowledged, open) = (book.acknowledged() as u64, book.open() as u64);
    let there = book.check(findings, guest.port(), "")?;
    let sums = Sums::ask(guest.port())?;
    sums.check(findings, acknowledged, open, "");
    findings.equal("history rows, as numbers", sums.history, there);
    Ok(())
}
