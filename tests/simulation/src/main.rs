//! Runs seeds, each in a process of its own, as many at a time as there are
//! CPUs; or one seed again, with every event.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const HELP: &str = "\
simulation --seeds N [--first N] [--jobs N]   runs N seeds
simulation --seed N [-v]                      runs one, with -v telling every event";

#[derive(Default)]
struct Wanted {
    seed: Option<u64>,
    seeds: u64,
    first: u64,
    jobs: Option<usize>,
    verbose: bool,
}

fn parse() -> Result<Option<Wanted>> {
    let mut wanted = Wanted::default();
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("seed") => wanted.seed = Some(parser.value()?.parse()?),
            Arg::Long("seeds") => wanted.seeds = parser.value()?.parse()?,
            Arg::Long("first") => wanted.first = parser.value()?.parse()?,
            Arg::Long("jobs") => wanted.jobs = Some(parser.value()?.parse()?),
            Arg::Short('v') => wanted.verbose = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(wanted))
}

fn main() -> Result<()> {
    let Some(wanted) = parse()? else {
        println!("{HELP}");
        return Ok(());
    };
    if let Some(seed) = wanted.seed {
        let summary = simulation::run::seed(seed, wanted.verbose);
        let outcome = summary.outcome;
        println!(
            "seed {seed}: hash {:016x}, {} commits, {} starts, {} switches, {} ms",
            outcome.hash,
            summary.commits,
            summary.starts,
            outcome.switches,
            outcome.time / 1_000_000
        );
        // Tasks that wait for ever must not keep the process.
        std::process::exit(0);
    }
    if wanted.seeds == 0 {
        bail!("{HELP}");
    }
    run_many(&wanted)
}

fn one(seed: u64) -> Result<Output> {
    let program = std::env::current_exe().context("finding this program")?;
    let child = Command::new(program)
        .args(["--seed", &seed.to_string()])
        .stdin(Stdio::null())
        .output();
    child.with_context(|| format!("running seed {seed}"))
}

fn run_many(wanted: &Wanted) -> Result<()> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = wanted.jobs.unwrap_or(cpus).max(1);
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    let begun = Instant::now();
    let work = || -> Result<()> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= wanted.seeds {
                return Ok(());
            }
            let seed = wanted.first + at;
            let output = one(seed)?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                let first: Vec<&str> = said.lines().take(3).collect();
                println!(
                    "seed {seed} failed ({}): {}",
                    output.status,
                    first.join("\n  ")
                );
                if let Ok(mut failed) = failed.lock() {
                    failed.push(seed);
                }
            }
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_multiple_of(100) {
                let seconds = begun.elapsed().as_secs().max(1);
                println!("{count} of {} seeds, {seconds} s", wanted.seeds);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(_) => bail!("a worker failed"),
            })
    })?;
    let mut failed = failed.into_inner().unwrap_or_default();
    failed.sort_unstable();
    if !failed.is_empty() {
        bail!("{} seeds failed: {failed:?}", failed.len());
    }
    let seconds = begun.elapsed().as_secs();
    println!("{} seeds clean, {seconds} s", wanted.seeds);
    Ok(())
}
