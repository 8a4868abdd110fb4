//! Clients that read lists and append to them, for [`crate::history`] to judge.
//! A list is a row of text; it is made by its first append, so that a read of a
//! list that is not there yet is a read of a gap. Reads go through the index or
//! through the whole table.

use crate::client::{Answer, Client};
use crate::history::{End, Op, Txn};
use sim_disk::Random;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

/// What a history is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The isolation level of all transactions.
    pub level: &'static str,
    /// How many lists.
    pub keys: u32,
    /// Operations of a transaction, at most.
    pub ops: u64,
}

/// What a client does next.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Begin,
    Read(u32, bool),
    Append(u32, u64),
    Commit,
    Rollback,
}

/// A client between its statements: what it has done and is about to do.
#[derive(Debug)]
pub struct Actor {
    plan: Plan,
    random: Random,
    number: u64,
    values: u64,
    todo: Vec<Step>,
    ops: Vec<Op>,
    /// The transactions that have ended.
    pub done: Vec<Txn>,
}

/// The statements that make the table.
pub const SETUP: [&str; 2] = [
    "DROP TABLE IF EXISTS lists",
    "CREATE TABLE lists (id int PRIMARY KEY, val text NOT NULL)",
];

impl Actor {
    /// Client `number` of a seed.
    #[must_use]
    pub fn new(plan: Plan, seed: u64, number: u64) -> Self {
        Actor {
            plan,
            random: Random::new(seed.wrapping_mul(1_000_003) ^ number << 32),
            number,
            values: 0,
            todo: Vec::new(),
            ops: Vec::new(),
            done: Vec::new(),
        }
    }

    /// The statement to send; a new transaction's first when none is open.
    pub fn statement(&mut self) -> String {
        if self.todo.is_empty() {
            self.choose();
        }
        match self.todo.last().expect("something was chosen") {
            Step::Begin => format!("BEGIN ISOLATION LEVEL {}", self.plan.level),
            Step::Read(key, true) => format!("SELECT val FROM lists WHERE id = {key}"),
            Step::Read(key, false) => format!("SELECT val FROM lists WHERE id + 0 = {key}"),
            Step::Append(key, value) => format!(
                "INSERT INTO lists VALUES ({key}, '{value}') \
                 ON CONFLICT (id) DO UPDATE SET val = lists.val || ' {value}'"
            ),
            Step::Commit => "COMMIT".into(),
            Step::Rollback => "ROLLBACK".into(),
        }
    }

    /// Whether it is between two transactions.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.todo.is_empty()
    }

    fn choose(&mut self) {
        let end = match self.random.below(20) {
            0 => Step::Rollback,
            _ => Step::Commit,
        };
        self.todo.push(end);
        for _ in 0..=self.random.below(self.plan.ops) {
            let key = self.random.below(u64::from(self.plan.keys)) as u32;
            let step = match self.random.below(5) {
                0 | 1 => {
                    self.values += 1;
                    Step::Append(key, self.number * 1_000_000 + self.values)
                }
                other => Step::Read(key, other != 4),
            };
            self.todo.push(step);
        }
        self.todo.push(Step::Begin);
    }

    /// Takes the answer to the statement; none when the connection broke.
    ///
    /// # Panics
    /// When the server answers with an error that is none of isolation.
    pub fn answered(&mut self, answer: Option<&Answer>) {
        let step = self.todo.pop().expect("a statement was sent");
        let Some(answer) = answer else {
            let end = match step {
                Step::Commit => End::Unknown,
                _ => End::Aborted,
            };
            return self.end(end);
        };
        if let Some(error) = &answer.error {
            let usual = ["40001", "40P01"].contains(&&*error.code);
            assert!(usual, "{step:?}: {error:?}");
            match step {
                Step::Commit => self.end(End::Aborted),
                // What is still to be undone is sent next.
                _ => self.todo = vec![Step::Rollback],
            }
            return;
        }
        match step {
            Step::Begin => {}
            Step::Append(key, value) => self.ops.push(Op::Append(key, value)),
            Step::Read(key, _) => self.ops.push(Op::Read(key, list(answer))),
            Step::Commit if answer.tags == ["COMMIT"] => self.end(End::Committed),
            Step::Commit | Step::Rollback => self.end(End::Aborted),
        }
    }

    fn end(&mut self, end: End) {
        self.todo.clear();
        let ops = std::mem::take(&mut self.ops);
        self.done.push(Txn { ops, end });
    }
}

fn list(answer: &Answer) -> Vec<u64> {
    let lines = answer.lines();
    assert!(lines.len() <= 1, "a key with several rows: {lines:?}");
    let text = lines.concat();
    let numbers = text.split_whitespace();
    numbers.map(|n| n.parse().expect("a number")).collect()
}

/// Reads all lists, as the history's last transaction.
///
/// # Panics
/// When the server does not answer.
#[must_use]
pub fn last_reads(client: &mut Client, keys: u32) -> Txn {
    let mut ops = Vec::new();
    for key in 0..keys {
        let sql = format!("SELECT val FROM lists WHERE id = {key}");
        let answer = client.query(&sql).expect("an answer");
        assert_eq!(answer.error, None);
        ops.push(Op::Read(key, list(&answer)));
    }
    Txn {
        ops,
        end: End::Committed,
    }
}

/// Clients in threads of their own, who meet as they may, until they have run
/// `statements` statements and `meanwhile` was called `rounds` times. Gives the
/// history, with the last reads.
///
/// # Panics
/// When the server does not answer, or an answer is none of isolation's.
#[must_use]
pub fn free(
    port: u16,
    plan: Plan,
    clients: u64,
    (statements, rounds): (u32, u32),
    mut meanwhile: impl FnMut(u32),
) -> Vec<Txn> {
    let mut control = Client::connect(port).expect("a connection");
    for sql in SETUP {
        assert_eq!(control.query(sql).expect("an answer").error, None);
    }
    let stop = AtomicBool::new(false);
    let ended = AtomicU32::new(0);
    let client = |number| {
        let mut client = Client::connect(port).expect("a connection");
        let mut actor = Actor::new(plan, 7, number);
        while !stop.load(Ordering::Relaxed) || !actor.is_idle() {
            let answer = client.query(&actor.statement()).expect("an answer");
            actor.answered(Some(&answer));
            ended.fetch_add(1, Ordering::Relaxed);
        }
        actor.done
    };
    let mut history = thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (0..clients)
            .map(|number| scope.spawn(move || client(number)))
            .collect();
        let mut round = 0;
        while ended.load(Ordering::Relaxed) < statements || round < rounds {
            // One that has failed would be waited for in vain.
            if clients.iter().any(|c| c.is_finished()) {
                break;
            }
            meanwhile(round);
            round += 1;
        }
        stop.store(true, Ordering::Relaxed);
        let done = clients
            .into_iter()
            .flat_map(|c| c.join().expect("no fault"));
        done.collect::<Vec<Txn>>()
    });
    history.push(last_reads(&mut control, plan.keys));
    history
}
