//! `power`: power cuts on the real stack.

pub mod client;
pub mod image;
pub mod log;
pub mod random;

use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::Parser;

/// Runs the command.
///
/// # Errors
/// When a step fails.
pub fn command(parser: &mut Parser) -> Result<ExitCode> {
    let _ = parser;
    bail!("not yet")
}
