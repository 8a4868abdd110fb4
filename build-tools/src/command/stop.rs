//! `stop`: shuts the running system down cleanly and waits until it is gone.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use lexopt::Parser;

use super::parse_remote;
use crate::client;
use crate::instance::Instance;
use crate::paths::Paths;

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let remote = parse_remote(parser)?;
    if let Some(word) = remote.words.first() {
        bail!("stop takes no argument `{word}`");
    }
    let limit = Duration::from_secs(remote.deadline.unwrap_or(60));
    client::stop(&Instance::new(paths, remote.port), limit)?;
    Ok(ExitCode::SUCCESS)
}
