//! Those who work beside the clients of TPC-B, each in a session of its own, again
//! and again. They count what they did and keep what was wrong: any error is, since
//! nothing they do gets in another's way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::super::random::Random;
use super::jobs::{JOBS, Job};
use crate::bench::sql::{Session, SqlError};

/// What one statement may take beside all the others.
const LIMIT: Duration = Duration::from_secs(300);
/// More problems are only counted.
const KEPT: usize = 20;
/// After a connection was lost.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a round of work did not end well.
pub(super) enum Trouble {
    /// The system says no, or nothing.
    Sql(SqlError),
    /// An answer is wrong.
    Wrong(String),
}

impl From<SqlError> for Trouble {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Wrong(format!("{error:#}"))
    }
}

/// A worker's session and dice.
pub(super) struct Desk {
    pub(super) session: Session,
    pub(super) random: Random,
    /// Tells it from the others: part of the names of its tables.
    pub(super) number: usize,
    stop: Arc<AtomicBool>,
}

impl Desk {
    /// Runs statements; their rows are not looked at.
    pub(super) fn run(&mut self, text: &str) -> Result<(), Trouble> {
        self.session.allow(LIMIT);
        self.session.query(text)?;
        Ok(())
    }

    /// The rows of one query as numbers.
    pub(super) fn numbers(&mut self, text: &str) -> Result<Vec<i64>, Trouble> {
        self.session.allow(LIMIT);
        let rows = self.session.query(text)?;
        let fields = rows.into_iter().flatten();
        let numbers = fields.map(|field| field.unwrap_or_default().parse());
        let numbers: Result<Vec<i64>, _> = numbers.collect();
        numbers.map_err(|_| Trouble::Wrong(format!("{text}: no number")))
    }

    /// Runs a query whose numbers are known.
    pub(super) fn expect(&mut self, text: &str, right: &[i64]) -> Result<(), Trouble> {
        let found = self.numbers(text)?;
        match found == right {
            true => Ok(()),
            false => Err(Trouble::Wrong(format!("{text}: {found:?}, not {right:?}"))),
        }
    }

    /// Waits, but not beyond the end of the shift.
    pub(super) fn wait(&self, most: Duration) {
        let step = Duration::from_millis(50);
        let mut left = most;
        while !left.is_zero() && !self.stop.load(Ordering::SeqCst) {
            std::thread::sleep(left.min(step));
            left = left.saturating_sub(step);
        }
    }
}

/// All of them, at work. To be ended by [`Crew::finish`].
pub(super) struct Crew {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    done: Vec<(&'static str, Arc<AtomicU64>)>,
    problems: Arc<Problems>,
}

#[derive(Default)]
struct Problems {
    count: AtomicU64,
    first: Mutex<Vec<String>>,
}

impl Problems {
    fn add(&self, problem: String) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.len() < KEPT {
            println!("        {problem}");
            first.push(problem);
        }
    }
}

impl Crew {
    /// Starts everybody.
    pub(super) fn start(port: u16, seed: u64) -> Self {
        let mut crew = Self {
            stop: Arc::default(),
            threads: Vec::new(),
            done: Vec::new(),
            problems: Arc::default(),
        };
        let mut random = Random::new(seed);
        let mut number = 0;
        for (name, count, job) in JOBS {
            let done = Arc::new(AtomicU64::new(0));
            crew.done.push((*name, Arc::clone(&done)));
            for _ in 0..*count {
                number += 1;
                let worker = Worker {
                    port,
                    name,
                    number,
                    job: *job,
                    seed: random.next(),
                    stop: Arc::clone(&crew.stop),
                    done: Arc::clone(&done),
                    problems: Arc::clone(&crew.problems),
                };
                crew.threads.push(std::thread::spawn(move || worker.run()));
            }
        }
        crew
    }

    /// What was done so far, by kind.
    pub(super) fn done(&self) -> Vec<(&'static str, u64)> {
        let each = self.done.iter();
        each.map(|(name, count)| (*name, count.load(Ordering::SeqCst)))
            .collect()
    }

    /// How much was wrong so far.
    pub(super) fn problems(&self) -> usize {
        self.problems.count.load(Ordering::SeqCst) as usize
    }

    /// Lets everybody end what they are doing, and gives what was wrong.
    pub(super) fn finish(self) -> Result<Vec<String>> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("a worker panicked"))?;
        }
        let first = self.problems.first.lock();
        let mut all = first.unwrap_or_else(PoisonError::into_inner).clone();
        let more = self.problems.count.load(Ordering::SeqCst) as usize - all.len();
        if more > 0 {
            all.push(format!("and {more} more"));
        }
        Ok(all)
    }
}

struct Worker {
    port: u16,
    name: &'static str,
    number: usize,
    job: Job,
    seed: u64,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    problems: Arc<Problems>,
}

impl Worker {
    fn run(self) {
        let mut seed = self.seed;
        while !self.stop.load(Ordering::SeqCst) {
            seed = seed.wrapping_add(1);
            match Session::connect(self.port, LIMIT) {
                Ok(session) => self.serve(Desk {
                    session,
                    random: Random::new(seed),
                    number: self.number,
                    stop: Arc::clone(&self.stop),
                }),
                Err(error) => self.problems.add(format!("{}: {error}", self.name)),
            }
            if !self.stop.load(Ordering::SeqCst) {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Works until the end, or until the connection is lost.
    fn serve(&self, mut desk: Desk) {
        while !self.stop.load(Ordering::SeqCst) {
            let trouble = match (self.job)(&mut desk) {
                Ok(()) => {
                    self.done.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                Err(trouble) => trouble,
            };
            let (what, lost) = match &trouble {
                Trouble::Wrong(what) => (what.clone(), false),
                Trouble::Sql(error) => {
                    let lost = !matches!(error, SqlError::Refused { .. });
                    (error.to_string(), lost)
                }
            };
            self.problems.add(format!("{}: {what}", self.name));
            // Outside a transaction this is a warning.
            if lost || desk.run("rollback").is_err() {
                return;
            }
        }
    }
}
