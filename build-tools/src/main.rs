//! The command line of Mitos: `cargo run -- COMMAND`. Everything is in the
//! library, so that the system tests use the same code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mitos::command::main().unwrap_or_else(|error| {
        eprintln!("mitos: {error:#}");
        ExitCode::FAILURE
    })
}
