//! `shell`: one shell command in the running system; exits 0 or 1. `cells --watch` is
//! run again and again, until it is interrupted or the system ends.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use lexopt::Parser;

use super::parse_remote;
use crate::client::{self, ClientError};
use crate::instance::Instance;
use crate::paths::Paths;

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let remote = parse_remote(parser)?;
    if remote.words.is_empty() {
        bail!("shell wants a command, such as 'cells'");
    }
    let instance = Instance::new(paths, remote.port);
    let limit = Duration::from_secs(remote.deadline.unwrap_or(60));
    if remote.words == ["cells", "--watch"] || remote.words == ["cells --watch"] {
        return watch(&instance, limit);
    }
    let answer = client::shell(&instance, &remote.words.join(" "), limit)?;
    let mut out = std::io::stdout().lock();
    out.write_all(answer.as_bytes())?;
    if !answer.is_empty() && !answer.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines of one answer.
const LINES: u32 = 3;
/// What began so long before an answer may have been noted after it (ns).
const OVERLAP_NS: u64 = 2_000_000_000;

/// Shows what the system says of each tenth of a second.
fn watch(instance: &Instance, limit: Duration) -> Result<ExitCode> {
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let since = after.map_or_else(String::new, |ns: u64| format!(" {ns}"));
        let command = format!("cells --watch {LINES}{since}");
        let answer = match client::shell(instance, &command, limit) {
            Err(ClientError::Closed | ClientError::NotRunning(_)) => return Ok(ExitCode::SUCCESS),
            answer => answer?,
        };
        let mut events = Vec::new();
        for line in answer.lines() {
            let is_event = !line.contains(" commits/s ");
            if is_event {
                events.push(line.to_string());
            }
            if !is_event || !seen.iter().any(|told| told == line) {
                println!("{line}");
            }
        }
        // The first answer tells of what is new by itself.
        let last = answer.lines().last().and_then(moment);
        after = last.map(|ns| ns.saturating_sub(OVERLAP_NS)).or(after);
        seen.extend(events);
        let many = seen.len().saturating_sub(1000);
        seen.drain(..many);
    }
}

/// The moment (ns) that a line begins with, in seconds.
fn moment(line: &str) -> Option<u64> {
    let seconds: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some((seconds * 1e9) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_moment() {
        let line = "      12.500 s     432 commits/s";
        assert_eq!(moment(line), Some(12_500_000_000));
        assert_eq!(moment("no such thing"), None);
    }
}
