//! What the tests of this folder share: the executor behind its port over the
//! storage cells on a simulated disk, and plans built by hand.
#![forbid(unsafe_code)]

pub mod plans;

use pg_builtins::BasicContext;
use pg_executor_port::{EXECUTOR, ExecContext, NoViews, PreparedPlan, Progress};
use pg_plan::{Index, Plan, Relation};
use pg_txn_port::{Isolation, Transaction};
use pg_types::{Datum, SqlError};
use port::{Door, Options};
use std::sync::Arc;

pub use rows::{Db, alone};

/// A database with an executor.
pub fn database() -> Db {
    let db = Db::new();
    if EXECUTOR.status().cell.is_none() {
        port::start(&pg_executor::CELL, &Options::default()).expect("the executor starts");
    }
    db
}

/// Makes the files of a table and its indexes.
pub fn create(relation: &Relation) {
    rows::create_table(relation.file);
    for index in &relation.indexes {
        rows::create_index(index.file);
    }
}

/// Makes the file of an index.
pub fn create_index(index: &Index) {
    rows::create_index(index.file);
}

/// A session with a transaction.
pub struct Session {
    pub tx: Transaction,
    pub context: BasicContext,
}

impl Session {
    /// Begins under read committed.
    pub fn begin() -> Self {
        Session::with(Isolation::ReadCommitted)
    }

    /// Begins under an isolation level.
    pub fn with(isolation: Isolation) -> Self {
        let tx = Transaction::begin(isolation, false).expect("a transaction");
        Session {
            tx,
            context: BasicContext::default(),
        }
    }

    /// The surroundings of a call.
    pub fn exec<'a>(&'a mut self, params: &'a [Datum]) -> ExecContext<'a> {
        ExecContext {
            tx: &mut self.tx,
            params,
            session: &self.context,
            views: &NoViews,
            spill: None,
            work_mem: 4 << 20,
            hash_mem: 8 << 20,
            memory_limit: 256 << 20,
        }
    }

    /// Runs a plan as a command of its own.
    pub fn run(&mut self, plan: &Plan) -> Result<(Vec<String>, Progress), SqlError> {
        let prepared = pg_executor_port::prepare(Arc::new(plan.clone()))?;
        self.execute(&prepared, &[])
    }

    /// Runs a prepared plan as a command of its own.
    pub fn execute(
        &mut self,
        plan: &PreparedPlan,
        params: &[Datum],
    ) -> Result<(Vec<String>, Progress), SqlError> {
        self.tx.start_command().expect("a command");
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        let progress = plan
            .start()?
            .next_batch(&mut self.exec(params), 0, &mut rows)?;
        Ok((lines(&rows), progress))
    }

    /// The rows of a plan.
    pub fn rows(&mut self, plan: &Plan) -> Vec<String> {
        self.run(plan).expect("the plan runs").0
    }

    /// Commits.
    pub fn commit(self) {
        self.tx.commit().expect("committed");
    }
}

/// Rows as lines, values separated by commas.
pub fn lines(rows: &[Vec<Datum>]) -> Vec<String> {
    let settings = pg_types::FormatSettings::default();
    let text = |d: &Datum| {
        pg_types::to_text(d, d.natural_type(), &settings).unwrap_or_else(|| "null".into())
    };
    rows.iter()
        .map(|r| r.iter().map(text).collect::<Vec<_>>().join(","))
        .collect()
}
