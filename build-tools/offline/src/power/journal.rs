//! What the clients were told, and when: the log's length stands for the time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// A table of a client that changes its schema, as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Names of the columns that may be dropped again.
    pub extra: Vec<String>,
    /// Indexes, that of the primary key among them.
    pub indexes: usize,
    /// The ids of its rows.
    pub ids: BTreeSet<i64>,
}

/// All tables of such a client, by name.
pub type Tables = BTreeMap<String, Table>;

/// A transaction whose commit was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Commit {
    /// Its number, ascending for each client.
    pub step: u64,
    /// The log's length when the commit was sent.
    pub sent: u64,
    /// The log's length when the answer was there; none when none came.
    pub acknowledged: Option<u64>,
    /// The client's tables after it, for one that changes its schema.
    pub tables: Option<Tables>,
}

/// A value that a sequence gave.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Given {
    /// The value.
    pub value: i64,
    /// The log's length when it was there.
    pub acknowledged: u64,
}

/// Everything that one client did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Client {
    /// Its transactions, in order.
    pub commits: Vec<Commit>,
    /// Steps that it rolled back.
    pub rolled_back: BTreeSet<u64>,
    /// What its sequence gave, in order.
    pub given: Vec<Given>,
    /// Every name that a table of it ever had.
    pub names: BTreeSet<String>,
    /// What the server refused, by SQLSTATE and message.
    pub refused: BTreeMap<String, u64>,
}

/// Everything that all clients did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Journal {
    /// The log's length when the tables that all use were there.
    pub ready: u64,
    /// Those that move money.
    pub tellers: BTreeMap<u32, Client>,
    /// Those that change their schema.
    pub builders: BTreeMap<u32, Client>,
}

impl Journal {
    /// How many commits were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        let clients = self.tellers.values().chain(self.builders.values());
        let commits = clients.flat_map(|client| &client.commits);
        commits.filter(|c| c.acknowledged.is_some()).count()
    }
}

/// A journal that several clients write, with the log that is their clock.
pub struct Book {
    log: PathBuf,
    journal: Mutex<Journal>,
}

impl Book {
    /// An empty one.
    #[must_use]
    pub fn new(log: PathBuf) -> Self {
        Book {
            log,
            journal: Mutex::new(Journal::default()),
        }
    }

    /// How long the log is now.
    #[must_use]
    pub fn now(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |meta| meta.len())
    }

    /// The journal, to be written to.
    pub fn lock(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
