//! `shell`: one shell command in the running system; exits 0 or 1.

use std::io::Write;
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
    if remote.words.is_empty() {
        bail!("shell wants a command, such as 'cells'");
    }
    let instance = Instance::new(paths, remote.port);
    let limit = Duration::from_secs(remote.deadline.unwrap_or(60));
    let answer = client::shell(&instance, &remote.words.join(" "), limit)?;
    let mut out = std::io::stdout().lock();
    out.write_all(answer.as_bytes())?;
    if !answer.is_empty() && !answer.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}
