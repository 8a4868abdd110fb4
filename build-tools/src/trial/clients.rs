//! Clients of our own that carry on after errors and know what was acknowledged
//! to them. Each transaction notes a number that is never used twice in the table
//! `trial_witness`. Later every acknowledged number must be there and none that
//! was refused; one whose commit had no answer, or an error for one, may be.
//!
//! A client whose connection is lost counts that and connects again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::answers::Answers;
use super::book::Book;
use super::random::Random;
use crate::bench::sql::{Session, SqlError};

/// What one statement may take; the system may be far slower than usual.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// Between two attempts to connect.
const RECONNECT: Duration = Duration::from_millis(50);
/// How often progress is looked at.
const POLL: Duration = Duration::from_millis(1);

/// What a client does again and again.
#[derive(Clone)]
pub(super) enum Work {
    /// Notes a number; every other one without a transaction block.
    Note,
    /// TPC-B on pgbench's tables of this scale; every other client by the
    /// extended protocol.
    Transfer { scale: u32 },
    /// Questions, whose answers must be right.
    Ask(Arc<Answers>),
}

/// The number of clients that note none.
const NOBODY: usize = usize::MAX;

/// Clients at work. To be ended by [`Clients::finish`].
pub(super) struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Client>>,
    committed: Vec<Arc<AtomicU64>>,
}

/// One client, and what it did.
pub(super) struct Client {
    pub(super) number: usize,
    random: Random,
    /// The number after the last one it used.
    pub(super) next: i64,
    /// Numbers whose commit was confirmed.
    pub(super) acknowledged: BTreeSet<i64>,
    /// Numbers whose commit had no answer, or an error for one.
    pub(super) open: BTreeSet<i64>,
    /// Errors of statements, by SQLSTATE and message.
    pub(super) errors: Vec<String>,
    /// Connections that ended before they were told to.
    pub(super) lost: Vec<String>,
    /// Answers that were not right.
    pub(super) wrong: Vec<String>,
}

/// When something failed.
enum Moment {
    /// Before the commit was asked for.
    Before,
    /// In the commit.
    Commit,
}

/// Makes the table.
pub(super) fn set_up(port: u16) -> Result<()> {
    let mut session = Session::connect(port, LIMIT)?;
    session.query("create table trial_witness (id bigint primary key, client int)")?;
    Ok(())
}

impl Clients {
    /// Starts `count` clients, which go on where `book` ends.
    pub(super) fn start(port: u16, count: usize, work: Work, seed: u64, book: &mut Book) -> Self {
        let clients = (0..count).map(|number| Client::new(number, book.next(number), seed));
        Self::spawn(port, work, clients.collect())
    }

    /// Starts `count` clients that ask questions.
    pub(super) fn ask(port: u16, count: usize, answers: &Arc<Answers>, seed: u64) -> Self {
        let clients = (0..count as u64).map(|at| Client::new(NOBODY, 0, seed ^ (at + 1)));
        Self::spawn(port, Work::Ask(Arc::clone(answers)), clients.collect())
    }

    fn spawn(port: u16, work: Work, all: Vec<Client>) -> Self {
        let mut clients = Self {
            stop: Arc::default(),
            threads: Vec::new(),
            committed: Vec::new(),
        };
        for client in all {
            let committed = Arc::new(AtomicU64::new(0));
            clients.committed.push(Arc::clone(&committed));
            let (stop, work) = (Arc::clone(&clients.stop), work.clone());
            let run = move || client.run(port, &work, &stop, &committed);
            clients.threads.push(std::thread::spawn(run));
        }
        clients
    }

    /// How many transactions were acknowledged so far.
    pub(super) fn committed(&self) -> u64 {
        let each = self.committed.iter();
        each.map(|count| count.load(Ordering::SeqCst)).sum()
    }

    /// Waits until every client has committed `count` more; says when the first
    /// transaction of any of them and when the last of these was acknowledged.
    ///
    /// # Errors
    /// The clients that did not get that far in `limit`.
    pub(super) fn advance(
        &self,
        count: u64,
        limit: Duration,
    ) -> std::result::Result<(Duration, Duration), Vec<usize>> {
        self.advance_while(count, limit, || true)
    }

    /// The same, as long as it makes sense to wait.
    ///
    /// # Errors
    /// As for [`Clients::advance`].
    pub(super) fn advance_while(
        &self,
        count: u64,
        limit: Duration,
        sensible: impl Fn() -> bool,
    ) -> std::result::Result<(Duration, Duration), Vec<usize>> {
        let (began, before) = (Instant::now(), self.committed());
        let load = |count: &Arc<AtomicU64>| count.load(Ordering::SeqCst);
        let goals: Vec<u64> = self.committed.iter().map(|c| load(c) + count).collect();
        let mut first = None;
        loop {
            if first.is_none() && self.committed() > before {
                first = Some(began.elapsed());
            }
            let each = self.committed.iter().zip(&goals).enumerate();
            let behind = each.filter(|(_, (c, goal))| load(c) < **goal);
            let behind: Vec<usize> = behind.map(|(number, _)| number).collect();
            match behind.is_empty() {
                true => return Ok((first.unwrap_or_default(), began.elapsed())),
                false if began.elapsed() > limit || !sensible() => return Err(behind),
                false => std::thread::sleep(POLL),
            }
        }
    }

    /// Ends them and enters what they know into `book`.
    pub(super) fn finish(self, book: &mut Book) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            let client = thread.join().map_err(|_| anyhow!("a client panicked"))?;
            book.enter(client);
        }
        Ok(())
    }
}

impl Client {
    fn new(number: usize, next: i64, seed: u64) -> Self {
        Self {
            number,
            random: Random::new(seed ^ (number as u64) << 32),
            next,
            acknowledged: BTreeSet::new(),
            open: BTreeSet::new(),
            errors: Vec::new(),
            lost: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn run(mut self, port: u16, work: &Work, stop: &AtomicBool, committed: &AtomicU64) -> Self {
        while !stop.load(Ordering::SeqCst) {
            let Ok(mut session) = Session::connect(port, LIMIT) else {
                std::thread::sleep(RECONNECT);
                continue;
            };
            if let Err(error) = self.serve(&mut session, work, stop, committed) {
                self.lost.push(error.to_string());
            }
        }
        self
    }

    /// Transactions on one connection, until it is lost.
    fn serve(
        &mut self,
        session: &mut Session,
        work: &Work,
        stop: &AtomicBool,
        committed: &AtomicU64,
    ) -> Result<(), SqlError> {
        while !stop.load(Ordering::SeqCst) {
            session.allow(LIMIT);
            let id = self.next;
            self.next += 1;
            let done = match work {
                Work::Note => self.note(session, id),
                Work::Transfer { scale } => self.transfer(session, id, *scale),
                Work::Ask(answers) => self.question(session, answers),
            };
            let Err((when, error)) = done else {
                if self.number != NOBODY {
                    self.acknowledged.insert(id);
                }
                committed.fetch_add(1, Ordering::SeqCst);
                continue;
            };
            if matches!(when, Moment::Commit) {
                self.open.insert(id);
            }
            if !matches!(error, SqlError::Refused { .. }) {
                return Err(error);
            }
            self.errors.push(error.to_string());
            // Outside a transaction this is a warning; a fault may hit it too.
            match session.query("rollback") {
                Err(SqlError::Refused { .. }) | Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn question(
        &mut self,
        session: &mut Session,
        answers: &Answers,
    ) -> Result<(), (Moment, SqlError)> {
        let number = self.random.below(answers.count() as u64) as usize;
        match answers.ask(session, number) {
            Ok(wrong) => self.wrong.extend(wrong),
            Err(error) => return Err((Moment::Before, error)),
        }
        Ok(())
    }

    fn note(&self, session: &mut Session, id: i64) -> Result<(), (Moment, SqlError)> {
        let insert = self.insert(id);
        if id % 2 == 0 {
            return run(session, &insert, Moment::Commit);
        }
        run(session, "begin", Moment::Before)?;
        run(session, &insert, Moment::Before)?;
        run(session, "commit", Moment::Commit)
    }

    fn transfer(
        &mut self,
        session: &mut Session,
        id: i64,
        scale: u32,
    ) -> Result<(), (Moment, SqlError)> {
        let mut one_of = |count: u64| (self.random.below(u64::from(scale) * count) + 1).to_string();
        let (account, teller, branch) = (one_of(100_000), one_of(10), one_of(1));
        let delta = (self.random.below(10_001) as i64 - 5000).to_string();
        let statements: [(&str, &[&str]); 4] = [
            (
                "update pgbench_accounts set abalance = abalance + $1 where aid = $2",
                &[&delta, &account],
            ),
            (
                "update pgbench_tellers set tbalance = tbalance + $1 where tid = $2",
                &[&delta, &teller],
            ),
            (
                "update pgbench_branches set bbalance = bbalance + $1 where bid = $2",
                &[&delta, &branch],
            ),
            (
                "insert into pgbench_history (tid, bid, aid, delta, mtime) \
                 values ($1, $2, $3, $4, current_timestamp)",
                &[&teller, &branch, &account, &delta],
            ),
        ];
        run(session, "begin", Moment::Before)?;
        for (text, values) in statements {
            let done = match self.number % 2 {
                0 => session.query(&filled(text, values)),
                _ => session.execute(text, values),
            };
            done.map_err(|error| (Moment::Before, error))?;
        }
        run(session, &self.insert(id), Moment::Before)?;
        run(session, "commit", Moment::Commit)
    }

    fn insert(&self, id: i64) -> String {
        format!("insert into trial_witness values ({id}, {})", self.number)
    }
}

fn run(session: &mut Session, text: &str, when: Moment) -> Result<(), (Moment, SqlError)> {
    match session.query(text) {
        Ok(_) => Ok(()),
        Err(error) => Err((when, error)),
    }
}

/// The statement with its values, which are numbers, in place of `$1`, `$2`, …
fn filled(text: &str, values: &[&str]) -> String {
    let mut text = text.to_string();
    for (at, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", at + 1), value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_their_places() {
        assert_eq!(
            filled("a = a + $1 where b = $2", &["-5", "12"]),
            "a = a + -5 where b = 12"
        );
    }
}
