//! `check`: what can be said about the sources without booting: formatting,
//! lints, house rules, and that every cell compiles for the system. With a file
//! it is about that disk (see [`super::offline`]).

use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::Parser;

use crate::paths::Paths;
use crate::pipeline;
use crate::toolchain::cargo;

const STEPS: [&[&str]; 3] = [
    &["fmt", "--all", "--check"],
    &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ],
    &["test", "-p", "system_tests", "--test", "tidy"],
];

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let words: Vec<_> = parser.raw_args()?.collect();
    if !words.is_empty() {
        return super::offline::start(paths, "check", words);
    }
    for step in STEPS {
        if !cargo(paths).args(step).status()?.success() {
            bail!("cargo {} failed", step.join(" "));
        }
    }
    pipeline::build(paths)?;
    Ok(ExitCode::SUCCESS)
}
