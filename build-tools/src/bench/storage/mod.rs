//! What storage costs: commits by clients with the device's flushes, a scan, loading,
//! an index, point selects beside a scan of a table larger than the pool, commits
//! beside checkpoints, recovery after a kill. The same of other servers that run
//! (`--peer`), each figure of one right after that of the other.
//!
//! | file | what |
//! |---|---|
//! | `target` | a system of the benchmark's, or a server that runs already |
//! | `load` | sessions that do one thing and time it |

mod load;
mod target;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::pgbench;
use super::report::Row;
use super::sql::Session;
use super::{Wishes, storage::target::Target};
use crate::paths::Paths;
use load::Load;

/// Clients of TPC-B. Flushes by commit fall with them.
const CLIENTS: [u32; 4] = [1, 8, 16, 32];
/// Rows that are copied in.
const COPIED: u32 = 1_000_000;
/// Rows of the part of the large table that point selects ask for: a tenth of the
/// pool.
const HOT: u64 = 50_000;
/// What one statement may take.
const LIMIT: Duration = Duration::from_secs(600);
/// The load before a kill.
const BEFORE_KILL: u64 = 60;
/// Clients of the loads beside checkpoints and before a kill.
const WRITERS: usize = 8;

type Measure = fn(&mut Target, &Paths, &Wishes) -> Result<Vec<Row>>;

/// In this order: what fills comes first, what kills last.
const MEASURES: [(&str, Measure); 7] = [
    ("pgbench's tables", fill),
    ("TPC-B", commits),
    ("sequential scan", scan),
    ("COPY and index", copy),
    ("point selects beside a scan", beside_scan),
    ("commits beside checkpoints", beside_checkpoints),
    ("recovery", recovery),
];

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let mut targets = vec![Target::own(paths)?];
    for named in &wishes.peers {
        targets.push(Target::named(named)?);
    }
    let mut rows = Vec::new();
    for (what, measure) in MEASURES {
        for target in &mut targets {
            eprintln!("{:>10} {what} of {}", "", target.name());
            let measured = measure(target, paths, wishes).unwrap_or_else(|error| {
                let why = format!("{error:#}");
                let first = why.lines().next().unwrap_or("no reason given");
                vec![Row::missing(what, first)]
            });
            let of = target.name().to_string();
            rows.extend(measured.into_iter().map(|row| Row {
                name: format!("{of}: {}", row.name),
                ..row
            }));
        }
    }
    Ok(rows)
}

/// Twice the usual size: the largest table must not fit into the pool.
fn scale(wishes: &Wishes) -> u32 {
    2 * wishes.scale
}

fn fill(target: &mut Target, _: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let scale = scale(wishes);
    let took = pgbench::fill(target.port(), scale)?;
    let name = format!("pgbench -i -s {scale}");
    Ok(vec![Row::one(name, took.as_secs_f64(), "s")])
}

fn commits(target: &mut Target, _: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for clients in CLIENTS {
        let (rate, flushed) = (
            format!("TPC-B, {clients} clients"),
            format!("device flushes per commit, {clients} clients"),
        );
        let (mut rates, mut flushes) = (Vec::new(), Vec::new());
        for _ in 0..wishes.repeat.min(3) {
            target.query("checkpoint", LIMIT)?;
            let before = (target.flushes()?, target.committed()?);
            match pgbench::load(target.port(), &[], clients, wishes.seconds) {
                Ok(rate) => rates.push(rate),
                // One number of clients that fails does not take the others along.
                Err(error) => {
                    rows.push(Row::missing(rate.clone(), format!("{error:#}")));
                    continue;
                }
            }
            let after = (target.flushes()?, target.committed()?);
            let commits = after.1.saturating_sub(before.1).max(1);
            flushes.push(after.0.saturating_sub(before.0) as f64 / commits as f64);
        }
        if !rates.is_empty() {
            rows.push(Row::median(rate, rates, "/s"));
            rows.push(Row::median(flushed, flushes, ""));
        }
    }
    Ok(rows)
}

fn scan(target: &mut Target, _: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let rows = f64::from(scale(wishes)) * 1e5;
    let mut rates = Vec::new();
    for _ in 0..wishes.repeat.min(3) {
        let took = target.query(
            "select count(*), sum(abalance) from pgbench_accounts",
            LIMIT,
        )?;
        rates.push(rows / took.as_secs_f64());
    }
    let name = "sequential scan of a table larger than the pool";
    Ok(vec![Row::median(name, rates, "rows/s")])
}

fn copy(target: &mut Target, _: &Paths, _: &Wishes) -> Result<Vec<Row>> {
    target.query("drop table if exists bench_copy", LIMIT)?;
    target.query("create table bench_copy (id int, k int, v text)", LIMIT)?;
    let lines = (0..COPIED).map(|id| {
        // Knuth's multiplicative hash: no order that an index could use.
        let k = id.wrapping_mul(2_654_435_761) % 1_000_000;
        format!("{id}\t{k}\tfiller-{id:010}\n")
    });
    let data: String = lines.collect();
    let mut session = Session::connect(target.port(), LIMIT)?;
    let began = Instant::now();
    session.copy_in("copy bench_copy from stdin", data.as_bytes())?;
    let copied = began.elapsed();
    let indexed = target.query("create index bench_copy_k on bench_copy (k)", LIMIT)?;
    target.query("drop table bench_copy", LIMIT)?;
    let row = |name: &str, took: Duration| Row::one(name, took.as_secs_f64(), "s");
    Ok(vec![
        row("COPY of 1 M rows", copied),
        row("index on 1 M rows", indexed),
    ])
}

/// One client asks for rows of a small part of the large table; then the same while
/// another one reads all of it again and again.
fn beside_scan(target: &mut Target, _: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let port = target.port();
    let length = Duration::from_secs(3 * wishes.seconds);
    let select = |session: &mut Session, random: &mut load::Dice| {
        let row = (random.below(HOT) + 1).to_string();
        let text = "select abalance from pgbench_accounts where aid = $1";
        session.execute(text, &[&row]).map(drop)
    };
    load::once(port, LIMIT, |session| {
        let text = format!("select sum(abalance) from pgbench_accounts where aid <= {HOT}");
        session.query(&text).map(drop)
    })?;
    let alone = Load::run(port, 1, length, select)?;
    let scans = load::Again::start(port, "select count(*), sum(abalance) from pgbench_accounts");
    let beside = Load::run(port, 1, length, select);
    let count = scans.stop()?;
    let mut rows = alone.rows("point select, alone", "");
    let note = format!("{count} scans meanwhile");
    rows.extend(beside?.rows("point select beside a scan", &note));
    Ok(rows)
}

/// Clients that commit, without a checkpoint and with one after the other.
fn beside_checkpoints(target: &mut Target, _: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let port = target.port();
    let length = Duration::from_secs(3 * wishes.seconds);
    let scale = u64::from(scale(wishes));
    let transfer = move |session: &mut Session, random: &mut load::Dice| {
        load::transfer(session, random, scale)
    };
    target.query("checkpoint", LIMIT)?;
    let without = Load::run(port, WRITERS, length, transfer)?;
    let checkpoints = load::Again::start(port, "checkpoint; select pg_sleep(1)");
    let with = Load::run(port, WRITERS, length, transfer);
    let count = checkpoints.stop()?;
    let mut rows = without.rows("TPC-B, 8 clients, no checkpoint", "");
    let note = format!("{count} checkpoints meanwhile");
    rows.extend(with?.rows("TPC-B, 8 clients, beside checkpoints", &note));
    Ok(rows)
}

fn recovery(target: &mut Target, paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    if !target.can_be_killed() {
        let why = "nobody can kill it: name its program, `--peer NAME:PORT:PROGRAM`";
        return Ok(vec![Row::missing("recovery after a kill", why)]);
    }
    target.query("checkpoint", LIMIT)?;
    let port = target.port();
    let scale = u64::from(scale(wishes));
    let length = Duration::from_secs(BEFORE_KILL);
    let load = Load::run(port, WRITERS, length, move |session, random| {
        load::transfer(session, random, scale)
    })?;
    let took = target.recover(paths).context("after the kill")?;
    let note = format!(
        "after {} transactions in {BEFORE_KILL} s; power-on to the first answer",
        load.count()
    );
    Ok(vec![
        Row::one("recovery after a kill", took.as_secs_f64(), "s").note(note),
    ])
}
