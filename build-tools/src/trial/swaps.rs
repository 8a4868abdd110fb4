//! Cells are swapped in random order while pgbench runs: no transaction may
//! fail, no connection may be lost, and the memory must come back. The same load
//! without swaps comes first, so that the two latencies stand side by side.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::findings::Findings;
use super::load::{Load, Outcome};
use super::random::Random;
use super::sums::Sums;
use super::watch::Watch;
use super::{Wishes, boot, cells_there};
use crate::bench::guest::{Disk, Guest};
use crate::bench::pgbench;
use crate::bench::report::Row;
use crate::bench::swaps::pause;
use crate::paths::Paths;
use crate::timeline::{Deed, Timeline};

/// Swapped when nothing is said.
const USUAL: [&str; 7] = [
    "pg_parser",
    "pg_planner",
    "pg_executor",
    "pg_buffer",
    "pg_wal",
    "nvme",
    "net",
];
/// A refused swap is tried again so often: the old cell serves on meanwhile.
const TRIES: usize = 3;
/// The load runs for so long before a swap and goes on for so long after it.
const MARGIN: Duration = Duration::from_secs(2);
/// What a swap may take with all its loading.
const PATIENCE: Duration = Duration::from_secs(20);
/// Swaps during which the system's CPUs waited less than that for the host's are told
/// apart (us).
const HOST_WAIT_US: f64 = 500.0;
/// Until connections and generations that have ended are gone.
const SETTLE: Duration = Duration::from_secs(6);

/// The instances of these that have booted the system stay: the boot's task never leaves
/// the captain's code, which has started the clock (`docs/swap.md`).
const KEPT: [&str; 2] = ["captain", "time"];

/// One swap, or why there was none.
#[derive(Debug, Serialize)]
struct Swap {
    cell: String,
    /// Since the swaps began.
    second: f64,
    /// In the system's clock.
    pause_us: Option<f64>,
    /// Where it went, as the system says.
    steps: Option<String>,
    /// How long the system's CPUs waited for the host's during the whole swap: some of
    /// it may be in the pause.
    host_wait_us: Option<f64>,
    refused: Option<String>,
}

pub(super) fn run(paths: &Paths, wishes: &Wishes, findings: &mut Findings) -> Result<()> {
    let guest = boot(paths, wishes, Disk::empty(paths)?)?;
    let cells = cells_there(&guest, wishes, |cell| USUAL.contains(&cell))?;
    pgbench::fill(guest.port(), wishes.scale).context("no tables")?;
    println!(
        "quiet: {} s of TPC-B, {} clients",
        wishes.seconds, wishes.clients
    );
    let quiet = Load::start(paths, guest.port(), wishes, wishes.seed)?.finish()?;
    check_load(findings, &quiet, "quiet run");
    let before = memory(&guest)?;
    let watch = Watch::new(wishes.watch);
    let (swaps, swapped) = swap_all(paths, &guest, wishes, &cells, &watch)?;
    check_load(findings, &swapped, "run with swaps");
    let after = memory(&guest)?;
    check_swaps(findings, &cells, &swaps, wishes.times);
    let acknowledged = quiet.processed + swapped.processed;
    Sums::ask(guest.port())?.check(findings, acknowledged, 0, "");
    latencies(findings, &quiet, &swapped);
    for (what, kib) in [("before", before.0), ("after", after.0)] {
        findings.row(Row::one(
            format!("memory in use {what} the swaps"),
            kib,
            "KiB",
        ));
    }
    let kept = cells.iter().filter(|cell| KEPT.contains(&cell.as_str()));
    let wanted = before.1 + kept.count() as u64;
    // And the clock that the present captain was linked with, if another came since.
    findings.check(
        "cells loaded, after as before",
        (before.1..=wanted + 1).contains(&after.1),
        format!("{}, {} before", after.1, before.1),
    );
    chart(paths, wishes, findings, &swapped, &watch)?;
    findings.keep("swaps", swaps);
    guest.stop().map(drop)
}

/// Swaps every cell `wishes.times` times, spread over the load's time; begins the
/// load anew where that is too short.
fn swap_all(
    paths: &Paths,
    guest: &Guest,
    wishes: &Wishes,
    cells: &[String],
    watch: &Watch,
) -> Result<(Vec<Swap>, Outcome)> {
    let mut random = Random::new(wishes.seed);
    let mut plan: Vec<&String> = (0..wishes.times).flat_map(|_| cells).collect();
    random.shuffle(&mut plan);
    let spread = Duration::from_secs(wishes.seconds).saturating_sub(2 * MARGIN);
    let step = spread.as_secs_f64() / plan.len().max(1) as f64;
    let (mut outcome, mut swaps) = (Outcome::default(), Vec::new());
    let start = |seed| -> Result<(Load, Instant)> {
        let load = Load::start(paths, guest.port(), wishes, seed)?;
        watch.follow(&load);
        let started = Instant::now();
        std::thread::sleep(MARGIN);
        Ok((load, started))
    };
    let began = Instant::now();
    let (mut load, mut started) = start(random.next())?;
    let mut moment = Instant::now();
    for cell in plan {
        let left = Duration::from_secs(wishes.seconds).saturating_sub(started.elapsed());
        if left < MARGIN || !load.is_running() {
            outcome.add(load.finish()?);
            (load, started) = start(random.next())?;
            moment = Instant::now();
        }
        moment += Duration::from_secs_f64(random.between(0.5, 1.5) * step);
        // Never longer than the load lasts.
        let wait = moment.saturating_duration_since(Instant::now());
        std::thread::sleep(wait.min(left.saturating_sub(MARGIN)));
        swap_one(guest, cell, began, &mut swaps, watch)?;
    }
    outcome.add(load.finish()?);
    Ok((swaps, outcome))
}

/// Swaps one cell, if need be after it was refused.
fn swap_one(
    guest: &Guest,
    cell: &str,
    began: Instant,
    swaps: &mut Vec<Swap>,
    watch: &Watch,
) -> Result<()> {
    for _ in 0..TRIES {
        let second = began.elapsed().as_secs_f64();
        watch.note(Deed::Swap, cell);
        let waited = guest.host_wait();
        let answer = guest.try_shell(&format!("swap {cell}"), PATIENCE);
        let waited = guest.host_wait().zip(waited).map(|(now, then)| now - then);
        let steps = answer.as_ref().ok().and_then(|text| steps(text));
        let swap = |pause_us, refused| Swap {
            cell: cell.to_string(),
            second: (second * 1e3).round() / 1e3,
            pause_us,
            steps: steps.clone(),
            host_wait_us: waited.map(|time| time.as_micros() as f64),
            refused,
        };
        match answer {
            Ok(answer) => {
                let pause = pause(&answer).context("the answer to `swap` names no pause")?;
                watch.say(&format!("{second:>8.3} s  {cell:<14} pause {pause} us"));
                swaps.push(swap(Some(pause), None));
                return Ok(());
            }
            Err(error) if guest.end().is_some() => {
                bail!(
                    "the system ended at the swap of {cell}: {error}\n{}",
                    guest.console_tail(30)
                )
            }
            Err(error) => {
                println!("{second:>8.3} s  {cell:<14} {error}");
                swaps.push(swap(None, Some(error.to_string())));
            }
        }
    }
    Ok(())
}

/// What an answer says of the parts of its pause.
fn steps(answer: &str) -> Option<String> {
    let (_, steps) = answer.trim_end().split_once("; ")?;
    Some(steps.to_string())
}

fn check_load(findings: &mut Findings, outcome: &Outcome, of: &str) {
    findings.equal(format!("failed transactions, {of}"), outcome.failed, 0);
    findings.equal(
        format!("lost connections and aborted clients, {of}"),
        outcome.aborted,
        0,
    );
    findings.equal(
        format!("transactions logged as counted, {of}"),
        outcome.latencies.count(),
        outcome.processed,
    );
    let count = outcome.processed as f64;
    findings.row(Row::one(format!("transactions, {of}"), count, ""));
    if !outcome.errors.is_empty() {
        findings.check(
            format!("no errors, {of}"),
            false,
            outcome.errors.join("\n    "),
        );
    }
}

fn check_swaps(findings: &mut Findings, cells: &[String], swaps: &[Swap], times: usize) {
    let mut all = Vec::new();
    for cell in cells {
        let of_cell = swaps.iter().filter(|swap| swap.cell == *cell);
        let pauses: Vec<f64> = of_cell.filter_map(|swap| swap.pause_us).collect();
        findings.equal(format!("swaps of {cell}"), pauses.len(), times);
        all.extend(&pauses);
        findings.row(Row::median(format!("swap of {cell}, pause"), pauses, "us"));
    }
    findings.row(Row::median("swap of any of them, pause", all, "us"));
    // A host's turn is some milliseconds: who waited less was not sent away for one.
    let quiet = |swap: &&Swap| swap.host_wait_us.is_some_and(|us| us < HOST_WAIT_US);
    let undisturbed = swaps.iter().filter(quiet).filter_map(|s| s.pause_us);
    findings.row(Row::median(
        format!("the same where the host made CPUs wait for less than {HOST_WAIT_US} us"),
        undisturbed.collect(),
        "us",
    ));
    let refused: Vec<String> = swaps
        .iter()
        .filter_map(|s| s.refused.as_ref().map(|why| format!("{}: {why}", s.cell)))
        .collect();
    findings.row(
        Row::one("swaps refused and tried again", refused.len() as f64, "")
            .note(refused.join("; ")),
    );
}

/// The chart of the run with swaps, and its longest time without a commit.
fn chart(
    paths: &Paths,
    wishes: &Wishes,
    findings: &mut Findings,
    swapped: &Outcome,
    watch: &Watch,
) -> Result<()> {
    let done = swapped.latencies.done();
    let silence = Timeline::longest_silence(done) as f64 / 1e3;
    let row = Row::one("longest time without a commit, with swaps", silence, "ms");
    findings.row(row);
    let title = format!("TPC-B, {} clients, swaps of cells", wishes.clients);
    watch.chart(&wishes.svg(paths), &title, done)
}

fn latencies(findings: &mut Findings, quiet: &Outcome, swapped: &Outcome) {
    let quiet = quiet.latencies.rows("quiet");
    let swapped = swapped.latencies.rows("with swaps");
    for (quiet, swapped) in quiet.iter().zip(&swapped) {
        let ratio = swapped.value.zip(quiet.value).map(|(s, q)| s / q);
        let note = ratio.map_or(String::new(), |ratio| {
            format!("{ratio:.2} times the quiet run")
        });
        findings.row(quiet.clone());
        findings.row(swapped.clone().note(note));
    }
}

/// Memory in use in KiB, and the cells loaded, once everything has settled.
fn memory(guest: &Guest) -> Result<(f64, u64)> {
    std::thread::sleep(SETTLE);
    let answer = guest.shell("mem")?;
    let number = |what: &str| {
        let rest = answer.lines().find_map(|line| line.strip_prefix(what));
        let word = rest.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse::<u64>().ok())
            .with_context(|| format!("`mem` does not say `{what}`"))
    };
    Ok((number("in use")? as f64, number("cells loaded")?))
}
