//! `check` and `power`; the command line of Mitos starts this program.
//!
//! An example, so that `cargo run` finds one program in the workspace.

use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::{Parser, ValueExt};

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("mitos: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let mut parser = Parser::from_env();
    match parser.next()? {
        Some(lexopt::Arg::Value(word)) => match word.string()?.as_str() {
            "check" => offline::check::command(&mut parser),
            "power" => offline::power::command(&mut parser),
            other => bail!("there is no command `{other}`"),
        },
        _ => bail!("usage: offline check|power ..."),
    }
}
