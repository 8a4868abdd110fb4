//! `cells --watch`: throughput and latency tenth by tenth of a second, and between the
//! lines what happened to cells. All of it is counted inside the system.

use crate::cells::line;
use crate::commands::Outcome;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use captain_port::{CAPTAIN, Pulse, Repair};
use swap_port::history;

/// Between two lines.
const STEP_NS: u64 = 100_000_000;
/// The most lines of one answer: the shell cannot be replaced meanwhile.
const MOST: u64 = 15;
/// A bar is so wide for [`FULL`] transactions in a second.
const WIDTH: u64 = 30;
const FULL: u64 = 3_000;

/// Counters at a moment.
struct Sample {
    at: u64,
    pulse: Pulse,
}

impl Sample {
    fn take() -> Self {
        let asked = CAPTAIN.enter();
        Sample {
            pulse: asked.map_or_else(|_| Pulse::default(), |captain| captain.pulse()),
            at: task_port::now(),
        }
    }
}

/// Up to when swaps and faults have been told: when the last of them began (ns). A swap
/// is noted when it is over, and the next one begins after that.
struct Told {
    swaps: u64,
    faults: u64,
}

/// So many lines, by default ten; and the swaps and faults that began after the moment
/// `after` (ns), by default those from now on.
pub(crate) fn watch(arguments: &[&str]) -> Outcome {
    let usage = |_| String::from("usage: cells --watch [LINES [AFTER]]\n");
    let number = |at: usize| arguments.get(at).map(|word| word.parse::<u64>());
    let lines = number(0).transpose().map_err(usage)?.unwrap_or(10);
    let after = number(1).transpose().map_err(usage)?;
    let mut before = Sample::take();
    let last = || history().last().map_or(0, |record| record.at);
    let mut told = Told {
        swaps: after.unwrap_or_else(last),
        faults: after.unwrap_or(before.at),
    };
    let mut text = String::new();
    for _ in 0..lines.clamp(1, MOST) {
        task_port::sleep(STEP_NS);
        let now = Sample::take();
        text += &happened(&mut told);
        text += &served(&before, &now);
        before = now;
    }
    Ok(text)
}

/// One line about what was served between two moments.
fn served(before: &Sample, now: &Sample) -> String {
    let (from, to) = (&before.pulse, &now.pulse);
    let ns = (now.at - before.at).max(1);
    // A counter begins anew when its crate is replaced.
    let a_second = |from: u64, to: u64| to.saturating_sub(from) * 1_000_000_000 / ns;
    let commits = a_second(from.commits, to.commits);
    let exchanges = to.exchanges.saturating_sub(from.exchanges);
    let mean = to.time.saturating_sub(from.time) / exchanges.max(1);
    let bar = (commits * WIDTH / FULL).min(WIDTH) as usize;
    format!(
        "{:>12.3} s  {commits:>6} commits/s {:>5} rollbacks/s {:>7} answers/s  mean {:>8.3} ms  longest {:>8.3} ms  {}\n",
        now.at as f64 / 1e9,
        a_second(from.rollbacks, to.rollbacks),
        a_second(from.exchanges, to.exchanges),
        mean as f64 / 1e6,
        to.longest as f64 / 1e6,
        "#".repeat(bar)
    )
}

/// Swaps and faults that were not told yet, in their order.
fn happened(told: &mut Told) -> String {
    let mut all: Vec<(u64, String)> = Vec::new();
    for record in history().iter().filter(|record| record.at > told.swaps) {
        all.push((record.at, line(record)));
    }
    told.swaps = all.last().map_or(told.swaps, |(at, _)| *at);
    let faults = captain_port::repairs();
    for repair in faults.iter().filter(|repair| repair.at > told.faults) {
        all.push((repair.at, fault(repair)));
    }
    told.faults = faults
        .iter()
        .fold(told.faults, |last, repair| last.max(repair.at));
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, text)| text).collect()
}

fn fault(repair: &Repair) -> String {
    format!(
        "{:>12.3} s  fault in {}: {:?}\n",
        repair.at as f64 / 1e9,
        repair.cell,
        repair.kind
    )
}
