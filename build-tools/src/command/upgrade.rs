//! `upgrade`: builds another revision of this repository and swaps what differs
//! into the running system, set by set, with the plan shown first.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use super::{DEFAULT_PORT, value};
use crate::instance::Instance;
use crate::paths::Paths;
use crate::revision::Revision;
use crate::running::Running;
use crate::upgrade::{self, Taken};

/// What was asked for.
struct Wanted {
    port: u16,
    deadline: Duration,
    plan_only: bool,
    revision: String,
}

fn parse(parser: &mut Parser) -> Result<Wanted> {
    let (mut port, mut deadline, mut plan_only, mut revision) = (DEFAULT_PORT, 120, false, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("pg-port") => port = value(parser, "pg-port")?,
            Arg::Long("deadline") => deadline = value(parser, "deadline")?,
            Arg::Long("plan") => plan_only = true,
            Arg::Value(word) if revision.is_none() => revision = Some(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Wanted {
        port,
        deadline: Duration::from_secs(deadline),
        plan_only,
        revision: revision.context("upgrade wants a revision: a branch, a tag, a commit")?,
    })
}

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let wanted = parse(parser)?;
    let instance = Instance::new(paths, wanted.port);
    if !instance.is_running() {
        bail!("no system is running on port {}", wanted.port);
    }
    let revision = Revision::find(paths, &wanted.revision)?;
    println!("to {} {}", revision.label(), revision.subject);
    let parts = revision.build(paths)?;
    let running = Running::ask(&instance)?;
    let plan = upgrade::plan(&parts, &running);
    print!("{}", plan.text());
    if wanted.plan_only {
        return Ok(ExitCode::SUCCESS);
    }
    let (started, count) = (Instant::now(), plan.sets.len());
    let tell = |number: usize, taken: &Taken| {
        let pause = taken.pause_us.unwrap_or_default();
        println!(
            "{:>4} of {count}  {:>4.1} s  pause {pause} us  {}",
            number + 1,
            taken.seconds,
            taken.cells.join(" ")
        );
    };
    upgrade::carry_out(&plan, &parts, &instance, wanted.deadline, tell)?;
    if count > 0 {
        println!("done in {:.1} s", started.elapsed().as_secs_f64());
    }
    Ok(match plan.is_whole() {
        true => ExitCode::SUCCESS,
        // What could not be replaced was named.
        false => ExitCode::FAILURE,
    })
}
