//! `boot`: builds the image and runs it in QEMU until the system ends.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use lexopt::{Arg, Parser, ValueExt};

use super::{DEFAULT_PORT, value};
use crate::machine::{Config, Console};
use crate::paths::Paths;
use crate::pipeline;
use crate::qemu::{self, Accel};
use crate::vm::{End, READY, Vm};

/// A system under KVM that says nothing for so long is stuck.
const SILENCE: Duration = Duration::from_secs(15);

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
            Arg::Long("overwrite-disk") => config.append.push("disk=overwrite".into()),
            Arg::Long("snapshot") => config.snapshot = true,
            Arg::Long("gdb") => config.gdb = true,
            Arg::Long("count-instructions") => {
                config.count_instructions = true;
                config.accel = Accel::Tcg;
            }
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
    let (vm, is_ready) = if is_auto && config.accel == Accel::Kvm {
        start_on_kvm(paths, &mut config, deadline)?
    } else {
        start(paths, &config, deadline)?
    };
    if is_ready {
        println!("mitos: ready on 127.0.0.1:{}", config.pg_port);
        std::io::stdout().flush()?;
    }
    Ok(match vm.wait(None)? {
        End::Success => ExitCode::SUCCESS,
        end => {
            eprintln!("mitos: the system ended: {end}\n{}", vm.console_tail(40));
            ExitCode::FAILURE
        }
    })
}

/// Starts the system, and says whether it accepts queries. One that does not is
/// kept only for somebody at the terminal, whose shell answers.
fn start(paths: &Paths, config: &Config, deadline: Duration) -> Result<(Vm, bool)> {
    let mut vm = Vm::start(paths, config)?;
    match vm.wait_until_ready(deadline) {
        Ok(()) => Ok((vm, true)),
        Err(error) if config.console == Console::Terminal && vm.end().is_none() => {
            eprintln!("mitos: {error}");
            Ok((vm, false))
        }
        Err(error) => Err(error),
    }
}

/// The probe passed; yet a system that falls silent before it is ready is
/// started once more without KVM, since QEMU stops and stays when KVM meets an
/// instruction it cannot emulate.
fn start_on_kvm(paths: &Paths, config: &mut Config, deadline: Duration) -> Result<(Vm, bool)> {
    let mut vm = Vm::start(paths, config)?;
    while let Ok(line) = vm.wait_for(SILENCE.min(deadline), |_| true) {
        if line.starts_with(READY) {
            return Ok((vm, true));
        }
    }
    drop(vm);
    eprintln!("mitos: KVM does not carry the system, using TCG");
    config.accel = Accel::Tcg;
    let started = start(paths, config, deadline)?;
    qemu::distrust_kvm(paths);
    Ok(started)
}
