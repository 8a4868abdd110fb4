//! Prepared statements, portals and cached plans, as a session keeps them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_executor_port::{PreparedPlan, RunningQuery};
use pg_plan::{Plan, Utility};
use pg_txn_port::LockMode;
use pg_types::{Datum, Oid};

/// How many plans of the simple protocol a session keeps.
const KEPT: usize = 256;

/// A planned statement, ready to run.
#[derive(Debug)]
pub struct Ready {
    /// What is run.
    pub body: Body,
    /// The tables it uses and how they are locked.
    pub locks: Vec<(Oid, LockMode)>,
    /// It changes nothing.
    pub reads_only: bool,
    /// The catalog's version it was planned at.
    pub version: u64,
    /// The settings it was planned under: see [`crate::plan_epoch`].
    pub epoch: u64,
    /// The types of its parameters.
    pub params: Vec<Oid>,
    /// RowDescription with all columns as texts, if it gives rows.
    pub description: Vec<u8>,
}

/// What is run.
#[derive(Debug)]
pub enum Body {
    /// Nothing at all: an empty text.
    Empty,
    /// A plan with its compiled form.
    Query(Arc<Plan>, PreparedPlan),
    /// Anything else.
    Utility(Arc<Utility>),
}

/// A prepared statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its text.
    pub sql: Arc<str>,
    /// The types the client named; 0 is unknown.
    pub declared: Arc<[Oid]>,
    /// Planned.
    pub ready: Arc<Ready>,
    /// Made by PREPARE rather than by the protocol.
    pub from_sql: bool,
    /// When, in microseconds since 2000.
    pub made: i64,
}

/// A portal or cursor.
#[derive(Debug)]
pub struct Portal {
    /// Its text.
    pub sql: Arc<str>,
    /// What it runs.
    pub ready: Arc<Ready>,
    /// The parameters.
    pub params: Arc<[Datum]>,
    /// How the client wants the columns: none is text, one is for all.
    pub formats: Arc<[i16]>,
    /// There once it has started, unless it is done.
    pub query: Option<RunningQuery>,
    /// It has been started.
    pub started: bool,
    /// There are no more rows.
    pub done: bool,
    /// Rows of a cursor that may go backward, or that is to outlive its
    /// transaction, and rows of utility statements that return some.
    pub rows: Option<Vec<Vec<Datum>>>,
    /// The cursor stands on this row, from one; 0 is before the first.
    pub at: u64,
    /// DECLARE made it.
    pub cursor: Option<String>,
    /// It outlives its transaction.
    pub hold: bool,
    /// It may go backward.
    pub scroll: bool,
    /// When it was made, in microseconds since 2000.
    pub made: i64,
}

/// Plans of the simple protocol by their text.
#[derive(Debug, Default)]
pub struct PlanCache {
    by_text: BTreeMap<String, (u64, Arc<Ready>)>,
    uses: u64,
}

impl PlanCache {
    /// The plan of a text.
    pub fn get(&mut self, text: &str) -> Option<Arc<Ready>> {
        self.uses += 1;
        let (used, ready) = self.by_text.get_mut(text)?;
        *used = self.uses;
        Some(Arc::clone(ready))
    }

    /// Keeps a plan; the one that was not used for the longest time goes.
    pub fn put(&mut self, text: String, ready: Arc<Ready>) {
        if self.by_text.len() >= KEPT && !self.by_text.contains_key(&text) {
            let oldest = self.by_text.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(text) = oldest.map(|(text, _)| text.clone()) {
                self.by_text.remove(&text);
            }
        }
        self.uses += 1;
        self.by_text.insert(text, (self.uses, ready));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.by_text.clear();
    }
}
