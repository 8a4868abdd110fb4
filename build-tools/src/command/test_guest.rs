//! `test-guest`: boots with `test=NAME`; the system runs that test and leaves
//! with an exit code, which decides.

use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::Parser;

use super::{DEFAULT_PORT, boot};
use crate::machine::Console;
use crate::paths::Paths;
use crate::pipeline;
use crate::qemu;
use crate::vm::{End, Vm, free_port};

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let mut options = boot::parse(paths, parser)?;
    let [name] = options.words.as_slice() else {
        bail!("test-guest wants the name of one test")
    };
    let config = &mut options.config;
    config.append.push(format!("test={name}"));
    config.console = Console::Socket;
    config.snapshot = true;
    if config.pg_port == DEFAULT_PORT {
        config.pg_port = free_port()?;
    }
    // A disk of its own, so that a running system keeps the usual one.
    config.disk = paths.target().join("test-disk.img");
    qemu::ensure()?;
    if options.build {
        pipeline::build(paths)?;
    }
    let vm = Vm::start(paths, config)?;
    match vm.wait(Some(options.deadline))? {
        End::Success => {
            println!("test {name} ... ok");
            Ok(ExitCode::SUCCESS)
        }
        end => {
            println!("{}\ntest {name} ... FAILED: {end}", vm.console().trim_end());
            Ok(ExitCode::FAILURE)
        }
    }
}
