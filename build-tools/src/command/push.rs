//! `push`: builds cells from the working tree and swaps them into the running
//! system as one set, with all that must come with them. The system answers with the pause.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use lexopt::Parser;

use super::parse_remote;
use crate::client::{self, ClientError};
use crate::instance::Instance;
use crate::paths::Paths;
use crate::running::Running;
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
    let parts = pipeline::prepare(paths)?;
    let running = Running::ask(&instance)?;
    let push = push::plan(&parts, &running, &remote.words)?;
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
            bail!("the system refuses: {}", reason.trim_end());
        }
        Err(error) => Err(error.into()),
    }
}
