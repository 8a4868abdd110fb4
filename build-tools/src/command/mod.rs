//! The commands of `cargo run -- COMMAND`, one file each, and their arguments.

mod boot;
mod build;
mod check;
mod offline;
mod push;
mod shell;
mod stop;
mod test_guest;
mod upgrade;

use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use lexopt::{Arg, Parser, ValueExt};

use crate::paths::Paths;

/// The port of PostgreSQL, unless `--pg-port` says otherwise.
pub const DEFAULT_PORT: u16 = 5432;

const USAGE: &str = "\
usage: cargo run -- [COMMAND]

  boot [OPTIONS]             build, pack and boot (also without a command)
      --pg-port N            forward 127.0.0.1:N to the system (5432)
      --disk FILE            the NVMe disk, kept between runs (target/mitos-disk.img)
      --memory SIZE          (1G)        --cpus N  (2)
      --accel auto|kvm|tcg   (auto: KVM when it really works)
      --headless             leave the console on a socket, not on the terminal
      --deadline SECONDS     give up when not ready in time (180)
      --append KEY=VALUE     boot option, may be repeated
      --qemu-arg ARG         passed to QEMU, may be repeated
      --overwrite-disk       make a new database on a disk that holds something else
      --snapshot             forget what is written to the disk
      --gdb                  wait for a debugger on port 1234
      --trace-int            log interrupts to target/run/PORT/interrupts.log
      --count-instructions   one CPU, one instruction a nanosecond: for measuring
      --no-build             boot the image as it is
  build                      build and pack only
  shell [--pg-port N] [--deadline SECONDS] 'COMMAND'
                             run a shell command in the running system
  push [--pg-port N] [--deadline SECONDS] CELL...
                             build cells and swap them in, as one set with all
                             that must come with them
  upgrade [--pg-port N] [--plan] REVISION
                             build another revision of this repository and swap
                             what differs into the running system, set by set;
                             --plan shows what it would do
  stop [--pg-port N] [--deadline SECONDS]
                             shut the running system down
  test-guest NAME [boot's OPTIONS]
                             boot with test=NAME; success is the guest's
  check                      formatting, lints and house rules
  check FILE [--json]        search a disk file for damage; it is only read
  power [OPTIONS]            cut the power of a system under load, image by image
      --images N  --seed N   (1000, 1)
      --seconds N            of load (60)
      --tellers N  --builders N  --pgbench N  clients (4, 3, 2)
      --boots N              images that are booted too (5)
      --keep DIR             keep the recording   --recorded DIR  use one
      --only N               this image alone     --out FILE  the JSON
      --fresh                from the first boot on, formatting included
      --lying                a disk that ignores force: losses must show
  bench [OPTIONS]            measure; prints a table, writes bench/results.json
      --only ROWS            boot, inside, swap, pauses, echo, pgbench, logic,
                             insns
      --repeat N             (5)         --no-build
      --seconds N  --scale N of each pgbench load (10, 10)
      --server PORT          pgbench and logic: measure this server instead
      --spots N              functions listed in a profile (12)
      --sqllogictest DIR     scripts (or MITOS_SQLLOGICTEST)
      --file-limit SECONDS   for each of them (60)
      --out FILE             the JSON, also of some rows only
  trial KIND [OPTIONS]       do something to a system under pgbench's load and
                             check what was promised; writes bench/trial-KIND.json
      KIND                   swaps, revisions, kills, crashes, faults
      --seconds N  --clients N  --scale N of the load (60, 8, 10; faults: 2, 8, 1)
      --mixed                clients on all three modes of the protocol
      --seed N               decides moments, order and choice (1)
      --times N              kills (5), swaps (10) or crashes (1) of each cell,
                             faults in all (200)
      --last N               revisions: the latest N that touch pg_cells (20)
      --through FROM..TO     revisions: from this one, by all that touch pg_cells
      --cells LIST|all       which cells, separated by commas
      --faults LIST          kinds: panic,null,wild,divide,opcode,stack,loop,
                             execute,relock,wait,memory; and for faults also
                             text,skip,data,word,state
      --memory SIZE (2G)     --out FILE    --no-build
";

/// Runs the command that the process was started with.
pub fn main() -> Result<ExitCode> {
    let paths = Paths::new();
    let mut parser = Parser::from_env();
    let mut first = parser.raw_args()?;
    let is_option = first.peek().is_some_and(|word| {
        let word = word.to_string_lossy();
        word.starts_with('-') && word != "-h" && word != "--help"
    });
    let command = if is_option {
        "boot".to_string()
    } else {
        first
            .next()
            .map_or("boot".into(), |word| word.to_string_lossy().into_owned())
    };
    match command.as_str() {
        "boot" => boot::run(&paths, &mut parser),
        "build" => build::run(&paths, &mut parser),
        "shell" => shell::run(&paths, &mut parser),
        "push" => push::run(&paths, &mut parser),
        "upgrade" => upgrade::run(&paths, &mut parser),
        "stop" => stop::run(&paths, &mut parser),
        "test-guest" => test_guest::run(&paths, &mut parser),
        "check" => check::run(&paths, &mut parser),
        "power" => offline::run(&paths, "power", &mut parser),
        "bench" => crate::bench::run(&paths, &mut parser),
        "trial" => crate::trial::run(&paths, &mut parser),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("there is no command `{other}`\n{USAGE}"),
    }
}

/// The value of an option, in the option's own type.
pub(crate) fn value<T: FromStr>(parser: &mut Parser, option: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    let word = parser
        .value()
        .with_context(|| format!("--{option} wants a value"))?
        .string()?;
    word.parse()
        .map_err(|error| anyhow!("--{option} {word}: {error}"))
}

/// Arguments of commands that speak to a running system.
struct Remote {
    port: u16,
    deadline: Option<u64>,
    words: Vec<String>,
}

fn parse_remote(parser: &mut Parser) -> Result<Remote> {
    let mut remote = Remote {
        port: DEFAULT_PORT,
        deadline: None,
        words: Vec::new(),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("pg-port") => remote.port = value(parser, "pg-port")?,
            Arg::Long("deadline") => remote.deadline = Some(value(parser, "deadline")?),
            Arg::Value(word) => remote.words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(remote)
}
