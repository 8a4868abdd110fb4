//! The command line of Mitos: `cargo run -- COMMAND`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use mitos::paths::Paths;
use mitos::pipeline;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mitos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let paths = Paths::new();
    match std::env::args().nth(1).as_deref() {
        Some("build") => {
            pipeline::build(&paths)?;
            println!("{}", paths.nano_core().display());
            println!("{}", paths.archive().display());
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("unknown command {other:?}"),
    }
}
