//! `push`: builds cells from the working tree and swaps them into the running
//! system as one set. The system answers with the pause.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use control::Verb;
use lexopt::Parser;

use super::parse_remote;
use crate::client;
use crate::instance::Instance;
use crate::paths::Paths;
use crate::pipeline;

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let remote = parse_remote(parser)?;
    if remote.words.is_empty() {
        bail!("push wants the names of cells");
    }
    let instance = Instance::new(paths, remote.port);
    if !instance.is_running() {
        bail!("no system is running on port {}", remote.port);
    }
    let archive = pipeline::build_push(paths, &remote.words)?;
    let limit = Duration::from_secs(remote.deadline.unwrap_or(120));
    let answer = client::request(&instance, Verb::Push, &archive, limit)?;
    println!("{}", String::from_utf8_lossy(&answer).trim_end());
    Ok(ExitCode::SUCCESS)
}
