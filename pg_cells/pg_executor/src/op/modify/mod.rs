//! INSERT, UPDATE and DELETE. A statement runs to its end before it gives its
//! first RETURNING row, so a client that stops reading leaves no half of it.
//!
//! What all three share: [`target`] computes, checks and encodes rows,
//! [`indexes`] keeps the indexes, [`foreign`] the foreign keys, [`errors`] words
//! what can go wrong.

mod conflict;
mod delete;
pub mod errors;
mod foreign;
pub mod indexes;
mod insert;
pub mod late;
mod referenced;
pub mod target;
mod update;

pub use foreign::ForeignKeys;
pub use insert::RowInserter;

use super::{Builder, Input, Operator};
use crate::env::Env;
use crate::expr::{Code, compile_all, eval_all};
use crate::spill::spool::{Reader, Spool};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use pg_plan::{Expr, Node, Relation, RowChanges};
use pg_types::{Datum, SqlResult};

/// Makes the operator for a node that changes a table.
///
/// # Errors
/// As compiling expressions.
pub fn build(node: &Node, builder: &mut Builder) -> SqlResult<Input> {
    Ok(match node {
        Node::Insert {
            input, returning, ..
        } => {
            let input = builder.build(input)?;
            let inserter = RowInserter::compile(node, builder)?;
            Box::new(Modify::new(
                input,
                Box::new(inserter),
                returning.as_deref(),
                builder,
            )?)
        }
        Node::Update {
            input, returning, ..
        } => {
            let input = builder.build(input)?;
            let updater = update::RowUpdater::compile(node, builder)?;
            Box::new(Modify::new(
                input,
                Box::new(updater),
                returning.as_deref(),
                builder,
            )?)
        }
        Node::Delete {
            input, returning, ..
        } => {
            let input = builder.build(input)?;
            let deleter = delete::RowDeleter::compile(node, builder)?;
            Box::new(Modify::new(
                input,
                Box::new(deleter),
                returning.as_deref(),
                builder,
            )?)
        }
        _ => {
            return Err(pg_types::SqlError::internal(
                "not a node that changes a table",
            ));
        }
    })
}

/// Adds up what a statement has done with a table's rows.
pub fn count(relation: &Relation, done: RowChanges, hot: u64, env: &Env<'_>) {
    if done.is_empty() {
        return;
    }
    let counters = &relation.counters;
    for (counter, rows) in [
        (&counters.inserted, done.inserted),
        (&counters.updated, done.updated),
        (&counters.hot_updated, hot),
        (&counters.deleted, done.deleted),
    ] {
        if rows > 0 {
            counter.fetch_add(rows, Ordering::Relaxed);
        }
    }
    match env.notes {
        Some(notes) => notes.touched.borrow_mut().add(counters, done),
        None => counters.settle(&done, true),
    }
}

/// Changes the table for one input row.
pub trait RowChange: Send {
    /// Does it; false when nothing was changed. `shown` receives the row that
    /// RETURNING is evaluated over.
    ///
    /// # Errors
    /// Constraint violations, and what the layers below report.
    fn change(
        &mut self,
        row: &[Datum],
        shown: Option<&mut Vec<Datum>>,
        env: &mut Env<'_>,
    ) -> SqlResult<bool>;

    /// The foreign keys that its changes concern.
    fn foreign_keys(&mut self) -> &mut ForeignKeys;

    /// The statement is at its end.
    ///
    /// # Errors
    /// As [`RowChange::change`]; 23503.
    fn finish(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.foreign_keys().settle(env)
    }

    /// Forgets what an execution that failed has left.
    fn clear(&mut self) {
        self.foreign_keys().clear();
    }
}

/// Runs a change for each input row.
struct Modify {
    input: Input,
    change: Box<dyn RowChange>,
    returning: Option<Vec<Code>>,
    rows: Spool,
    affected: u64,
    done: bool,
    /// Behind the current row.
    reader: Reader,
    shown: Vec<Datum>,
    scratch: Vec<Datum>,
}

impl Modify {
    fn new(
        input: Input,
        change: Box<dyn RowChange>,
        returning: Option<&[Expr]>,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        Ok(Modify {
            input,
            change,
            rows: Spool::new(returning.map_or(0, <[Expr]>::len)),
            returning: returning.map(|r| compile_all(r, builder)).transpose()?,
            affected: 0,
            done: false,
            reader: Reader::default(),
            shown: Vec::new(),
            scratch: Vec::new(),
        })
    }

    fn run(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        while self.input.next(env)? {
            env.tick()?;
            let shown = if self.returning.is_some() {
                Some(&mut self.shown)
            } else {
                None
            };
            if !self.change.change(self.input.row(), shown, env)? {
                continue;
            }
            self.affected += 1;
            if let Some(returning) = &mut self.returning {
                eval_all(returning, &self.shown, env, &mut self.scratch)?;
                self.rows
                    .push(&self.scratch, env.spill, &mut env.run.memory)?;
            }
        }
        self.change.finish(env)
    }
}

impl Operator for Modify {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !core::mem::replace(&mut self.done, true) {
            self.run(env)?;
        }
        self.rows.next(&mut self.reader, &mut self.scratch)
    }

    fn row(&self) -> &[Datum] {
        &self.scratch
    }

    fn width(&self) -> usize {
        self.rows.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.rows.clear(&mut env.run.memory);
        self.change.clear();
        self.affected = 0;
        self.done = false;
        self.reader = Reader::default();
        self.input.reset(env)
    }

    fn affected(&self) -> u64 {
        self.affected
    }
}
