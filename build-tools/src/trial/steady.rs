//! As many updates as an hour brings, counted and not timed: do tables and indexes
//! stay as large, and transactions as cheap? TPC-B, and a table whose rows come and
//! go, whose keys move on, and whose indexed column is changed; vacuum runs now and
//! then. Afterwards the same for a while beside a reader that looks at what was.
//!
//! Cheap means guest instructions for a transaction, counted by QEMU's translator
//! on one CPU: the host's load does not matter.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::findings::Findings;
use super::sums::Sums;
use super::{Wishes, boot_with_config};
use crate::bench::guest::{Disk, folder};
use crate::bench::pgbench;
use crate::bench::profile::{self, Counts};
use crate::bench::report::Row;
use crate::bench::sql::Session;
use crate::paths::Paths;
use crate::qemu::Accel;

/// What a statement of ours may take.
const LIMIT: Duration = Duration::from_secs(300);
/// Transactions of an interval, when nothing is said.
const TRANSACTIONS: u32 = 4000;
/// Intervals beside the reader: a part of the others.
const BESIDE: usize = 4;
/// And when it has gone: the first still meets what it has held.
const AFTER: usize = 2;
/// By so much the last intervals may differ from the earlier ones.
const STEADY: f64 = 1.15;
/// And so many pages more are no growth.
const SLACK: u64 = 16;
const PAGE: u64 = 8192;

/// Rows come and go at random ids, an indexed column changes, and a queue moves on.
const SET_UP: [&str; 6] = [
    "create table moving (id int primary key, tag int not null, filler char(60))",
    "create index moving_tag on moving (tag)",
    "insert into moving select n, n % 500, 'x' from generate_series(1, 5000) n",
    "create sequence line_ids",
    "create table line (id bigint primary key, filler char(60))",
    "insert into line select nextval('line_ids'), 'x' from generate_series(1, 500) n",
];
const MOVING: &str = "\\set gone random(1, 10000)
\\set come random(1, 10000)
\\set id random(1, 10000)
\\set tag random(1, 500)
begin;
delete from moving where id = :gone;
insert into moving values (:come, :tag, 'y') on conflict do nothing;
update moving set tag = :tag where id = :id;
insert into line values (nextval('line_ids'), 'y');
delete from line where id = (select min(id) from line);
commit;
";

/// Tables and indexes that must not grow.
const STEADY_ONES: [&str; 8] = [
    "pgbench_branches",
    "pgbench_branches_pkey",
    "pgbench_tellers",
    "pgbench_tellers_pkey",
    "pgbench_accounts",
    "pgbench_accounts_pkey",
    "moving",
    "line",
];
const STEADY_INDEXES: [&str; 3] = ["moving_pkey", "moving_tag", "line_pkey"];
/// Those of few rows that all see many updates: not even beside a reader.
const HOT_ONES: [&str; 4] = [
    "pgbench_branches",
    "pgbench_branches_pkey",
    "pgbench_tellers",
    "pgbench_tellers_pkey",
];

/// An interval.
#[derive(Debug, Serialize)]
struct Interval {
    /// Transactions until its end.
    transactions: u64,
    /// Instructions for each of its TPC-B transactions.
    tpcb: f64,
    /// The same for the others.
    moving: f64,
    /// Pages at its end, in the order of `names`.
    pages: Vec<u64>,
}

/// The system and what is counted.
struct Counted {
    port: u16,
    counts: Counts,
    /// What it executes each second when it has nothing to do.
    idle: f64,
    per_interval: u32,
    seed: u64,
}

pub(super) fn run(paths: &Paths, wishes: &Wishes, findings: &mut Findings) -> Result<()> {
    let files = folder(paths)?;
    let file = files.join(format!("steady-{}.counts", std::process::id()));
    let script = files.join(format!("steady-{}.sql", std::process::id()));
    std::fs::write(&script, MOVING)?;
    let plugin = profile::plugin(paths)?;
    let guest = boot_with_config(paths, wishes, Disk::empty(paths)?, |config| {
        config.accel = Accel::Tcg;
        config.cpus = 1;
        config.qemu_args.push("-plugin".into());
        let plugin = format!("{},out={}", plugin.display(), file.display());
        config.qemu_args.push(plugin);
    })?;
    let counts = Counts::open(file.clone())?;
    // Only the open file is needed from here on.
    std::fs::remove_file(&file)?;
    pgbench::fill(guest.port(), 1).context("no tables")?;
    let mut session = Session::connect(guest.port(), LIMIT)?;
    for statement in SET_UP {
        session.query(statement)?;
    }
    let mut counted = Counted {
        port: guest.port(),
        counts,
        idle: 0.0,
        per_interval: wishes.transactions.unwrap_or(TRANSACTIONS),
        seed: wishes.seed,
    };
    counted.idle = counted.at_rest()?;
    let names: Vec<&str> = STEADY_ONES.into_iter().chain(STEADY_INDEXES).collect();
    println!(
        "{:>12} {:>12} {:>12}  pages: {}",
        "transactions",
        "TPC-B",
        "moving",
        names.join(", ")
    );
    let mut intervals = Vec::new();
    for _ in 0..wishes.times {
        intervals.push(counted.interval(&names, &script, intervals.len())?);
    }
    judge(findings, &names, &intervals);
    let beside = counted.beside_reader(&names, &script, wishes.times)?;
    judge_beside(findings, &names, &intervals, &beside);
    let mut after = Vec::new();
    for _ in 0..AFTER {
        after.push(counted.interval(&names, &script, wishes.times + beside.len() + after.len())?);
    }
    judge_after(findings, &intervals, &after);
    let sums = Sums::ask(guest.port())?;
    findings.check("the four sums are equal", sums.agree(), sums.to_string());
    findings.keep("names", &names);
    findings.keep("intervals", &intervals);
    findings.keep("beside a reader", &beside);
    findings.keep("after it", &after);
    std::fs::remove_file(&script)?;
    guest.stop().map(drop)
}

impl Counted {
    fn at_rest(&self) -> Result<f64> {
        let (before, started) = (self.counts.total()?, Instant::now());
        std::thread::sleep(Duration::from_secs(4));
        let executed = self.counts.total()? - before;
        Ok(executed as f64 / started.elapsed().as_secs_f64())
    }

    /// Instructions for each of `count` transactions of one client.
    fn count(&self, arguments: &[&str], count: u32, seed: u64) -> Result<f64> {
        let seed = format!("--random-seed={}", seed & 0x7fff_ffff);
        let number = count.to_string();
        let mut command = pgbench::command(self.port);
        command.args(["-n", &seed, "-M", "prepared", "-t", &number]);
        command.args(arguments).arg("postgres");
        let (before, started) = (self.counts.total()?, Instant::now());
        pgbench::finish(&mut command, Duration::from_secs(3600))?;
        let executed = (self.counts.total()? - before) as f64;
        Ok((executed - self.idle * started.elapsed().as_secs_f64()) / f64::from(count))
    }

    /// Half TPC-B, half the rest; then a vacuum.
    fn interval(&self, names: &[&str], script: &Path, number: usize) -> Result<Interval> {
        let half = (self.per_interval / 2).max(1);
        let seed = self.seed.wrapping_mul(1000).wrapping_add(number as u64);
        let script = script.to_string_lossy();
        let tpcb = self.count(&["-b", "tpcb-like"], half, seed)?.round();
        let moving = self.count(&["-f", &script], half, seed)?.round();
        let mut session = Session::connect(self.port, LIMIT)?;
        session
            .query("vacuum moving, line, pgbench_branches, pgbench_tellers, pgbench_accounts")?;
        let mut pages = Vec::new();
        for name in names {
            let size = session.query(&format!("select pg_relation_size('{name}')"))?;
            let size = size.first().and_then(|row| row.first()).cloned().flatten();
            pages.push(size.context("no size")?.parse::<u64>()? / PAGE);
        }
        let transactions = (number as u64 + 1) * u64::from(half) * 2;
        println!("{transactions:>12} {tpcb:>12} {moving:>12}  {pages:?}");
        Ok(Interval {
            transactions,
            tpcb,
            moving,
            pages,
        })
    }

    /// The same while one transaction looks at how it was before.
    fn beside_reader(&self, names: &[&str], script: &Path, from: usize) -> Result<Vec<Interval>> {
        let mut reader = Session::connect(self.port, LIMIT)?;
        let question = "select sum(bbalance), (select count(*) from moving) from pgbench_branches";
        reader.query("begin isolation level repeatable read")?;
        let before = reader.query(question)?;
        let intervals = (from..from + BESIDE).map(|number| self.interval(names, script, number));
        let intervals = intervals.collect::<Result<Vec<_>>>()?;
        reader.allow(LIMIT);
        let after = reader.query(question)?;
        anyhow::ensure!(before == after, "the reader saw {before:?}, then {after:?}");
        reader.query("commit")?;
        Ok(intervals)
    }
}

/// The median of a figure over some intervals.
fn median(intervals: &[Interval], figure: impl Fn(&Interval) -> f64) -> f64 {
    let mut values: Vec<f64> = intervals.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The first intervals, in which tables find their size, and the last ones.
fn parts(intervals: &[Interval]) -> (&[Interval], &[Interval]) {
    let quarter = intervals.len().div_ceil(4);
    let second = &intervals[quarter.min(intervals.len())..(2 * quarter).min(intervals.len())];
    (second, &intervals[intervals.len() - quarter..])
}

fn judge(findings: &mut Findings, names: &[&str], intervals: &[Interval]) {
    let (early, late) = parts(intervals);
    for (what, figure) in FIGURES {
        let (before, after) = (median(early, figure), median(late, figure));
        findings.row(Row::one(
            format!("{what}, second quarter"),
            before,
            "instructions",
        ));
        findings.row(Row::one(
            format!("{what}, last quarter"),
            after,
            "instructions",
        ));
        findings.check(
            format!("{what} stays as cheap"),
            after <= before * STEADY,
            format!("{after} instructions, {before} before"),
        );
    }
    for (at, name) in names.iter().enumerate() {
        let most = |part: &[Interval]| part.iter().map(|i| i.pages[at]).max().unwrap_or(0);
        stays(findings, name, "stays as large", most(early), most(late));
    }
}

/// One of an interval's figures.
type Figure = fn(&Interval) -> f64;

const FIGURES: [(&str, Figure); 2] = [("TPC-B", |i| i.tpcb), ("moving", |i| i.moving)];

fn stays(findings: &mut Findings, name: &str, what: &str, before: u64, after: u64) {
    findings.check(
        format!("{name} {what}"),
        after <= before + SLACK || after as f64 <= before as f64 * STEADY,
        format!("{after} pages, {before} before"),
    );
}

fn judge_beside(
    findings: &mut Findings,
    names: &[&str],
    intervals: &[Interval],
    beside: &[Interval],
) {
    let (_, before) = parts(intervals);
    let last = &beside[beside.len() - 1..];
    for (what, figure) in FIGURES {
        let (before, after) = (median(before, figure), median(last, figure));
        findings.row(Row::one(
            format!("{what}, after {BESIDE} intervals beside a reader"),
            after,
            "instructions",
        ));
        // Who takes the first of a queue steps over all that were taken since the reader
        // began, as long as that one can see them: `moving` is told, not judged.
        if what == FIGURES[0].0 {
            findings.check(
                format!("{what} stays as cheap beside a reader"),
                after <= before * 1.5,
                format!("{after} instructions, {before} before"),
            );
        }
    }
    for (at, name) in names
        .iter()
        .enumerate()
        .filter(|(_, n)| HOT_ONES.contains(n))
    {
        let most = |part: &[Interval]| part.iter().map(|i| i.pages[at]).max().unwrap_or(0);
        let (before, after) = (most(before), most(last));
        stays(
            findings,
            name,
            "stays as large beside a reader",
            before,
            after,
        );
    }
}

/// Once the reader has gone, everything costs what it did.
fn judge_after(findings: &mut Findings, intervals: &[Interval], after: &[Interval]) {
    let (_, before) = parts(intervals);
    let last = &after[after.len() - 1..];
    for (what, figure) in FIGURES {
        let (before, after) = (median(before, figure), median(last, figure));
        findings.check(
            format!("{what} is as cheap again when the reader has gone"),
            after <= before * STEADY,
            format!("{after} instructions, {before} before"),
        );
    }
}
