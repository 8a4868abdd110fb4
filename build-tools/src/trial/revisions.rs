//! Revisions of this repository are pushed one after the other into one running
//! system, which was booted from the first of them, while pgbench runs: no transaction
//! may fail, no connection may be lost, and nothing may be left out.
//!
//! All of them are built before, so that compilers do not take the machine away from
//! the system. A load of its own runs during each push, and another one, of one
//! client, from the first push to the last.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::findings::Findings;
use super::load::{Load, Outcome};
use super::sums::Sums;
use super::{Wishes, boot_from};
use crate::bench::guest::{Disk, Guest};
use crate::bench::pgbench;
use crate::bench::report::Row;
use crate::paths::Paths;
use crate::pipeline::{self, Parts};
use crate::revision::{self, Revision};
use crate::running::Running;
use crate::upgrade::{self, Plan, Taken};

/// What is looked for among the revisions.
const FOLDER: &str = "pg_cells";
/// The load runs for so long before a push.
const MARGIN: Duration = Duration::from_secs(2);
/// What a set may take with all its loading.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is reckoned for a push beside the load's time, for the load that goes through.
const BETWEEN: u64 = 4;

/// One revision, as it was pushed.
#[derive(Debug, Serialize)]
struct Pushed {
    commit: String,
    subject: String,
    /// The sets that were taken, each with its pause.
    sets: Vec<Taken>,
    /// What could not be replaced, and why.
    refused: Vec<(String, String)>,
    /// What runs on as it was, and why.
    left: Vec<(String, &'static str)>,
    /// Why the push ended early; none for success.
    failure: Option<String>,
    transactions: u64,
    failed: u64,
    lost: u64,
    errors: Vec<String>,
}

pub(super) fn run(paths: &Paths, wishes: &Wishes, findings: &mut Findings) -> Result<()> {
    let revisions = match wishes.through.split_once("..") {
        Some((from, to)) => revision::between(paths, from, to, FOLDER)?,
        None if wishes.through.is_empty() => revision::latest(paths, wishes.times, FOLDER)?,
        None => bail!("--through wants FROM..TO"),
    };
    let tree = paths.revision();
    let mut built = Vec::new();
    for (number, revision) in revisions.iter().enumerate() {
        println!(
            "{number:>4} of {}  {} {}",
            revisions.len() - 1,
            revision.label(),
            revision.subject
        );
        let parts = revision.build(paths);
        let parts = parts.with_context(|| format!("{} does not build", revision.label()))?;
        if number == 0 {
            pipeline::write(&tree, &parts)?;
        }
        built.push(parts);
    }
    let guest = boot_from(&tree, wishes, Disk::empty(paths)?)?;
    pgbench::fill(guest.port(), wishes.scale).context("no tables")?;
    let rest = || revisions.iter().zip(&built).skip(1);
    let through = Wishes {
        clients: 1,
        seconds: (wishes.seconds + BETWEEN) * rest().count() as u64,
        ..wishes.clone()
    };
    let through = Load::start(paths, guest.port(), &through, wishes.seed)?;
    let (mut pushed, mut all) = (Vec::new(), Outcome::default());
    for (number, (revision, parts)) in rest().enumerate() {
        let seed = wishes.seed.wrapping_add(number as u64 + 1);
        let load = Load::start(paths, guest.port(), wishes, seed)?;
        let (one, outcome) = push(&guest, wishes, revision, parts, load)?;
        println!("{}", line(&one));
        all.add(outcome);
        let ended = one.failure.is_some();
        pushed.push(one);
        if ended {
            break;
        }
    }
    let through = through.finish()?;
    check(findings, &pushed, rest().count(), &through);
    let acknowledged = all.processed + through.processed;
    Sums::ask(guest.port())?.check(findings, acknowledged, 0, "");
    findings.keep("history", guest.shell("cells --history")?);
    findings.keep("revisions", pushed);
    guest.stop().map(drop)
}

/// Pushes one revision under a load, and waits for the load's end.
fn push(
    guest: &Guest,
    wishes: &Wishes,
    revision: &Revision,
    parts: &Parts,
    mut load: Load,
) -> Result<(Pushed, Outcome)> {
    let started = Instant::now();
    std::thread::sleep(MARGIN);
    let running = Running::ask(guest.instance())?;
    let plan = upgrade::plan(parts, &running);
    let mut sets = Vec::new();
    let tell = |_: usize, taken: &Taken| sets.push(taken.clone());
    let done = upgrade::carry_out(&plan, parts, guest.instance(), PATIENCE, tell);
    let mut failure = done.err().map(|error| format!("{error:#}"));
    if failure.is_none() && !load.is_running() {
        let took = started.elapsed().as_secs();
        failure = Some(format!(
            "the push took {took} s, longer than the load of {} s",
            wishes.seconds
        ));
    }
    let outcome = load.finish()?;
    let Plan { refused, left, .. } = plan;
    let pushed = Pushed {
        commit: revision.commit.clone(),
        subject: revision.subject.clone(),
        sets,
        refused,
        left,
        failure,
        transactions: outcome.processed,
        failed: outcome.failed,
        lost: outcome.aborted,
        errors: outcome.errors.clone(),
    };
    Ok((pushed, outcome))
}

fn line(pushed: &Pushed) -> String {
    let pauses = pushed.sets.iter().filter_map(|set| set.pause_us);
    let pause = pauses.fold(0.0, f64::max);
    let cells: usize = pushed.sets.iter().map(|set| set.cells.len()).sum();
    let mut line = format!(
        "{}  {} sets, {cells} cells, pause {pause} us, {} transactions, {} failed, {} lost  {}",
        &pushed.commit[..12.min(pushed.commit.len())],
        pushed.sets.len(),
        pushed.transactions,
        pushed.failed,
        pushed.lost,
        pushed.subject
    );
    for (name, why) in &pushed.refused {
        line += &format!("\n      {name}: {why}");
    }
    if let Some(why) = &pushed.failure {
        line += &format!("\n      {why}");
    }
    line
}

fn check(findings: &mut Findings, pushed: &[Pushed], wanted: usize, through: &Outcome) {
    findings.equal("revisions pushed", pushed.len(), wanted);
    let sum = |of: fn(&Pushed) -> u64| pushed.iter().map(of).sum::<u64>();
    findings.equal("failed transactions", sum(|p| p.failed) + through.failed, 0);
    findings.equal(
        "lost connections and aborted clients",
        sum(|p| p.lost) + through.aborted,
        0,
    );
    let troubles = pushed.iter().flat_map(|p| {
        let refused = p.refused.iter().map(|(name, why)| format!("{name}: {why}"));
        p.failure.iter().cloned().chain(refused)
    });
    let errors = pushed.iter().flat_map(|p| p.errors.iter().cloned());
    let troubles: Vec<String> = troubles
        .chain(errors)
        .chain(through.errors.iter().cloned())
        .collect();
    findings.check(
        "nothing was refused and no errors",
        troubles.is_empty(),
        troubles.join("\n    "),
    );
    let sets = || pushed.iter().flat_map(|p| &p.sets);
    let cells: usize = sets().map(|set| set.cells.len()).sum();
    findings.row(Row::one("cells replaced", cells as f64, ""));
    findings.row(Row::median(
        "pause of a set",
        sets().filter_map(|set| set.pause_us).collect(),
        "us",
    ));
    findings.row(Row::one(
        "transactions",
        (sum(|p| p.transactions) + through.processed) as f64,
        "",
    ));
}
