//! A campaign: one fault at a time in a loaded cell, under transfers and questions,
//! and what became of it.
//!
//! One system serves many faults: the same clients go on, and after each fault the
//! damaged cell is replaced. What is in doubt is looked at while they work: numbers
//! that were acknowledged, sums and counts, in one statement each. Every account is
//! added up and every question asked now and then, and whenever something was wrong.
//! The system boots again after damage that a replacement does not undo, and when it
//! was lost or hung.
//!
//! Damage to code goes where code runs: `profile` finds the blocks that the load
//! executes. pgbench is not the load here: it gives a client up at its first error,
//! and cannot say what was acknowledged.
//!
//! Each fault follows from the seed and its number alone, so a campaign goes on where
//! its table ends (`--append`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Wishes;
use super::crashes::USUAL;
use super::findings::Findings;
use super::profile::Hot;
use super::random::Random;
use super::site::{Bench, PATIENCE};
use super::verdict::{Class, Fault, Table, summary};
use crate::bench::report::Row;

/// Damage, done by `inject`; everything else is a word of `crash`.
pub(super) const DAMAGE: [&str; 5] = ["text", "skip", "data", "word", "state"];
const EXPLICIT: [&str; 11] = [
    "panic", "null", "wild", "divide", "opcode", "stack", "loop", "execute", "relock", "wait",
    "memory",
];
/// Cells that carry load beside those of the database.
const DRIVERS: [&str; 5] = ["nvme", "virtio_net", "net", "sched", "time"];
/// Of those, the ones that run with interrupts off. They are not damaged: a clock that
/// answers wrongly is no fault that anybody could see. And they cannot wait.
const LEAVES: [&str; 2] = ["sched", "time"];
/// After so many faults everything is looked at, not only what is quick.
const DEEP: usize = 25;

/// A cell, and what is done to it.
fn choose(cells: &[String], kinds: &[String], random: &mut Random) -> (String, String) {
    loop {
        let (cell, kind) = (random.pick(cells), random.pick(kinds));
        let damage = DAMAGE.contains(&kind.as_str()) || kind == "wait";
        // The second half: with none but such kinds there is nothing else.
        if !(LEAVES.contains(&cell.as_str()) && damage) || random.below(50) == 0 {
            return (cell.clone(), kind.clone());
        }
    }
}

pub(super) fn run(
    paths: &crate::paths::Paths,
    wishes: &Wishes,
    findings: &mut Findings,
) -> Result<()> {
    let usual = |cell: &str| USUAL.contains(&cell) || DRIVERS.contains(&cell);
    let (mut bench, cells) = Bench::set_up(paths, wishes, usual)?;
    let kinds: Vec<String> = match wishes.faults.as_slice() {
        [] => DAMAGE
            .iter()
            .chain(&EXPLICIT)
            .map(|k| k.to_string())
            .collect(),
        named => named.to_vec(),
    };
    let aims = kinds.iter().any(|kind| aims(kind));
    let hot = match aims && wishes.aim {
        true => Hot::find(paths, wishes, &mut bench).context("no profile")?,
        false => Hot::default(),
    };
    let mut table = Table::open(&wishes.csv(paths), wishes.append)?;
    let (began, mut done) = (Instant::now(), 0);
    let first = table.faults.len() + 1;
    let over = || wishes.minutes > 0 && began.elapsed().as_secs() >= wishes.minutes * 60;
    for number in first..first + wishes.times {
        if over() {
            break;
        }
        let mut random = Random::new(wishes.seed ^ (number as u64) << 32);
        let (cell, kind) = choose(&cells, &kinds, &mut random);
        let seed = random.next() >> 1;
        let aim = hot.pick(&cell, &kind, &mut random);
        let started = Instant::now();
        let mut fault = Fault::new(number, seed, cell, kind);
        one(&mut bench, &mut fault, aim)?;
        fault.ms = started.elapsed().as_millis() as u64;
        println!("{}", fault.line());
        table.add(fault)?;
        done += 1;
    }
    eprintln!("{:>10} {}", "Written", table.path().display());
    // What quick looks have missed is the last faults' affair.
    let mut last = Fault::new(0, 0, String::new(), String::new());
    let sound = bench.verify(&mut last, true);
    findings.check(
        "everything is as it should be at the end",
        sound,
        last.detail,
    );
    report(findings, &table.faults);
    let seconds = began.elapsed().as_secs_f64();
    findings.row(Row::one(
        "faults a minute",
        60.0 * f64::from(done) / seconds,
        "",
    ));
    let fresh = table.faults.iter().skip(first - 1);
    let manifested = fresh.filter(|f| f.class != Class::Silent).count();
    findings.row(Row::one(
        "time for each that manifested",
        seconds / manifested.max(1) as f64,
        "s",
    ));
    Ok(())
}

/// Whether a kind damages code, at a place that can be chosen.
fn aims(kind: &str) -> bool {
    matches!(kind, "text" | "skip")
}

/// Puts one fault in and finds out what becomes of it.
fn one(bench: &mut Bench, fault: &mut Fault, aim: Option<u32>) -> Result<()> {
    let is_damage = DAMAGE.contains(&fault.kind.as_str());
    if let Err(why) = bench.ready() {
        fault.detail = format!("no load before the fault: {why:#}");
        bench.kill();
        bench.ready().context("no load on a fresh system")?;
    }
    let before = bench.state();
    let command = match (is_damage, aim) {
        (true, Some(at)) => format!("inject {} {} {} {at}", fault.cell, fault.kind, fault.seed),
        (true, None) => format!("inject {} {} {}", fault.cell, fault.kind, fault.seed),
        (false, _) => format!("crash {} {}", fault.cell, fault.kind),
    };
    let mut replaced = false;
    if bench.inject(&command, is_damage, fault) {
        bench.watch(fault);
        if let (false, Some(before)) = (is_damage, &before) {
            // Else it would hit somebody in the middle of the next one.
            bench.await_fault(before.faults);
        }
        let after = bench.alive(fault);
        if let (Some(before), Some(after)) = (&before, &after) {
            fault.faults = after.faults.saturating_sub(before.faults);
            let repair = after.repairs.get(&fault.cell);
            let earlier = before.repairs.get(&fault.cell);
            if let Some(repair) = repair.filter(|r| Some(&r.at) != earlier.map(|e| &e.at)) {
                (fault.caught_us, fault.served_us) = (repair.caught, repair.served);
                fault.replaced_us = repair.replaced;
                replaced = repair.replaced.is_some();
            }
        }
    }
    if fault.class >= Class::System || fault.hung > 0 {
        bench.kill();
    }
    bench.judge(fault)?;
    // An explicit fault leaves no damage in code; what replaced the cell has none.
    let cured = match (is_damage, replaced) {
        (false, _) => true,
        (true, _) => bench.replace(&fault.cell),
    };
    let deep = fault.class >= Class::Connection || bench.trials().is_multiple_of(DEEP);
    let sound = cured && bench.verify(fault, deep);
    if !sound || fault.kind == "state" && fault.class != Class::System {
        bench.kill();
        bench.verify_after_boot(fault)?;
    }
    Ok(())
}

fn report(findings: &mut Findings, faults: &[Fault]) {
    println!("\n{}", summary(faults, "kind", |f| &f.kind));
    println!("{}", summary(faults, "cell", |f| &f.cell));
    let count = |wanted: &dyn Fn(&Fault) -> bool| faults.iter().filter(|f| wanted(f)).count();
    let manifested = count(&|f| f.class != Class::Silent);
    let lost = count(&|f| f.class == Class::System);
    let share = 100.0 * (manifested - lost) as f64 / manifested.max(1) as f64;
    findings.row(Row::one("faults", faults.len() as f64, ""));
    findings.row(Row::one("manifested", manifested as f64, ""));
    findings.row(Row::one("manifested and the system lives", share, "%"));
    for (name, of) in [
        (
            "fault to caught",
            (|f| f.caught_us) as fn(&Fault) -> Option<u64>,
        ),
        ("fault to the first call served", |f| f.served_us),
        ("fault to replaced", |f| f.replaced_us),
    ] {
        let at_once = faults
            .iter()
            .filter(|f| f.kind != "loop" && f.kind != "wait");
        let values: Vec<f64> = at_once.filter_map(of).map(|us| us as f64 / 1e3).collect();
        findings.row(Row::median(
            format!("{name}, the system's clock"),
            values,
            "ms",
        ));
    }
    findings.check(
        "the system lives after 95 % of manifested faults",
        share >= 95.0,
        format!("{share:.1} %"),
    );
    let commits: usize = faults.iter().map(|f| f.commits_lost).sum();
    findings.equal("acknowledged commits lost", commits, 0);
    let leaked: u64 = faults.iter().map(|f| f.leaked).sum();
    findings.equal("things still held when all clients rested", leaked, 0);
    let explicit = count(&|f| f.class == Class::Data && !DAMAGE.contains(&f.kind.as_str()));
    findings.equal("explicit faults that made data wrong", explicit, 0);
    let readers: usize = faults
        .iter()
        .filter(|f| !DAMAGE.contains(&f.kind.as_str()))
        .map(|f| f.reader_errors)
        .sum();
    findings.row(Row::one(
        "explicit faults that a reader saw",
        readers as f64,
        "",
    ));
    let random = count(&|f| f.class == Class::Data && DAMAGE.contains(&f.kind.as_str()));
    findings.row(Row::one("damage that made data wrong", random as f64, ""));
    findings.keep("by kind", by(faults, |f| &f.kind));
    findings.keep("by cell", by(faults, |f| &f.cell));
}

/// How many of which class, by what `of` says.
fn by(faults: &[Fault], of: fn(&Fault) -> &str) -> BTreeMap<&str, BTreeMap<&'static str, usize>> {
    let mut counts: BTreeMap<&str, BTreeMap<&'static str, usize>> = BTreeMap::new();
    for fault in faults {
        let classes = counts.entry(of(fault)).or_default();
        *classes.entry(fault.class.name()).or_default() += 1;
    }
    counts
}

/// How long a fault is watched, at the least.
pub(super) fn settle(wishes: &Wishes) -> Duration {
    Duration::from_millis(wishes.settle).min(PATIENCE)
}
