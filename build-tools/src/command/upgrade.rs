//! `upgrade`: builds another revision of this repository and swaps what differs
//! into the running system, set by set, with the plan shown first.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use super::{DEFAULT_PORT, value};
use crate::client;
use crate::instance::Instance;
use crate::keys::Keys;
use crate::paths::Paths;
use crate::run::text;
use crate::running::Running;
use crate::{pipeline, push, upgrade};

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
    let tree = check_out(paths, &wanted.revision)?;
    // The running system trusts the key it was built with.
    let parts = pipeline::prepare_with(&Paths::at(tree), Keys::load(paths)?, &[])?;
    let running = Running::ask(&instance)?;
    let sets = upgrade::sets(&parts, &running)?;
    println!("plan: {} sets", sets.len());
    for (number, set) in sets.iter().enumerate() {
        let names: Vec<&str> = set.iter().copied().collect();
        println!("{:>4}  {}", number + 1, names.join(" "));
    }
    let left = upgrade::left(&parts, &running, &sets);
    if !left.is_empty() {
        println!("as they were loaded until a restart: {}", left.join(" "));
    }
    if wanted.plan_only {
        return Ok(ExitCode::SUCCESS);
    }
    for (number, set) in sets.iter().enumerate() {
        let push = push::pack(&parts, set);
        let answer = client::push(&instance, &push.archive, wanted.deadline).with_context(|| {
            format!(
                "set {} was not taken; {number} of {} are in place, and `upgrade` with the former revision takes them back",
                number + 1,
                sets.len()
            )
        })?;
        println!("{:>4}  {}", number + 1, answer.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

/// The sources of a revision, in a work tree of their own that is kept: the next
/// upgrade compiles only what differs.
fn check_out(paths: &Paths, revision: &str) -> Result<PathBuf> {
    let git = || {
        let mut git = Command::new("git");
        git.arg("-C").arg(paths.root());
        git
    };
    let commit = format!("{revision}^{{commit}}");
    let commit = text(git().args(["rev-parse", "--verify", "--quiet", &commit]))
        .with_context(|| format!("there is no revision `{revision}`"))?;
    let tree = paths.target().join("upgrade/tree");
    if tree.join(".git").exists() {
        let mut git = Command::new("git");
        git.arg("-C").arg(&tree);
        text(git.args(["checkout", "--quiet", "--detach", "--force", &commit]))?;
    } else {
        text(git().args(["worktree", "prune"]))?;
        text(
            git()
                .args(["worktree", "add", "--quiet", "--detach", "--force"])
                .arg(&tree)
                .arg(&commit),
        )?;
    }
    Ok(tree)
}
