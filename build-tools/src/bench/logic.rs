//! The share of sqllogictest records that pass: a figure to know how much of SQL
//! is answered rightly, not a test. After a failure the script goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Wishes;
use super::guest::Server;
use super::report::Row;
use super::slt::{Record, agrees, records};
use super::sql::{self, Session, SqlError};
use crate::paths::Paths;

/// What a record may take.
const RECORD_LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Default)]
struct Tally {
    records: usize,
    passed: usize,
    /// Not reached when the time was over.
    skipped: usize,
}

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    const NAME: &str = "sqllogictest, share that passes";
    let Some(folder) = &wishes.logic else {
        let why = "name the scripts' folder with --sqllogictest or MITOS_SQLLOGICTEST";
        return Ok(vec![Row::missing(NAME, why)]);
    };
    let mut server = Server::open(paths, wishes.server)?;
    if let Some(why) = sql::missing(server.port) {
        return Ok(vec![Row::missing(NAME, why)]);
    }
    let mut families: Vec<(String, Tally)> = Vec::new();
    let mut total = Tally::default();
    for script in scripts(folder)? {
        let tally = run(&script, server.port, wishes.logic_limit);
        let tally = tally.or_else(|error| {
            eprintln!("{:>10} {}: {error:#}", "", script.display());
            lost(&script)
        })?;
        if server.is_gone() {
            server = Server::open(paths, wishes.server)?;
        }
        let name = family(folder, &script);
        match families.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => sum.add(tally),
            None => families.push((name, tally)),
        }
        total.add(tally);
    }
    let reached = Tally {
        records: total.records - total.skipped,
        skipped: 0,
        ..total
    };
    let mut rows = vec![total.row(NAME)];
    rows.push(reached.row("sqllogictest, share of what was reached in time"));
    rows.extend(
        families
            .iter()
            .map(|(name, tally)| tally.row(&format!("  {name}"))),
    );
    Ok(rows)
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.passed += other.passed;
        self.skipped += other.skipped;
    }

    fn row(self, name: &str) -> Row {
        let share = 100.0 * self.passed as f64 / self.records.max(1) as f64;
        let mut note = format!("{} of {}", self.passed, self.records);
        if self.skipped > 0 {
            note += &format!("; {} not reached in time count as failed", self.skipped);
        }
        Row::one(name, share, "%").note(note)
    }
}

/// The first folder on the way to a script, or its own name.
fn family(folder: &Path, script: &Path) -> String {
    let inner = script.strip_prefix(folder).unwrap_or(script);
    let first = inner.components().next();
    first.map_or_else(String::new, |name| {
        name.as_os_str().to_string_lossy().into_owned()
    })
}

/// All scripts below a folder, in order.
fn scripts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("no scripts in {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "slt") {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        bail!("no *.slt below {}", folder.display());
    }
    found.sort();
    Ok(found)
}

/// The tally of a script whose run ended the connection for good.
fn lost(script: &Path) -> Result<Tally> {
    let count = records(&std::fs::read_to_string(script)?).len();
    Ok(Tally {
        records: count,
        passed: 0,
        skipped: count,
    })
}

fn run(script: &Path, port: u16, limit: Duration) -> Result<Tally> {
    let records = records(&std::fs::read_to_string(script)?);
    let deadline = Instant::now() + limit;
    let mut session = Session::connect(port, RECORD_LIMIT)?;
    let mut tally = Tally {
        records: records.len(),
        ..Tally::default()
    };
    for (number, record) in records.iter().enumerate() {
        if Instant::now() > deadline {
            tally.skipped = records.len() - number;
            break;
        }
        session.allow(RECORD_LIMIT);
        match judge(&mut session, record) {
            Ok(passed) => tally.passed += usize::from(passed),
            // Ended by the server, or too slow: the next record gets a new one.
            Err(_) => session = Session::connect(port, RECORD_LIMIT)?,
        }
    }
    Ok(tally)
}

fn judge(session: &mut Session, record: &Record) -> Result<bool, SqlError> {
    let (sql, fails) = match record {
        Record::Statement { sql, fails } => (sql, *fails),
        Record::Query { sql, .. } => (sql, false),
    };
    match (session.query(sql), record) {
        (Err(SqlError::Refused { .. }), _) => Ok(fails),
        (Err(lost), _) => Err(lost),
        (Ok(_), Record::Statement { .. }) => Ok(!fails),
        (Ok(rows), Record::Query { sort, expected, .. }) => Ok(agrees(rows, *sort, expected)),
    }
}
