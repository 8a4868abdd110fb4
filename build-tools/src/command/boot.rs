//! `boot`: builds the image and runs it in QEMU until the system ends.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use lexopt::{Arg, Parser, ValueExt};

use super::{DEFAULT_PORT, value};
use crate::paths::Paths;
use crate::pipeline;
use crate::qemu::{self, Accel};
use crate::vm::{Config, Console, End, Vm};

/// The arguments of `boot` and `test-guest`.
pub(super) struct Options {
    pub config: Config,
    pub deadline: Duration,
    pub build: bool,
    pub words: Vec<String>,
}

pub(super) fn parse(paths: &Paths, parser: &mut Parser) -> Result<Options> {
    let disk = paths.target().join("mitos-disk.img");
    let mut config = Config::new(DEFAULT_PORT, disk);
    config.console = Console::Terminal;
    let mut options = Options {
        config,
        deadline: Duration::from_secs(180),
        build: true,
        words: Vec::new(),
    };
    while let Some(argument) = parser.next()? {
        let config = &mut options.config;
        match argument {
            Arg::Long("pg-port") => config.pg_port = value(parser, "pg-port")?,
            Arg::Long("disk") => config.disk = std::path::absolute(parser.value()?)?,
            Arg::Long("memory") => config.memory = value(parser, "memory")?,
            Arg::Long("cpus") => config.cpus = value(parser, "cpus")?,
            Arg::Long("accel") => config.accel = value(parser, "accel")?,
            Arg::Long("headless") => config.console = Console::Socket,
            Arg::Long("append") => config.append.push(value(parser, "append")?),
            Arg::Long("qemu-arg") => config.qemu_args.push(value(parser, "qemu-arg")?),
            Arg::Long("snapshot") => config.snapshot = true,
            Arg::Long("gdb") => config.gdb = true,
            Arg::Long("trace-int") => config.trace_int = true,
            Arg::Long("deadline") => {
                options.deadline = Duration::from_secs(value(parser, "deadline")?);
            }
            Arg::Long("no-build") => options.build = false,
            Arg::Value(word) => options.words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.config.gdb {
        // A stopped guest is not late.
        options.deadline = Duration::from_secs(24 * 3600);
    }
    Ok(options)
}

pub(super) fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let Options {
        mut config,
        deadline,
        build,
        words,
    } = parse(paths, parser)?;
    if let Some(word) = words.first() {
        return Err(lexopt::Error::UnexpectedArgument(word.into()).into());
    }
    qemu::ensure()?;
    if build {
        pipeline::build(paths)?;
    }
    let is_auto = config.accel == Accel::Auto;
    config.accel = config.accel.settle(paths);
    let mut vm = Vm::start(paths, &config)?;
    if let Err(error) = vm.wait_until_ready(deadline) {
        // The probe passed, yet the system did not come up: try once without.
        if !(is_auto && config.accel == Accel::Kvm) {
            return Err(error);
        }
        eprintln!("mitos: KVM does not carry the system, using TCG");
        drop(vm);
        config.accel = Accel::Tcg;
        vm = Vm::start(paths, &config)?;
        vm.wait_until_ready(deadline)?;
        qemu::distrust_kvm(paths);
    }
    println!("mitos: ready on 127.0.0.1:{}", config.pg_port);
    std::io::stdout().flush()?;
    Ok(match vm.wait(None)? {
        End::Success => ExitCode::SUCCESS,
        end => {
            eprintln!("mitos: the system ended: {end}\n{}", vm.console_tail(40));
            ExitCode::FAILURE
        }
    })
}
