//! What became of a fault, the table of all faults as CSV, and its summaries.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// In the detail of a fault after which the disk could not be booted from.
pub(super) const NO_BOOT: &str = "no boot:";

/// In the detail of a fault that the system did not survive, whatever else came of it.
pub(super) const ENDED: &str = "ended:";

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

impl Class {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        let named = CLASSES.iter().find(|(c, _)| *c == self);
        named.map_or("", |(_, name)| name)
    }

    fn of_name(name: &str) -> Option<Self> {
        let named = CLASSES.iter().find(|(_, n)| *n == name);
        named.map(|(class, _)| *class)
    }
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

/// Where the time of a fault went (ms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Spent {
    /// Until it was in.
    pub(super) inject: u64,
    /// Until it had shown itself, or nothing was expected any more.
    pub(super) watch: u64,
    /// Until the cell was replaced and every client had gone on.
    pub(super) repair: u64,
    /// Looking whether anything is wrong.
    pub(super) look: u64,
    /// A boot, where there was one, and a deep look after it.
    pub(super) boot: u64,
}

impl Spent {
    /// The shares, by name.
    pub(super) fn parts(&self) -> [(&'static str, u64); 5] {
        [
            ("inject", self.inject),
            ("watch", self.watch),
            ("repair", self.repair),
            ("look", self.look),
            ("boot", self.boot),
        ]
    }
}

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
    /// The revision of the system.
    pub(super) revision: String,
    /// Faults that the system counted.
    pub(super) faults: u64,
    /// From the fault to the gate, to the first call that the cell served again, to
    /// its replacement, by the system's clock (µs).
    pub(super) caught_us: Option<u64>,
    pub(super) served_us: Option<u64>,
    pub(super) replaced_us: Option<u64>,
    /// What it took in all, by the host's clock.
    pub(super) ms: u64,
    /// Where that went.
    pub(super) spent: Spent,
    /// Statements that failed, those of clients that only read among them;
    /// connections that ended, clients that hung.
    pub(super) errors: usize,
    pub(super) reader_errors: usize,
    pub(super) lost: usize,
    pub(super) hung: usize,
    /// Answers that clients knew to be wrong.
    pub(super) wrong: usize,
    /// Acknowledged commits that are gone.
    pub(super) commits_lost: usize,
    /// Calls, pages and ledger entries that somebody still held when all clients
    /// rested.
    pub(super) leaked: u64,
    /// What went wrong, for whoever looks for the cause.
    pub(super) detail: String,
}

impl Fault {
    /// One of which nothing is known yet.
    pub(super) fn new(number: usize, seed: u64, cell: String, kind: String) -> Self {
        Self {
            number,
            seed,
            cell,
            kind,
            class: Class::Silent,
            place: String::new(),
            revision: String::new(),
            faults: 0,
            caught_us: None,
            served_us: None,
            replaced_us: None,
            ms: 0,
            spent: Spent::default(),
            errors: 0,
            reader_errors: 0,
            lost: 0,
            hung: 0,
            wrong: 0,
            commits_lost: 0,
            leaked: 0,
            detail: String::new(),
        }
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        format!(
            "{:>5}  {:<12} {:<8} {:<17} {:>5} ms  {} errors, {} lost, {} hung  {}  {}",
            self.number,
            self.cell,
            self.kind,
            self.class.name(),
            self.ms,
            self.errors,
            self.lost,
            self.hung,
            self.place,
            self.detail
        )
        .trim_end()
        .to_string()
    }

    /// Whether the disk could not be booted from any more: nothing is known of what it
    /// holds.
    pub(super) fn has_no_boot(&self) -> bool {
        self.detail.contains(NO_BOOT)
    }

    /// Whether there was no system any more, or none that could be booted again.
    pub(super) fn ended_the_system(&self) -> bool {
        // As a word: there is a module of the name `extended`.
        let ended = self.detail.split(' ').any(|word| word == ENDED);
        self.class == Class::System || ended || self.has_no_boot()
    }
}

const HEAD: &str = "number,seed,cell,kind,class,faults,caught_us,served_us,replaced_us,ms,\
    inject_ms,watch_ms,repair_ms,look_ms,boot_ms,errors,reader_errors,lost,hung,wrong,\
    commits_lost,leaked,revision,place,detail";

/// One fault as a line of the table.
fn csv(f: &Fault) -> String {
    let time = |us: Option<u64>| us.map_or(String::new(), |us| us.to_string());
    let [inject, watch, repair, look, boot] = f.spent.parts().map(|(_, ms)| ms);
    let fields = [
        f.number.to_string(),
        f.seed.to_string(),
        f.cell.clone(),
        f.kind.clone(),
        f.class.name().to_string(),
        f.faults.to_string(),
        time(f.caught_us),
        time(f.served_us),
        time(f.replaced_us),
        f.ms.to_string(),
        inject.to_string(),
        watch.to_string(),
        repair.to_string(),
        look.to_string(),
        boot.to_string(),
        f.errors.to_string(),
        f.reader_errors.to_string(),
        f.lost.to_string(),
        f.hung.to_string(),
        f.wrong.to_string(),
        f.commits_lost.to_string(),
        f.leaked.to_string(),
        f.revision.clone(),
        quoted(&f.place),
        quoted(&f.detail),
    ];
    fields.join(",")
}

/// The table: every fault so far, in memory and in the file.
pub(super) struct Table {
    path: PathBuf,
    file: File,
    pub(super) faults: Vec<Fault>,
}

impl Table {
    /// An empty one, or if told to go on, what is in the file.
    pub(super) fn open(path: &Path, append: bool) -> Result<Self> {
        let former = match append {
            true => std::fs::read_to_string(path).unwrap_or_default(),
            false => String::new(),
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let lines = former.lines().skip(1);
        let faults: Vec<Fault> = lines.filter_map(read).collect();
        let mut file = File::options()
            .create(true)
            .write(true)
            .append(append)
            .truncate(!append)
            .open(path)
            .with_context(|| path.display().to_string())?;
        if former.is_empty() {
            writeln!(file, "{HEAD}")?;
        }
        let path = path.to_path_buf();
        Ok(Self { path, file, faults })
    }

    /// How many of them manifested.
    pub(super) fn manifested(&self) -> usize {
        let shown = self.faults.iter().filter(|f| f.class != Class::Silent);
        shown.count()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a fault; it is in the file at once.
    pub(super) fn add(&mut self, fault: Fault) -> Result<()> {
        writeln!(self.file, "{}", csv(&fault))?;
        self.faults.push(fault);
        Ok(())
    }
}

/// A line of the table.
fn read(line: &str) -> Option<Fault> {
    let mut fields = line.splitn(HEAD.split(',').count() - 1, ',');
    let mut next = || fields.next();
    let (number, seed) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (cell, kind) = (next()?.to_string(), next()?.to_string());
    let mut fault = Fault::new(number, seed, cell, kind);
    fault.class = Class::of_name(next()?)?;
    fault.faults = next()?.parse().ok()?;
    fault.caught_us = next()?.parse().ok();
    fault.served_us = next()?.parse().ok();
    fault.replaced_us = next()?.parse().ok();
    fault.ms = next()?.parse().ok()?;
    let mut ms = || next()?.parse::<u64>().ok();
    fault.spent = Spent {
        inject: ms()?,
        watch: ms()?,
        repair: ms()?,
        look: ms()?,
        boot: ms()?,
    };
    let mut count = || next()?.parse::<usize>().ok();
    fault.errors = count()?;
    fault.reader_errors = count()?;
    fault.lost = count()?;
    fault.hung = count()?;
    fault.wrong = count()?;
    fault.commits_lost = count()?;
    fault.leaked = next()?.parse().ok()?;
    fault.revision = next()?.to_string();
    let text = next()?.strip_prefix('"')?.strip_suffix('"')?;
    let (place, detail) = text.split_once("\",\"")?;
    fault.place = place.replace("\"\"", "\"");
    fault.detail = detail.replace("\"\"", "\"");
    Some(fault)
}

fn quoted(field: &str) -> String {
    let line = field.replace('\n', " | ").replace('"', "\"\"");
    format!("\"{line}\"")
}

/// How many of which class, by what `of` says, as a table in Markdown.
pub(super) fn summary(faults: &[Fault], title: &str, of: fn(&Fault) -> &str) -> String {
    let mut counts: BTreeMap<&str, ([usize; CLASSES.len()], usize)> = BTreeMap::new();
    for fault in faults {
        for key in [of(fault), "all"] {
            let (classes, ended) = counts.entry(key).or_default();
            classes[fault.class as usize] += 1;
            *ended += usize::from(fault.ended_the_system());
        }
    }
    let heads: String = CLASSES.iter().map(|(_, n)| format!(" {n:>16} |")).collect();
    let rule: String = CLASSES.iter().map(|_| format!("{:-<17}:|", "")).collect();
    let mut text = format!(
        "| {title:<14} |{heads} lives |\n|{:-<16}|{rule}------:|\n",
        ""
    );
    for (key, (counts, lost)) in counts {
        let manifested: usize = counts[1..].iter().sum();
        let lives = match manifested {
            0 => "-".to_string(),
            _ => format!(
                "{:.1} %",
                100.0 * (manifested - lost) as f64 / manifested as f64
            ),
        };
        let counts: String = counts.iter().map(|n| format!(" {n:>16} |")).collect();
        let _ = writeln!(text, "| {key:<14} |{counts} {lives} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_and_counted() {
        let mut fault = Fault::new(1, 7, "pg_wal".into(), "text".into());
        fault.class = Class::System;
        fault.place = "bit 3, \"x\"".into();
        (fault.faults, fault.lost, fault.served_us) = (1, 2, Some(900));
        fault.detail = "a\nb".into();
        fault.revision = "abc with changes".into();
        (fault.spent.watch, fault.wrong) = (20, 3);
        let line = csv(&fault);
        let wanted = "1,7,pg_wal,text,system lost,1,,900,,0,0,20,0,0,0,0,0,2,0,3,0,0,\
            abc with changes,\"bit 3, \"\"x\"\"\",\"a | b\"";
        assert_eq!(line, wanted);
        let again = read(&line).unwrap();
        assert_eq!(
            (again.number, again.class, again.lost, again.wrong),
            (1, Class::System, 2, 3)
        );
        assert_eq!((again.served_us, again.replaced_us), (Some(900), None));
        assert_eq!(
            (again.spent, &again.revision),
            (fault.spent, &fault.revision)
        );
        assert_eq!((&*again.place, &*again.detail), ("bit 3, \"x\"", "a | b"));
        fault.class = Class::Data;
        fault.detail = format!("{NO_BOOT} the log is damaged");
        let table_of = |fault| summary(&[fault], "by kind", |f| &f.kind);
        assert!(table_of(read(&csv(&fault)).unwrap()).contains("| 0.0 % |"));
        fault.detail = format!("{ENDED} exit code 0x20");
        assert!(table_of(read(&csv(&fault)).unwrap()).contains("| 0.0 % |"));
        fault.detail = String::from("XX000 at pg_wire::extended::step");
        assert!(table_of(read(&csv(&fault)).unwrap()).contains("| 100.0 % |"));
        fault.class = Class::System;
        let empty = csv(&Fault::new(1, 7, "net".into(), "text".into()));
        assert_eq!(HEAD.split(',').count(), empty.split(',').count());
        let table = summary(&[fault], "by kind", |f| &f.kind);
        assert!(table.lines().any(|l| l.starts_with("| text ")), "{table}");
        assert!(table.contains("| 0.0 % |"), "{table}");
        assert!(CLASSES.is_sorted());
    }
}
