//! The command: options, the groups one after the other, the table, the file.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use super::report::{Report, Row};
use super::{GROUPS, Wishes};
use crate::command::value;
use crate::paths::Paths;
use crate::{pipeline, qemu};

fn parse(parser: &mut Parser) -> Result<Wishes> {
    let mut wishes = Wishes {
        only: Vec::new(),
        repeat: 5,
        seconds: 10,
        scale: 10,
        server: None,
        peers: Vec::new(),
        spots: 12,
        logic: std::env::var_os("MITOS_SQLLOGICTEST").map(Into::into),
        logic_limit: Duration::from_secs(60),
        out: None,
        build: true,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("only") => {
                let names = parser.value()?.string()?;
                wishes.only.extend(names.split(',').map(str::to_string));
            }
            Arg::Long("repeat") => wishes.repeat = value::<usize>(parser, "repeat")?.max(1),
            Arg::Long("seconds") => wishes.seconds = value(parser, "seconds")?,
            Arg::Long("scale") => wishes.scale = value(parser, "scale")?,
            Arg::Long("server") => wishes.server = Some(value(parser, "server")?),
            Arg::Long("peer") => wishes.peers.push(parser.value()?.string()?),
            Arg::Long("spots") => wishes.spots = value(parser, "spots")?,
            Arg::Long("sqllogictest") => wishes.logic = Some(parser.value()?.into()),
            Arg::Long("file-limit") => {
                wishes.logic_limit = Duration::from_secs(value(parser, "file-limit")?);
            }
            Arg::Long("out") => wishes.out = Some(parser.value()?.into()),
            Arg::Long("no-build") => wishes.build = false,
            other => return Err(other.unexpected().into()),
        }
    }
    for name in &wishes.only {
        if !GROUPS.iter().any(|group| group.name == name) {
            let names: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
            bail!(
                "there are no rows called `{name}`; there are {}",
                names.join(", ")
            );
        }
    }
    Ok(wishes)
}

/// `bench`: measures, prints the table, writes the JSON.
///
/// # Errors
/// When the options are wrong, nothing can be built, or the file cannot be
/// written. A group that fails is a row of the table.
pub fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let wishes = parse(parser)?;
    qemu::ensure()?;
    if wishes.build {
        pipeline::build(paths)?;
    }
    let mut report = Report::begin(paths);
    let chosen = |name: &str| wishes.only.is_empty() || wishes.only.iter().any(|n| n == name);
    for group in GROUPS.iter().filter(|group| chosen(group.name)) {
        let started = Instant::now();
        eprintln!("{:>10} {}", "Measuring", group.name);
        let rows = (group.measure)(paths, &wishes).unwrap_or_else(|error| {
            let why = format!("{error:#}");
            let first = why.lines().next().unwrap_or("no reason given");
            vec![Row::missing(group.name, first)]
        });
        report.add(group.name, rows, started.elapsed());
    }
    print!("{}", report.table());
    // Part of the rows must not pass for the whole.
    let whole = wishes
        .only
        .is_empty()
        .then(|| paths.root().join("bench/results.json"));
    if let Some(out) = wishes.out.or(whole) {
        let json = serde_json::to_string_pretty(&report)? + "\n";
        std::fs::write(&out, json).with_context(|| format!("cannot write {}", out.display()))?;
        eprintln!("{:>10} {}", "Written", out.display());
    }
    Ok(ExitCode::SUCCESS)
}
