//! `push`: builds cells from the working tree and swaps them into the running
//! system as one set. The system answers with the pause.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cell_archive::Archive;
use lexopt::Parser;

use super::parse_remote;
use crate::client::{self, ClientError};
use crate::instance::Instance;
use crate::paths::Paths;
use crate::{pipeline, push};

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let remote = parse_remote(parser)?;
    if remote.words.is_empty() {
        bail!("push wants the names of cells");
    }
    let instance = Instance::new(paths, remote.port);
    if !instance.is_running() {
        bail!("no system is running on port {}", remote.port);
    }
    let booted = std::fs::read(instance.archive()).context("the running system's archive")?;
    let booted = Archive::parse(&booted).context("the running system's archive")?;
    let parts = pipeline::prepare(paths)?;
    let push = push::plan(&parts, &booted, &remote.words)?;
    eprintln!(
        "{:>10} {} ({} KiB)",
        "Pushing",
        push.names.join(" "),
        push.archive.len() / 1024
    );
    let limit = Duration::from_secs(remote.deadline.unwrap_or(120));
    match client::push(&instance, &push.archive, limit) {
        Ok(answer) => {
            println!("{}", answer.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Err(ClientError::Refused(reason)) => {
            for line in &push.advice {
                eprintln!("mitos: {line}");
            }
            bail!("the system refuses: {}", reason.trim_end());
        }
        Err(error) => Err(error.into()),
    }
}
