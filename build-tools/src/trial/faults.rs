//! A campaign: one fault at a time in a loaded cell, under transfers and questions,
//! and what became of it.
//!
//! One system serves many faults: the same clients go on, and after each fault the
//! damaged cell is replaced. What is in doubt is looked at while they work: numbers
//! that were acknowledged, sums and counts, in one statement each. Every account is
//! added up and every question asked now and then, and whenever something was wrong.
//! The system boots again when it was lost, hung, or something is wrong that a
//! replacement does not undo.
//!
//! Damage to code goes where code runs: `profile` finds the instructions that the load
//! executes. pgbench is not the load here: it gives a client up at its first error,
//! and cannot say what was acknowledged.
//!
//! Each fault follows from the seed and its number alone, so a campaign goes on where
//! its table ends (`--append`).

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Wishes;
use super::choice::{Choice, DAMAGE};
use super::crashes::USUAL;
use super::findings::Findings;
use super::outcome::report;
use super::profile::Hot;
use super::site::Bench;
use super::state::State;
use super::verdict::{Class, Fault, Table};
use crate::bench::guest::folder;
use crate::bench::report::{Origin, Row};

/// Cells that carry load beside those of the database.
const DRIVERS: [&str; 5] = ["nvme", "virtio_net", "net", "sched", "time"];
/// After so many faults everything is looked at, not only what is quick.
const DEEP: usize = 25;
/// How long an explicit fault may take to be met: some cells are called now and then
/// only. The watchdog adds its own patience.
const RARELY: Duration = Duration::from_secs(3);
const WATCHDOG: Duration = Duration::from_secs(8);

pub(super) fn run(
    paths: &crate::paths::Paths,
    wishes: &Wishes,
    findings: &mut Findings,
) -> Result<()> {
    let usual = |cell: &str| USUAL.contains(&cell) || DRIVERS.contains(&cell);
    let (mut bench, cells) = Bench::set_up(paths, wishes, usual)?;
    let choice = Choice::new(wishes.seed, cells, &wishes.faults);
    let hot = match choice.aims() && wishes.aim {
        true => Hot::find(paths, wishes, &mut bench).context("no profile")?,
        false => Hot::default(),
    };
    let mut table = Table::open(&wishes.csv(paths), wishes.append)?;
    let revision = Origin::here(paths).commit().to_string();
    let (began, first) = (Instant::now(), table.faults.len() + 1);
    let over = |table: &Table| {
        let minutes = wishes.minutes > 0 && began.elapsed().as_secs() >= wishes.minutes * 60;
        minutes || wishes.manifested > 0 && table.manifested() >= wishes.manifested
    };
    for number in first..first + wishes.times {
        if over(&table) {
            break;
        }
        let (cell, kind, mut random) = choice.of(number);
        let seed = random.next() >> 1;
        let at = hot.pick(&cell, &kind, &mut random);
        let started = Instant::now();
        let mut fault = Fault::new(number, seed, cell, kind);
        fault.revision.clone_from(&revision);
        let words = one(&mut bench, &mut fault, wishes, at)?;
        fault.ms = started.elapsed().as_millis() as u64;
        println!("{}", fault.line());
        if let Some(words) = words.filter(|_| fault.class >= Class::Connection) {
            let file = folder(paths)?.join(format!("fault-{number}.log"));
            std::fs::write(file, format!("{}\n{words}\n", fault.line()))?;
        }
        table.add(fault)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{:>10} {}", "Written", table.path().display());
    // What quick looks have missed is the last faults' affair.
    let mut last = Fault::new(0, 0, String::new(), String::new());
    let sound = bench.ready().is_ok() && bench.verify(&mut last, true);
    findings.check(
        "everything is as it should be at the end",
        sound,
        last.detail,
    );
    report(findings, &table.faults, &wishes.markdown(paths))?;
    let fresh = &table.faults[first - 1..];
    let manifested = fresh.iter().filter(|f| f.class != Class::Silent).count();
    findings.row(Row::one(
        "faults a minute",
        60.0 * fresh.len() as f64 / seconds,
        "",
    ));
    findings.row(Row::one(
        "time for each that manifested",
        seconds / manifested.max(1) as f64,
        "s",
    ));
    if wishes.manifested > 0 {
        findings.check(
            "as many manifested as asked for",
            table.manifested() >= wishes.manifested,
            format!("{} of {}", table.manifested(), wishes.manifested),
        );
    }
    Ok(())
}

/// Milliseconds since it was asked last.
struct Clock(Instant);

impl Clock {
    fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let ms = now.duration_since(self.0).as_millis() as u64;
        self.0 = now;
        ms
    }
}

/// Puts one fault in and finds out what becomes of it. Gives what the console said
/// when it was not contained.
fn one(
    bench: &mut Bench,
    fault: &mut Fault,
    wishes: &Wishes,
    at: Option<Range<u32>>,
) -> Result<Option<String>> {
    let is_damage = DAMAGE.contains(&fault.kind.as_str());
    let mut clock = Clock(Instant::now());
    if let Err(why) = bench.ready() {
        fault.detail = format!("no load before the fault: {why:#}");
        bench.start_over();
        bench.ready().context("no load on a fresh system")?;
    }
    fault.spent.boot = clock.lap();
    let (before, goals) = (bench.state(), bench.goals());
    if !bench.inject(&command(fault, is_damage, at), is_damage, fault) {
        fault.spent.inject = clock.lap();
        return Ok(None);
    }
    fault.spent.inject = clock.lap();
    let window = match fault.kind.as_str() {
        _ if is_damage => Duration::from_millis(wishes.settle),
        "loop" | "wait" => WATCHDOG,
        _ => RARELY,
    };
    let stalled = bench.watch(fault, &goals, window);
    fault.spent.watch = clock.lap();
    mend(bench, fault, is_damage, &before, stalled > 0);
    fault.spent.repair = clock.lap();
    let hangs = fault.hung > 0;
    // Clients that a fresh instance has set free did hang.
    fault.hung = fault.hung.max(stalled);
    bench.judge(fault);
    let mut sound = fault.class != Class::System && !hangs;
    let mut words = (!sound).then(|| bench.last_words());
    if sound {
        let deep = fault.class >= Class::Connection || bench.trials().is_multiple_of(DEEP);
        sound = bench.verify(fault, deep);
        // Some show late.
        sound &= bench.close(fault, &before);
        bench.judge(fault);
        if fault.class >= Class::Connection {
            words = Some(bench.last_words());
        }
    }
    fault.spent.look = clock.lap();
    if !sound {
        bench.kill();
        bench.verify_after_boot(fault);
        fault.spent.boot += clock.lap();
    }
    Ok(words)
}

fn command(fault: &Fault, is_damage: bool, at: Option<Range<u32>>) -> String {
    let Fault {
        cell, kind, seed, ..
    } = fault;
    match (is_damage, at) {
        (true, Some(at)) => {
            let (start, length) = (at.start, at.end - at.start);
            format!("inject {cell} {kind} {seed} {start} {length}")
        }
        (true, None) => format!("inject {cell} {kind} {seed}"),
        (false, _) => format!("crash {cell} {kind}"),
    }
}

/// Waits for the captain's repair, or makes one: an explicit fault leaves no damage in
/// code, and what replaced the cell has none.
fn mend(bench: &mut Bench, fault: &mut Fault, is_damage: bool, before: &State, stalled: bool) {
    if fault.class == Class::System {
        return;
    }
    if fault.kind == "state" {
        bench.undo(&fault.cell);
    }
    if stalled {
        bench.replace(&fault.cell);
    }
    let shown = bench.state().faults > before.faults;
    if shown || stalled {
        bench.settle(fault, before);
    }
    if fault.class == Class::System || !is_damage {
        return;
    }
    let by_captain = bench.state().repair_since(&fault.cell, before).is_some();
    if !by_captain && !bench.replace(&fault.cell) {
        fault.detail += " not replaced;";
    }
}
