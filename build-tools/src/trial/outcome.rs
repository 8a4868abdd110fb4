//! What a campaign shows: checks, figures, and the tables by kind and by cell as
//! Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::choice::DAMAGE;
use super::findings::Findings;
use super::verdict::{Class, Fault, summary};
use crate::bench::report::Row;

fn is_damage(fault: &Fault) -> bool {
    DAMAGE.contains(&fault.kind.as_str())
}

/// Notes what all faults of the table show; writes the tables to `file`.
pub(super) fn report(findings: &mut Findings, faults: &[Fault], file: &Path) -> Result<()> {
    let tables = tables(faults);
    println!("\n{tables}");
    std::fs::write(file, &tables).with_context(|| file.display().to_string())?;
    eprintln!("{:>10} {}", "Written", file.display());
    let count = |wanted: &dyn Fn(&Fault) -> bool| faults.iter().filter(|f| wanted(f)).count();
    let manifested = count(&|f| f.class != Class::Silent);
    let lost = count(&Fault::ended_the_system);
    let share = 100.0 * (manifested - lost) as f64 / manifested.max(1) as f64;
    findings.row(Row::one("faults", faults.len() as f64, ""));
    findings.row(Row::one("manifested", manifested as f64, ""));
    findings.row(Row::one("manifested and the system lives", share, "%"));
    times(findings, faults);
    findings.check(
        "the system lives after 95 % of manifested faults",
        share >= 95.0,
        format!("{share:.1} %"),
    );
    let commits: usize = faults.iter().map(|f| f.commits_lost).sum();
    findings.equal("acknowledged commits lost", commits, 0);
    let unknown = count(&Fault::has_no_boot);
    findings.equal("faults after which nobody could look for them", unknown, 0);
    let leaked: u64 = faults.iter().map(|f| f.leaked).sum();
    findings.equal("things still held when all clients rested", leaked, 0);
    let explicit = count(&|f| f.class == Class::Data && !is_damage(f));
    findings.equal("explicit faults that made data wrong", explicit, 0);
    let of_explicit = faults.iter().filter(|f| !is_damage(f));
    findings.row(Row::one(
        "explicit faults' errors that a reader saw",
        of_explicit.map(|f| f.reader_errors).sum::<usize>() as f64,
        "",
    ));
    let random = count(&|f| f.class == Class::Data && is_damage(f));
    findings.row(Row::one("damage that made data wrong", random as f64, ""));
    findings.keep("by kind", by(faults, |f| &f.kind));
    findings.keep("by cell", by(faults, |f| &f.cell));
    Ok(())
}

/// How long it takes, inside by the system's clock and outside by the host's.
fn times(findings: &mut Findings, faults: &[Fault]) {
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
    let all = faults.len().max(1) as f64;
    let mean = |ms: u64| ms as f64 / all;
    findings.row(Row::one(
        "a fault, mean",
        mean(faults.iter().map(|f| f.ms).sum()),
        "ms",
    ));
    for (at, (name, _)) in faults
        .first()
        .map_or([("", 0); 5], |f| f.spent.parts())
        .iter()
        .enumerate()
    {
        let sum = faults.iter().map(|f| f.spent.parts()[at].1).sum();
        findings.row(Row::one(format!("of that: {name}"), mean(sum), "ms"));
    }
}

/// The summaries, and each fault that was not contained.
fn tables(faults: &[Fault]) -> String {
    let mut text = String::from("# Injected faults: what became of them\n\n");
    text += &summary(faults, "kind", |f| &f.kind);
    text += "\n";
    text += &summary(faults, "cell", |f| &f.cell);
    text += "\n*Lives*: the share of manifested faults that the system survived.\n";
    for class in [Class::Data, Class::System, Class::Connection] {
        let mut worst = faults.iter().filter(|f| f.class == class).peekable();
        if worst.peek().is_none() {
            continue;
        }
        let _ = writeln!(text, "\n## {}\n", class.name());
        for fault in worst {
            let _ = writeln!(
                text,
                "- {}: {} in {}: {} {}",
                fault.number,
                fault.kind,
                fault.cell,
                fault.place.replace('\n', " "),
                fault.detail.replace('\n', " ")
            );
        }
    }
    text
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
