//! The command: options, the trial, what it found, the file.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use super::findings::{Findings, Record};
use super::{KINDS, Wishes};
use crate::bench::report::Origin;
use crate::command::value;
use crate::paths::Paths;
use crate::{pipeline, qemu};

fn parse(parser: &mut Parser) -> Result<Wishes> {
    let mut wishes = Wishes {
        kind: String::new(),
        seconds: 0,
        clients: 0,
        scale: 0,
        seed: 1,
        times: 0,
        transactions: None,
        cells: Vec::new(),
        faults: Vec::new(),
        mixed: false,
        buffers: String::new(),
        watch: false,
        settle: 150,
        manifested: 0,
        minutes: 0,
        append: false,
        aim: true,
        memory: "2G".into(),
        through: String::new(),
        out: None,
        build: true,
    };
    let list = |parser: &mut Parser| -> Result<Vec<String>> {
        let words = parser.value()?.string()?;
        Ok(words
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(str::to_string)
            .collect())
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(word) if wishes.kind.is_empty() => wishes.kind = word.string()?,
            Arg::Long("seconds") => wishes.seconds = value(parser, "seconds")?,
            Arg::Long("clients") => wishes.clients = value(parser, "clients")?,
            Arg::Long("scale") => wishes.scale = value(parser, "scale")?,
            Arg::Long("seed") => wishes.seed = value(parser, "seed")?,
            Arg::Long("times") => wishes.times = value(parser, "times")?,
            Arg::Long("transactions") => {
                wishes.transactions = Some(value(parser, "transactions")?);
            }
            Arg::Long("cells") => wishes.cells = list(parser)?,
            Arg::Long("faults") => wishes.faults = list(parser)?,
            Arg::Long("settle") => wishes.settle = value(parser, "settle")?,
            Arg::Long("manifested") => wishes.manifested = value(parser, "manifested")?,
            Arg::Long("minutes") => wishes.minutes = value(parser, "minutes")?,
            Arg::Long("append") => wishes.append = true,
            Arg::Long("anywhere") => wishes.aim = false,
            Arg::Long("mixed") => wishes.mixed = true,
            Arg::Long("through") => wishes.through = parser.value()?.string()?,
            Arg::Long("last") => wishes.times = value(parser, "last")?,
            Arg::Long("buffers") => wishes.buffers = value(parser, "buffers")?,
            Arg::Long("watch") => wishes.watch = true,
            Arg::Long("memory") => wishes.memory = value(parser, "memory")?,
            Arg::Long("out") => wishes.out = Some(parser.value()?.into()),
            Arg::Long("no-build") => wishes.build = false,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(wishes)
}

/// `trial KIND`: does it, prints what it found, writes the JSON. Success is
/// that every check holds.
///
/// # Errors
/// When the options are wrong, nothing can be built, the load does not start,
/// or the file cannot be written.
pub fn run(paths: &Paths, parser: &mut Parser) -> Result<ExitCode> {
    let mut wishes = parse(parser)?;
    let Some(kind) = KINDS.iter().find(|kind| kind.name == wishes.kind) else {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        bail!(
            "usage: trial KIND [OPTIONS]; kinds are {}",
            names.join(", ")
        );
    };
    if wishes.times == 0 {
        wishes.times = kind.times;
    }
    if wishes.scale == 0 {
        wishes.scale = kind.scale;
    }
    if wishes.seconds == 0 {
        wishes.seconds = kind.seconds;
    }
    if wishes.clients == 0 {
        wishes.clients = kind.clients;
    }
    qemu::ensure()?;
    // Revisions are built by themselves.
    if wishes.build && kind.name != "revisions" {
        pipeline::build(paths)?;
    }
    let origin = Origin::here(paths);
    println!("{}", origin.head());
    let mut findings = Findings::default();
    let ended = (kind.run)(paths, &wishes, &mut findings);
    if let Err(error) = &ended {
        findings.check("the trial ran to its end", false, format!("{error:#}"));
    }
    println!("\n{}", findings.table());
    let out = wishes.json(paths);
    let record = Record {
        origin: &origin,
        wishes: &wishes,
        passed: findings.passed(),
        findings: &findings,
    };
    let json = serde_json::to_string_pretty(&record)? + "\n";
    std::fs::write(&out, json).with_context(|| format!("cannot write {}", out.display()))?;
    eprintln!("{:>10} {}", "Written", out.display());
    Ok(match findings.passed() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
