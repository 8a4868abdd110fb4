//! Rows, the table made of them, and the machine they were measured on.

use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::paths::Paths;
use crate::qemu::{Accel, PROGRAM};

/// One figure, or why there is none.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) name: String,
    /// The figure: a median where several were taken.
    pub(crate) value: Option<f64>,
    /// What it counts.
    pub(crate) unit: &'static str,
    /// Least and greatest, where several were taken.
    pub(crate) range: Option<(f64, f64)>,
    /// How many were taken.
    pub(crate) samples: usize,
    /// What a reader must know: the load, the limit, the reason of a gap.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

impl Row {
    /// One figure.
    pub(crate) fn one(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value: Some(value),
            unit,
            range: None,
            samples: 1,
            note: String::new(),
        }
    }

    /// The median of several figures, with their range.
    pub(crate) fn median(
        name: impl Into<String>,
        mut values: Vec<f64>,
        unit: &'static str,
    ) -> Self {
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else {
            return Self::missing(name, "no sample was taken");
        };
        let range = (values.len() > 1).then_some((*least, *most));
        let mut row = Self::one(name, middle(&values), unit);
        row.range = range;
        row.samples = values.len();
        row
    }

    /// A figure that could not be had.
    pub(crate) fn missing(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: None,
            unit: "",
            range: None,
            samples: 0,
            note: why.into(),
        }
    }

    /// The same with a note.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// The middle of sorted values.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        f64::midpoint(sorted[half - 1], sorted[half])
    }
}

/// What the figures depend on beside the code.
#[derive(Debug, Serialize)]
struct Machine {
    cpu: String,
    cpus: usize,
    memory_kib: u64,
    kernel: String,
    qemu: String,
    accel: String,
    /// Of the host, when the measuring began: what else it had to do.
    load_average: String,
}

#[derive(Debug, Serialize)]
struct Section {
    group: &'static str,
    seconds: f64,
    rows: Vec<Row>,
}

/// When, of what and where something was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Origin {
    date: String,
    commit: String,
    machine: Machine,
}

impl Origin {
    /// Now, this commit, this machine.
    pub(crate) fn here(paths: &Paths) -> Self {
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            said(git.arg("-C").arg(paths.root()).args(arguments))
        };
        let mut commit = git(&["rev-parse", "--short=12", "HEAD"]);
        // The files that come of measuring do not count as a change.
        if !git(&[
            "status",
            "--porcelain",
            "--",
            ".",
            ":!bench/*.json",
            ":!bench/*.csv",
            ":!bench/trial-*.md",
        ])
        .is_empty()
        {
            commit += " with changes";
        }
        Self {
            date: said(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
            commit,
            machine: Machine::this(paths),
        }
    }

    /// What was measured: the revision, and whether it was changed.
    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    /// The head of a table.
    pub(crate) fn head(&self) -> String {
        let machine = &self.machine;
        format!(
            "{}, commit {}\n{}, {} CPUs, load {}; {}, {}\n",
            self.date,
            self.commit,
            machine.cpu,
            machine.cpus,
            machine.load_average,
            machine.qemu,
            machine.accel
        )
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    origin: Origin,
    sections: Vec<Section>,
}

impl Report {
    /// Nothing measured yet.
    pub(crate) fn begin(paths: &Paths) -> Self {
        Self {
            origin: Origin::here(paths),
            sections: Vec::new(),
        }
    }

    /// Adds the rows of a group.
    pub(crate) fn add(&mut self, group: &'static str, rows: Vec<Row>, took: Duration) {
        let seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        self.sections.push(Section {
            group,
            seconds,
            rows,
        });
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("\n{}", self.origin.head());
        for section in &self.sections {
            let _ = writeln!(text, "\n{} ({} s)", section.group, section.seconds);
            for row in &section.rows {
                let _ = writeln!(text, "  {}", line(row));
            }
        }
        text
    }
}

/// A row as a line for people.
pub(crate) fn line(row: &Row) -> String {
    let value = row.value.map_or("-".to_string(), figure);
    let range = row.range.map_or(String::new(), |(least, most)| {
        format!("{} .. {}", figure(least), figure(most))
    });
    let text = format!(
        "{:<44} {:>12} {:<12} {:<22} {}",
        row.name, value, row.unit, range, row.note
    );
    text.trim_end().to_string()
}

/// Four significant digits, and no more decimals than that takes.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_string();
    }
    text
}

impl Machine {
    fn this(paths: &Paths) -> Self {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split(':').nth(1));
            value.unwrap_or("unknown").trim().to_string()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let accel = match Accel::Auto.settle(paths) {
            Accel::Kvm => "kvm",
            _ => "tcg",
        };
        let version = said(Command::new(PROGRAM).arg("--version"));
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_kib: memory.trim_end_matches(" kB").parse().unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_string(),
            qemu: version.lines().next().unwrap_or_default().to_string(),
            accel: accel.to_string(),
            load_average: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_string(),
        }
    }
}

/// What a program prints; empty when it cannot be run.
fn said(command: &mut Command) -> String {
    let output = command.output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ranges() {
        let row = Row::median("x", vec![4.0, 1.0, 3.0, 2.0], "s");
        assert_eq!(row.value, Some(2.5));
        assert_eq!(row.range, Some((1.0, 4.0)));
        let row = Row::median("x", vec![7.0], "s");
        assert_eq!((row.value, row.range), (Some(7.0), None));
        assert_eq!(Row::median("x", Vec::new(), "s").value, None);
    }

    #[test]
    fn figures_keep_four_digits() {
        assert_eq!(figure(123_456.7), "123457");
        assert_eq!(figure(12.345), "12.35");
        assert_eq!(figure(2.0), "2");
        assert_eq!(figure(300.0), "300");
        assert_eq!(figure(0.12345), "0.123");
    }
}
