//! `build`: compile, link and pack; prints where the two files are.

use std::process::ExitCode;

use anyhow::Result;
use lexopt::Parser;

use crate::paths::Paths;
use crate::pipeline;

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    if let Some(argument) = parser.next()? {
        return Err(argument.unexpected().into());
    }
    pipeline::build(paths)?;
    println!("{}", paths.nano_core().display());
    println!("{}", paths.archive().display());
    Ok(ExitCode::SUCCESS)
}
