//! What became of a fault, the table of all faults as CSV, and its summaries.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// What became of a fault; the worst that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Class {
    /// Nothing was seen of it.
    #[serde(rename = "not manifested")]
    Silent,
    /// A cell was replaced, and no client knows.
    #[serde(rename = "recovered unseen")]
    Unseen,
    /// Statements failed; their connections went on.
    #[serde(rename = "statement failed")]
    Statement,
    /// Connections ended, or hung.
    #[serde(rename = "connection lost")]
    Connection,
    /// The system ended, or answers nobody any more.
    #[serde(rename = "system lost")]
    System,
    /// An acknowledged commit is gone, sums differ, an answer was wrong.
    #[serde(rename = "data wrong")]
    Data,
}

/// All of them, mildest first, as they are called.
pub(super) const CLASSES: [(Class, &str); 6] = [
    (Class::Silent, "not manifested"),
    (Class::Unseen, "recovered unseen"),
    (Class::Statement, "statement failed"),
    (Class::Connection, "connection lost"),
    (Class::System, "system lost"),
    (Class::Data, "data wrong"),
];

/// One fault.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fault {
    pub(super) number: usize,
    pub(super) seed: u64,
    pub(super) cell: String,
    pub(super) kind: String,
    pub(super) class: Class,
    /// Where the damage was done.
    pub(super) place: String,
    /// Faults that the system counted.
    pub(super) faults: u64,
    /// Statements that failed, connections that ended, clients that hung.
    pub(super) errors: usize,
    pub(super) lost: usize,
    pub(super) hung: usize,
    /// Acknowledged commits that are gone.
    pub(super) commits_lost: usize,
    /// What went wrong, for whoever looks for the cause.
    pub(super) detail: String,
}

impl Fault {
    /// For people.
    pub(super) fn line(&self) -> String {
        format!(
            "{:>5}  {:<12} {:<8} {:<17} {} errors, {} lost, {} hung  {}  {}",
            self.number,
            self.cell,
            self.kind,
            name(self.class),
            self.errors,
            self.lost,
            self.hung,
            self.place,
            self.detail
        )
        .trim_end()
        .to_string()
    }
}

fn name(class: Class) -> &'static str {
    let named = CLASSES.iter().find(|(c, _)| *c == class);
    named.map_or("", |(_, name)| name)
}

/// All faults as CSV.
pub(super) fn csv(faults: &[Fault]) -> String {
    let mut text = String::from(
        "number,seed,cell,kind,class,place,faults,errors,lost,hung,commits_lost,detail\n",
    );
    for f in faults {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{}",
            f.number,
            f.seed,
            f.cell,
            f.kind,
            name(f.class),
            quoted(&f.place),
            f.faults,
            f.errors,
            f.lost,
            f.hung,
            f.commits_lost,
            quoted(&f.detail)
        );
    }
    text
}

fn quoted(field: &str) -> String {
    let line = field.replace('\n', " | ").replace('"', "\"\"");
    format!("\"{line}\"")
}

/// How many of which class, by what `of` says, as a table.
pub(super) fn summary(faults: &[Fault], title: &str, of: fn(&Fault) -> &str) -> String {
    let mut counts: BTreeMap<&str, [usize; CLASSES.len()]> = BTreeMap::new();
    for fault in faults {
        for key in [of(fault), "all"] {
            counts.entry(key).or_default()[fault.class as usize] += 1;
        }
    }
    let heads: String = CLASSES.iter().map(|(_, n)| format!(" {n:>16}")).collect();
    let mut text = format!("{title:<14}{heads}\n");
    for (key, counts) in counts {
        let counts: String = counts.iter().map(|n| format!(" {n:>16}")).collect();
        let _ = writeln!(text, "{key:<14}{counts}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_and_counted() {
        let fault = Fault {
            number: 1,
            seed: 7,
            cell: "pg_wal".into(),
            kind: "text".into(),
            class: Class::System,
            place: "bit 3, \"x\"".into(),
            faults: 1,
            errors: 0,
            lost: 2,
            hung: 0,
            commits_lost: 0,
            detail: "a\nb".into(),
        };
        let all = [fault];
        let csv = csv(&all);
        let last = csv.lines().last();
        assert_eq!(
            last,
            Some("1,7,pg_wal,text,system lost,\"bit 3, \"\"x\"\"\",1,0,2,0,0,\"a | b\"")
        );
        let table = summary(&all, "by kind", |f| &f.kind);
        assert!(table.lines().any(|l| l.starts_with("text ")), "{table}");
        assert!(CLASSES.is_sorted());
    }
}
