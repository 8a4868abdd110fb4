//! `push`: builds cells from the working tree and swaps them into the running
//! system as one set, with all that must come with them. The system answers with the
//! pause; how long each step took is printed below, and how long ago the last source
//! file of these cells was saved.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use lexopt::Parser;

use super::parse_remote;
use crate::client::{self, ClientError};
use crate::instance::Instance;
use crate::paths::Paths;
use crate::running::Running;
use crate::{pipeline, push, revision};

/// A file that was saved longer ago than this was not saved for this push.
const FRESH: Duration = Duration::from_secs(600);

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let remote = parse_remote(parser)?;
    if remote.words.is_empty() {
        bail!("push wants the names of cells");
    }
    let instance = Instance::new(paths, remote.port);
    if !instance.is_running() {
        bail!("no system is running on port {}", remote.port);
    }
    let started = (Instant::now(), SystemTime::now());
    // The system answers while the cells are compiled.
    let (parts, running) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| Running::ask(&instance));
        let parts = pipeline::prepare(paths);
        (parts, asking.join().expect("asking does not panic"))
    });
    let (mut parts, running) = (parts?, running?);
    parts.label = revision::working_tree(paths);
    let push = push::plan(&parts, &running, &remote.words)?;
    eprintln!(
        "{:>10} {} ({} KiB)",
        "Pushing",
        push.names.join(" "),
        push.archive.len() / 1024
    );
    let built = started.0.elapsed();
    let limit = Duration::from_secs(remote.deadline.unwrap_or(120));
    match client::push(&instance, &push.archive, limit) {
        Ok(answer) => {
            println!("{}", answer.trim_end());
            let taken = started.0.elapsed();
            print!(
                "built in {:.1} s ({}), loaded and swapped in {:.1} s",
                built.as_secs_f32(),
                parts.spent,
                (taken - built).as_secs_f32()
            );
            match saved(paths, &push.names).and_then(|at| started.1.duration_since(at).ok()) {
                Some(ago) if ago < FRESH => println!(
                    "; {:.1} s from saving to running",
                    (ago + taken).as_secs_f32()
                ),
                _ => println!(),
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(ClientError::Refused(reason)) => {
            bail!("the system refuses: {}", reason.trim_end());
        }
        Err(error) => Err(error.into()),
    }
}

/// When the last source file of these crates was saved.
fn saved(paths: &Paths, names: &[String]) -> Option<SystemTime> {
    let folders = ["cells", "pg_cells", "mod_mgmt", "."];
    let folder = |name: &String| {
        let (name, port) = match name.strip_suffix("_port") {
            Some(name) => (name, "port/src"),
            None => (name.as_str(), "src"),
        };
        let places = folders.map(|folder| paths.root().join(folder).join(name).join(port));
        places.into_iter().find(|place| place.is_dir())
    };
    let mut latest = None;
    for folder in names.iter().filter_map(folder) {
        look(&folder, &mut latest);
    }
    latest
}

fn look(folder: &Path, latest: &mut Option<SystemTime>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => look(&path, latest),
            false => {
                let saved = entry.metadata().and_then(|data| data.modified()).ok();
                *latest = (*latest).max(saved);
            }
        }
    }
}
