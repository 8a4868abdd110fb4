//! Clients of our own that know what was acknowledged to them: each inserts
//! numbers that are never used twice, in turn by a single statement and within a
//! transaction, and remembers those whose end was confirmed. Later every one of
//! these must be there, and of the others at most the last of each client, whose
//! answer the end of the system may have swallowed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::findings::Findings;
use crate::bench::sql::{Session, SqlError};

/// What one statement may take; the system may be far slower than usual.
const LIMIT: Duration = Duration::from_secs(60);
/// Numbers of one client, over all runs.
const RANGE: i64 = 1_000_000_000;

/// What is known of the numbers so far, over all runs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Confirmed: must be there.
    acknowledged: BTreeSet<i64>,
    /// Sent, and the answer was an error or none: may be there.
    open: BTreeSet<i64>,
    /// The next number of each client.
    next: Vec<i64>,
    /// Errors of statements, connections that were lost.
    pub(super) errors: Vec<String>,
}

/// Clients at work. To be ended by [`Witnesses::finish`].
pub(super) struct Witnesses {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Client>>,
}

/// What one client did.
struct Client {
    first: i64,
    sent: i64,
    /// Refused before their commit was asked for: none of them may be there.
    refused: BTreeSet<i64>,
    /// Those whose commit had no answer, or an error for one.
    open: BTreeSet<i64>,
    errors: Vec<String>,
}

/// Makes the table.
pub(super) fn set_up(port: u16) -> Result<()> {
    let mut session = Session::connect(port, LIMIT)?;
    session.query("create table trial_witness (id bigint primary key, client int)")?;
    Ok(())
}

impl Witnesses {
    /// Starts `count` clients, which go on where `memory` ends.
    pub(super) fn start(port: u16, count: usize, memory: &mut Memory) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        memory.next.resize_with(count.max(memory.next.len()), || 1);
        let clients = (0..count)
            .map(|client| {
                let stop = Arc::clone(&stop);
                let first = client as i64 * RANGE + memory.next[client];
                std::thread::spawn(move || work(port, client, first, &stop))
            })
            .collect();
        Self { stop, clients }
    }

    /// Ends them and adds what they know to `memory`.
    pub(super) fn finish(self, memory: &mut Memory) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        for (number, thread) in self.clients.into_iter().enumerate() {
            let client = thread.join().map_err(|_| anyhow!("a client panicked"))?;
            let end = client.first + client.sent;
            let sent = client.first..end;
            let unsure = |id: &i64| client.refused.contains(id) || client.open.contains(id);
            memory.acknowledged.extend(sent.filter(|id| !unsure(id)));
            memory.open.extend(&client.open);
            memory.next[number] = end - number as i64 * RANGE;
            memory.errors.extend(client.errors);
        }
        Ok(())
    }
}

impl Memory {
    /// How many were sent without an answer that settles them.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Compares with the table. What was open is settled by this: it is there
    /// from now on, or never.
    pub(super) fn check(&mut self, findings: &mut Findings, port: u16, when: &str) -> Result<()> {
        let there = ids(port)?;
        let lost: Vec<&i64> = self.acknowledged.difference(&there).collect();
        findings.check(
            format!("every acknowledged number is there{when}"),
            lost.is_empty(),
            match lost.first() {
                None => format!("{} numbers", self.acknowledged.len()),
                Some(first) => format!("{} are lost, {first} first", lost.len()),
            },
        );
        let more: BTreeSet<i64> = there.difference(&self.acknowledged).copied().collect();
        let strange: Vec<&i64> = more.difference(&self.open).collect();
        findings.check(
            format!("no number is there that was refused{when}"),
            strange.is_empty(),
            match strange.first() {
                None => format!("{} of {} unanswered are there", more.len(), self.open.len()),
                Some(first) => format!("{} are, {first} first", strange.len()),
            },
        );
        self.acknowledged = there;
        self.open.clear();
        Ok(())
    }
}

fn ids(port: u16) -> Result<BTreeSet<i64>> {
    let mut session = Session::connect(port, LIMIT)?;
    let rows = session.query("select id from trial_witness")?;
    rows.iter()
        .map(|row| {
            let id = row.first().and_then(Option::as_deref);
            id.context("no number")?.parse().context("no number")
        })
        .collect()
}

fn work(port: u16, client: usize, first: i64, stop: &AtomicBool) -> Client {
    let mut done = Client {
        first,
        sent: 0,
        refused: BTreeSet::new(),
        open: BTreeSet::new(),
        errors: Vec::new(),
    };
    let mut session = match Session::connect(port, LIMIT) {
        Ok(session) => session,
        Err(error) => {
            done.errors
                .push(format!("witness {client} gets no connection: {error}"));
            return done;
        }
    };
    while !stop.load(Ordering::SeqCst) {
        session.allow(LIMIT);
        let id = first + done.sent;
        done.sent += 1;
        let Err((when, error)) = insert(&mut session, id, client) else {
            continue;
        };
        let is_alive = matches!(error, SqlError::Refused { .. });
        done.errors.push(format!("witness {client}: {error}"));
        match when {
            // It never was asked to be durable.
            Moment::Before => done.refused.insert(id),
            Moment::Commit => done.open.insert(id),
        };
        // Outside a transaction this is a warning.
        if !is_alive || session.query("rollback").is_err() {
            break;
        }
    }
    done
}

/// When something failed.
enum Moment {
    /// Before the commit was asked for.
    Before,
    /// In the commit.
    Commit,
}

fn insert(session: &mut Session, id: i64, client: usize) -> Result<(), (Moment, SqlError)> {
    let insert = format!("insert into trial_witness values ({id}, {client})");
    let mut run = |text: &str, when| match session.query(text) {
        Ok(_) => Ok(()),
        Err(error) => Err((when, error)),
    };
    if id % 2 == 0 {
        return run(&insert, Moment::Commit);
    }
    run("begin", Moment::Before)?;
    run(&insert, Moment::Before)?;
    run("commit", Moment::Commit)
}
