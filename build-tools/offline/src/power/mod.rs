//! `power`: power cuts on the real stack.
//!
//! A system under QEMU works for clients that note what they were told, on a disk
//! whose every write QEMU logs ([`record`]). The log is then replayed: at each
//! place where something new became durable, disks are made up that hold that and
//! a part, chosen by seed, of what was written later ([`image`]). Each is opened
//! with the storage cells in this process, recovered, checked like `check` does,
//! and compared with what the clients were told ([`verify`]): an acknowledged
//! commit is there, any other is there wholly or not at all. Some are booted.
//!
//! The same recording and seed give the same images.

pub mod builders;
pub mod client;
pub mod image;
pub mod journal;
pub mod log;
pub mod random;
pub mod record;
pub mod tellers;
pub mod trial;
pub mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use lexopt::{Arg, Parser, ValueExt};
use mitos::paths::Paths;
use serde_json::json;

use record::{Load, Recording};
use trial::{Outcome, Plan};

struct Options {
    load: Load,
    plan: Plan,
    /// Where the recording is kept.
    folder: Option<PathBuf>,
    /// It is there already.
    recorded: bool,
    build: bool,
    out: Option<PathBuf>,
}

fn parse(parser: &mut Parser) -> Result<Options> {
    let mut options = Options {
        load: Load {
            seconds: 60,
            commits: 1,
            tellers: 4,
            builders: 3,
            pgbench: 2,
            seed: 1,
            fresh: false,
        },
        plan: Plan {
            images: 1000,
            seed: 1,
            boots: 5,
            only: None,
            lying: false,
        },
        folder: None,
        recorded: false,
        build: true,
        out: None,
    };
    while let Some(argument) = parser.next()? {
        let Options { load, plan, .. } = &mut options;
        match argument {
            Arg::Long("images") => plan.images = parser.value()?.parse()?,
            Arg::Long("seed") => {
                plan.seed = parser.value()?.parse()?;
                load.seed = plan.seed;
            }
            Arg::Long("boots") => plan.boots = parser.value()?.parse()?,
            Arg::Long("only") => plan.only = Some(parser.value()?.parse()?),
            Arg::Long("fresh") => load.fresh = true,
            Arg::Long("lying") => plan.lying = true,
            Arg::Long("seconds") => load.seconds = parser.value()?.parse()?,
            Arg::Long("tellers") => load.tellers = parser.value()?.parse()?,
            Arg::Long("builders") => load.builders = parser.value()?.parse()?,
            Arg::Long("pgbench") => load.pgbench = parser.value()?.parse()?,
            Arg::Long("keep") => options.folder = Some(PathBuf::from(parser.value()?)),
            Arg::Long("recorded") => {
                options.folder = Some(PathBuf::from(parser.value()?));
                options.recorded = true;
            }
            Arg::Long("no-build") => options.build = false,
            Arg::Long("out") => options.out = Some(PathBuf::from(parser.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// Runs the command.
///
/// # Errors
/// When a step fails. Images that are wrong are no error but the exit code 1.
pub fn command(parser: &mut Parser) -> Result<ExitCode> {
    let options = parse(parser)?;
    let paths = Paths::new();
    mitos::qemu::ensure()?;
    if options.build && !options.recorded {
        mitos::pipeline::build(&paths)?;
    }
    let own = paths.run().join(format!("power-{}", std::process::id()));
    let folder = options.folder.clone().unwrap_or(own.clone());
    let recording = Recording::at(&std::path::absolute(folder)?);
    let started = Instant::now();
    if !options.recorded {
        let journal = recording.make(&paths, options.load)?;
        println!(
            "recorded: {} acknowledged commits in {} s; refused: {:?}",
            journal.acknowledged(),
            options.load.seconds,
            record::refusals(&journal)
        );
    }
    let outcome = trial::run(&recording, &options.plan, Some(&paths))?;
    let journal = recording.journal()?;
    let results = json!({
        "seed": options.plan.seed,
        "acknowledged_commits": journal.acknowledged(),
        "from_the_first_boot": options.load.fresh,
        "load_seconds": options.load.seconds,
        "clients": { "tellers": options.load.tellers, "builders": options.load.builders, "pgbench": options.load.pgbench },
        "outcome": outcome,
    });
    summary(&outcome, started);
    if let Some(out) = &options.out {
        std::fs::write(out, serde_json::to_string_pretty(&results)? + "\n")?;
    }
    if options.folder.is_none() {
        match outcome.wrong.is_empty() {
            true => std::fs::remove_dir_all(&own)?,
            false => println!("the recording is kept in {}", own.display()),
        }
    }
    Ok(match outcome.wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn summary(outcome: &Outcome, started: Instant) {
    println!(
        "{} images of {} durable moments ({} of {} cut at), {} flushes in {} writes",
        outcome.images,
        outcome.boundaries,
        outcome.boundaries_cut,
        outcome.boundaries,
        outcome.flushes,
        outcome.entries,
    );
    println!(
        "writes not durable at a cut: {} kept, {} lost, {} torn; {} records replayed",
        outcome.kept, outcome.lost, outcome.torn, outcome.records
    );
    println!(
        "{} commits looked for, {} images booted, {} images wrong, {:.0?}",
        outcome.commits,
        outcome.booted,
        outcome.wrong.len(),
        started.elapsed()
    );
}
