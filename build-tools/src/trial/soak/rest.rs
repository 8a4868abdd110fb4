//! The system's counters: while it works, and at rest, when nothing may be held any
//! more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::super::clients::LIMIT;
use super::super::findings::Findings;
use super::Interval;
use crate::bench::guest::Guest;
use crate::bench::report::Row;
use crate::bench::sql::Session;

/// What is 0 when nobody is at work.
const NOTHING: [&str; 19] = [
    "pool.pins",
    "pool.latched",
    "pool.claimed",
    "pool.writing",
    "pool.wanted",
    "pool.reading",
    "txn.open",
    "txn.locks",
    "txn.running",
    "txn.snapshots",
    "txn.waiting",
    "txn.row_holders",
    "txn.serializable",
    "temp.used",
    "temp.extents",
    "disk.in_flight",
    "disk.waiting",
    "net.streams",
    "sessions",
];
/// What is as it was before: tasks and what they hold, files.
const SAME: [&str; 3] = ["tasks", "tasks.holds", "space.files"];
/// What may be kept for use again, in KiB, beyond what the warm-up had taken.
const KEPT_KIB: u64 = 4096;
/// Until everything has ended.
const PATIENCE: Duration = Duration::from_secs(60);
/// What has ended a moment ago may still have its stack, and the heap gives unused slabs
/// back by halves, those of a class at least every 16 seconds.
const REMOVAL: Duration = Duration::from_secs(30);
/// Looks at the counters until they are at rest.
const STEP: Duration = Duration::from_millis(250);

/// The shell's answer to `counters`.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// A counter; 0 when there is none of that name.
    pub(super) fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    fn parse(answer: &str) -> Option<Self> {
        let pair = |line: &str| {
            let (name, number) = line.split_once(' ')?;
            Some((name.to_string(), number.parse().ok()?))
        };
        answer.lines().map(pair).collect::<Option<_>>().map(Self)
    }

    fn is_at_rest(&self) -> bool {
        NOTHING.iter().all(|name| self.0.get(*name) == Some(&0))
    }
}

/// Reads them.
pub(super) fn read(guest: &Guest) -> Result<Counters> {
    let answer = guest.shell("counters")?;
    Counters::parse(&answer).with_context(|| format!("no counters: {answer}"))
}

/// Waits until the system is at rest, and has given back what it does not use; gives the counters then, and how long it took.
pub(super) fn settle(guest: &Guest) -> Result<(Counters, Duration)> {
    let began = Instant::now();
    loop {
        let counters = read(guest)?;
        if counters.is_at_rest() || began.elapsed() > PATIENCE {
            std::thread::sleep(REMOVAL);
            return Ok((read(guest)?, began.elapsed()));
        }
        std::thread::sleep(STEP);
    }
}

/// Notes that nothing is left over.
pub(super) fn check(
    findings: &mut Findings,
    before: &Counters,
    after: &Counters,
    waited: Duration,
) {
    findings.row(Row::one("until at rest", waited.as_secs_f64(), "s"));
    let held: Vec<String> = NOTHING
        .iter()
        .filter(|name| after.0.get(**name) != Some(&0))
        .map(|name| match after.0.get(*name) {
            Some(number) => format!("{name} {number}"),
            None => format!("{name} is not counted"),
        })
        .collect();
    findings.check(
        "at rest nothing is held or under way",
        held.is_empty(),
        held.join(", "),
    );
    for name in SAME {
        let what = format!("{name}, as before");
        findings.equal(what, after.get(name), before.get(name));
    }
    findings.equal("damaged pages met", after.get("pool.corrupt"), 0);
    findings.equal("free memory written to", after.get("memory.damage"), 0);
    for name in ["memory.heap", "memory.in_use"] {
        let (then, now) = (before.get(name) / 1024, after.get(name) / 1024);
        findings.check(
            format!("{name}, as after the warm-up"),
            now <= then + KEPT_KIB,
            format!("{then} KiB, then {now} KiB"),
        );
        findings.row(Row::one(
            format!("{name}, growth"),
            now as f64 - then as f64,
            "KiB",
        ));
    }
}

/// Pages of pgbench's tables with their indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Sizes {
    pub(super) branches: u64,
    pub(super) tellers: u64,
    pub(super) accounts: u64,
}

/// Asks for them.
pub(super) fn sizes(port: u16) -> Result<Sizes> {
    let mut session = Session::connect(port, LIMIT)?;
    let mut size = |table: &str| -> Result<u64> {
        let query = format!("select pg_total_relation_size('pgbench_{table}') / 8192");
        let rows = session.query(&query)?;
        let field = rows.first().and_then(|row| row.first()?.as_deref());
        let field = field.with_context(|| format!("{query}: no row"))?;
        Ok(field.parse()?)
    };
    Ok(Sizes {
        branches: size("branches")?,
        tellers: size("tellers")?,
        accounts: size("accounts")?,
    })
}

/// Notes that tables whose rows are only changed have stopped growing: in the
/// second half of the time they grow by a quarter at most.
pub(super) fn check_sizes(findings: &mut Findings, intervals: &[Interval]) {
    let (Some(half), Some(last)) = (intervals.get(intervals.len() / 2), intervals.last()) else {
        return;
    };
    let sizes = |s: &Sizes| [s.branches, s.tellers, s.accounts];
    let pairs = sizes(&half.sizes).into_iter().zip(sizes(&last.sizes));
    for (name, (then, now)) in ["branches", "tellers", "accounts"].iter().zip(pairs) {
        findings.check(
            format!("pgbench_{name} has stopped growing"),
            now <= then + then / 4 + 16,
            format!("{then} pages at half-time, {now} at the end"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_is_told_from_work() {
        let lines: String = NOTHING.iter().map(|name| format!("{name} 0\n")).collect();
        let counters = |text: &str| Counters::parse(text).expect("counters");
        assert!(counters(&lines).is_at_rest());
        assert!(!counters(&lines.replace("pool.pins 0", "pool.pins 1")).is_at_rest());
        // One that is not counted proves nothing.
        assert!(!counters(&lines.replace("pool.pins 0\n", "")).is_at_rest());
        assert!(Counters::parse("pool.pins none").is_none());
    }
}
