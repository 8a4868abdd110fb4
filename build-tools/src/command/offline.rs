//! `check FILE` and `power`: handed to the program that has the storage cells
//! linked in, which is built anew when one of them has changed.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};
use lexopt::Parser;

use crate::paths::Paths;
use crate::toolchain::cargo;

/// Runs it with the rest of the command line.
pub(super) fn run(paths: &Paths, word: &str, parser: &mut Parser) -> Result<ExitCode> {
    let arguments: Vec<OsString> = parser.raw_args()?.collect();
    start(paths, word, arguments)
}

/// Runs it with these arguments.
pub(super) fn start(
    paths: &Paths,
    word: &str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<ExitCode> {
    let status = cargo(paths)
        .args(["run", "--quiet", "--package", "offline"])
        .args(["--example", "offline", "--manifest-path"])
        .arg(paths.root().join("Cargo.toml"))
        .args(["--", word])
        .args(arguments)
        // Files are named from where the caller stands.
        .current_dir(std::env::current_dir()?)
        .status()
        .context("cannot start cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
