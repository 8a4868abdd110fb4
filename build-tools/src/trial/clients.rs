//! Clients of our own that carry on after errors and know what was acknowledged
//! to them. Each transaction notes a number that is never used twice in the table
//! `trial_witness`. Later every acknowledged number must be there and none that
//! was refused; one whose commit had no answer, or an error for one, may be.
//!
//! A client whose connection is lost counts that and connects again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::answers::{Answers, Way};
use super::book::Book;
use super::random::Random;
use super::watch::now;
use crate::bench::sql::{Session, SqlError};
use crate::timeline::Done;

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

/// What stands before the errors of clients that only read.
pub(super) const READER: &str = "reader: ";
/// The number of clients that note none.
const NOBODY: usize = usize::MAX;

/// Clients at work. To be ended by [`Clients::finish`].
pub(super) struct Clients {
    stop: Arc<AtomicBool>,
    rest: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    committed: Vec<Arc<AtomicU64>>,
    notes: Vec<Arc<Mutex<Notes>>>,
}

/// One client.
struct Client {
    number: usize,
    random: Random,
    /// The number after the last one it used.
    next: i64,
    notes: Arc<Mutex<Notes>>,
}

/// What a client has done since somebody looked last.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The client's number.
    pub(super) number: usize,
    /// The number after the last one that is settled.
    pub(super) next: i64,
    /// It was told to rest, and does.
    pub(super) rests: bool,
    /// Numbers whose commit was confirmed.
    pub(super) acknowledged: BTreeSet<i64>,
    /// When their commits were confirmed, and how long the transactions took.
    pub(super) done: Vec<Done>,
    /// Numbers whose commit had no answer, or an error for one.
    pub(super) open: BTreeSet<i64>,
    /// Errors of statements, by SQLSTATE and message.
    pub(super) errors: Vec<String>,
    /// Connections that ended before they were told to.
    pub(super) lost: Vec<String>,
    /// Answers that were not right.
    pub(super) wrong: Vec<String>,
}

/// What the clients are told.
struct Told {
    stop: Arc<AtomicBool>,
    rest: Arc<AtomicBool>,
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
            rest: Arc::default(),
            threads: Vec::new(),
            committed: Vec::new(),
            notes: Vec::new(),
        };
        for client in all {
            let committed = Arc::new(AtomicU64::new(0));
            clients.committed.push(Arc::clone(&committed));
            clients.notes.push(Arc::clone(&client.notes));
            let (stop, rest) = (Arc::clone(&clients.stop), Arc::clone(&clients.rest));
            let work = work.clone();
            let told = Told { stop, rest };
            let run = move || client.run(port, &work, &told, &committed);
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
        let goals = self.goals(count);
        let mut first = None;
        loop {
            if first.is_none() && self.committed() > before {
                first = Some(began.elapsed());
            }
            let behind = self.behind(&goals);
            match behind.is_empty() {
                true => return Ok((first.unwrap_or_default(), began.elapsed())),
                false if began.elapsed() > limit || !sensible() => return Err(behind),
                false => std::thread::sleep(POLL),
            }
        }
    }

    /// What each client will have committed when it has done `count` more.
    pub(super) fn goals(&self, count: u64) -> Vec<u64> {
        let each = self.committed.iter();
        each.map(|done| done.load(Ordering::SeqCst) + count)
            .collect()
    }

    /// The clients that have not got as far as `goals`.
    pub(super) fn behind(&self, goals: &[u64]) -> Vec<usize> {
        let each = self.committed.iter().zip(goals).enumerate();
        let behind = each.filter(|(_, (done, goal))| done.load(Ordering::SeqCst) < **goal);
        behind.map(|(number, _)| number).collect()
    }

    /// Whether an error, a lost connection or a wrong answer was noted since somebody
    /// collected.
    pub(super) fn complain(&self) -> bool {
        self.notes.iter().any(|notes| {
            let notes = lock(notes);
            !(notes.errors.is_empty() && notes.lost.is_empty() && notes.wrong.is_empty())
        })
    }

    /// From now on they begin nothing new, or go on.
    pub(super) fn rest(&self, rest: bool) {
        self.rest.store(rest, Ordering::SeqCst);
    }

    /// Waits until none of those that were told to rest is at work.
    ///
    /// # Errors
    /// Those that are after `limit`.
    pub(super) fn all_rest(&self, limit: Duration) -> std::result::Result<(), Vec<usize>> {
        let began = Instant::now();
        loop {
            let each = self.notes.iter().enumerate();
            let busy = each.filter(|(_, notes)| !lock(notes).rests);
            let busy: Vec<usize> = busy.map(|(at, _)| at).collect();
            match busy.is_empty() {
                true => return Ok(()),
                false if began.elapsed() > limit => return Err(busy),
                false => std::thread::sleep(POLL),
            }
        }
    }

    /// Ends them and enters what they know into `book`.
    pub(super) fn finish(mut self, book: &mut Book) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().map_err(|_| anyhow!("a client panicked"))?;
        }
        self.collect(book);
        Ok(())
    }

    /// Enters what they have done since the last time into `book`, while they go on.
    pub(super) fn collect(&self, book: &mut Book) {
        for notes in &self.notes {
            let mut notes = lock(notes);
            let fresh = Notes {
                number: notes.number,
                next: notes.next,
                rests: notes.rests,
                ..Notes::default()
            };
            book.enter(std::mem::replace(&mut notes, fresh));
        }
    }
}

/// A client that panicked leaves its notes in order.
fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    fn new(number: usize, next: i64, seed: u64) -> Self {
        Self {
            number,
            random: Random::new(seed ^ (number as u64) << 32),
            next,
            notes: Arc::new(Mutex::new(Notes {
                number,
                next,
                ..Notes::default()
            })),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }

    fn run(mut self, port: u16, work: &Work, told: &Told, committed: &AtomicU64) {
        while !self.waits_or_ends(told) {
            let Ok(mut session) = Session::connect(port, LIMIT) else {
                std::thread::sleep(RECONNECT);
                continue;
            };
            if let Err(error) = self.serve(&mut session, work, told, committed) {
                self.notes().lost.push(error.to_string());
            }
        }
    }

    /// Rests as long as it is told to; true when it is to end.
    fn waits_or_ends(&self, told: &Told) -> bool {
        let end = || told.stop.load(Ordering::SeqCst);
        if told.rest.load(Ordering::SeqCst) {
            self.notes().rests = true;
            while told.rest.load(Ordering::SeqCst) && !end() {
                std::thread::sleep(POLL);
            }
            self.notes().rests = false;
        }
        end()
    }

    /// Transactions on one connection, until it is lost.
    fn serve(
        &mut self,
        session: &mut Session,
        work: &Work,
        told: &Told,
        committed: &AtomicU64,
    ) -> Result<(), SqlError> {
        while !self.waits_or_ends(told) {
            session.allow(LIMIT);
            let began = Instant::now();
            let id = self.next;
            self.next += 1;
            let done = match work {
                Work::Note => self.note(session, id),
                Work::Transfer { scale } => self.transfer(session, id, *scale),
                Work::Ask(answers) => self.question(session, answers),
            };
            let mut notes = self.notes();
            notes.next = self.next;
            let Err((when, error)) = done else {
                if self.number != NOBODY {
                    notes.acknowledged.insert(id);
                    notes.done.push(Done {
                        at: now(),
                        took: began.elapsed().as_micros() as u64,
                    });
                }
                drop(notes);
                committed.fetch_add(1, Ordering::SeqCst);
                continue;
            };
            if matches!(when, Moment::Commit) {
                notes.open.insert(id);
            }
            if !matches!(error, SqlError::Refused { .. }) {
                return Err(error);
            }
            let from_a_reader = matches!(work, Work::Ask(_));
            let mark = if from_a_reader { READER } else { "" };
            notes.errors.push(format!("{mark}{error}"));
            drop(notes);
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
        let way = Way::of(self.next as u64);
        match answers.ask(session, number, way) {
            Ok(wrong) => self.notes().wrong.extend(wrong),
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
