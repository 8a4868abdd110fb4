//! [`RowInserter`]: INSERT; COPY FROM uses it too. Rows that nobody waits for
//! (RETURNING, ON CONFLICT) are stored many at a time.

use super::conflict::Conflict;
use super::target::{NewRow, Target};
use super::{ForeignKeys, RowChange};
use crate::env::Env;
use crate::op::Builder;
use crate::store::Tid;
use alloc::vec::Vec;
use pg_plan::Node;
use pg_types::{Datum, SqlError, SqlResult};

/// Inserts rows.
pub struct RowInserter {
    target: Target,
    values: NewRow,
    conflict: Option<Conflict>,
    new: Vec<Datum>,
    queue: Queue,
    /// How many rows were queued behind the one that could not be stored.
    behind: usize,
    keys: ForeignKeys,
}

/// Rows that are checked and encoded but not stored yet.
#[derive(Default)]
struct Queue {
    rows: Vec<Vec<Datum>>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    tids: Vec<Tid>,
}

/// Rows and bytes that are queued at most.
const QUEUE_ROWS: usize = 512;
const QUEUE_BYTES: usize = 128 * 1024;

impl Queue {
    fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
        self.ends.clear();
        self.tids.clear();
    }
}

impl RowInserter {
    /// For an Insert node; its input is the caller's business.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(node: &Node, builder: &mut Builder) -> SqlResult<Self> {
        let Node::Insert {
            relation,
            values,
            checks,
            on_conflict,
            index_exprs,
            reached,
            ..
        } = node
        else {
            return Err(SqlError::internal("not an INSERT"));
        };
        Ok(RowInserter {
            target: Target::compile(relation, checks, index_exprs, builder)?,
            values: NewRow::compile(values, builder)?,
            conflict: on_conflict
                .as_ref()
                .map(|c| Conflict::compile(c, relation, builder))
                .transpose()?,
            new: Vec::new(),
            queue: Queue::default(),
            behind: 0,
            keys: ForeignKeys::new(relation, reached.as_slice().into()),
        })
    }

    /// Takes an input row that is to be stored together with others.
    ///
    /// # Errors
    /// As [`RowChange::change`].
    pub fn queue(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        self.behind = 0;
        if self.conflict.is_some() {
            return self.change(row, None, env).map(|_| ());
        }
        self.values.compute(row, env, &mut self.new)?;
        self.target.check(&self.values, &self.new, env)?;
        self.keys.stored(None, &self.new);
        let queue = &mut self.queue;
        queue.bytes.extend_from_slice(self.target.bytes());
        queue.ends.push(queue.bytes.len());
        if !self.target.indexes.is_empty() {
            queue.rows.push(core::mem::take(&mut self.new));
        }
        if queue.ends.len() >= QUEUE_ROWS || queue.bytes.len() >= QUEUE_BYTES {
            return self.flush(env);
        }
        Ok(())
    }

    /// Stores the queued rows.
    ///
    /// # Errors
    /// 23505, and as the layers below.
    pub fn flush(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let queue = &mut self.queue;
        if queue.ends.is_empty() {
            return Ok(());
        }
        let file = self.target.relation.file;
        queue.tids.clear();
        if queue.ends.len() == 1 {
            queue.tids.push(env.store.insert(file, &queue.bytes)?);
        } else {
            let starts = core::iter::once(0).chain(queue.ends.iter().copied());
            let slice =
                |(start, end): (usize, &usize)| queue.bytes.get(start..*end).unwrap_or_default();
            let rows: Vec<&[u8]> = starts.zip(&queue.ends).map(slice).collect();
            env.store.insert_many(file, &rows, &mut queue.tids)?;
        }
        self.target.count_inserted(queue.ends.len() as u64);
        self.behind = queue.rows.len();
        for (row, tid) in queue.rows.iter().zip(&queue.tids) {
            env.tick()?;
            self.behind -= 1;
            if let Some((at, _)) = self.target.index_row(row, *tid, env)? {
                return Err(self.target.duplicate(at, env));
            }
        }
        queue.clear();
        Ok(())
    }

    /// After a failure to store queued rows: how many were queued behind the one
    /// that failed.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.behind
    }
}

impl RowChange for RowInserter {
    fn change(
        &mut self,
        row: &[Datum],
        shown: Option<&mut Vec<Datum>>,
        env: &mut Env<'_>,
    ) -> SqlResult<bool> {
        if shown.is_none() && self.conflict.is_none() {
            self.queue(row, env)?;
            return Ok(true);
        }
        self.values.compute(row, env, &mut self.new)?;
        self.target.check(&self.values, &self.new, env)?;
        let inserted = match &mut self.conflict {
            Some(conflict) => {
                conflict.insert(&mut self.target, &self.values, &mut self.new, env)?
            }
            None => {
                let id = self.target.insert(env)?;
                if let Some((at, _)) = self.target.index_row(&self.new, id, env)? {
                    return Err(self.target.duplicate(at, env));
                }
                true
            }
        };
        if inserted {
            let replaced = self.conflict.as_ref().and_then(Conflict::replaced);
            self.keys.stored(replaced, &self.new);
        }
        if inserted && let Some(shown) = shown {
            shown.clear();
            shown.extend_from_slice(&self.new);
            shown.extend_from_slice(row);
        }
        Ok(inserted)
    }

    fn finish(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.flush(env)?;
        self.target.settle(env)?;
        self.keys.settle(env)
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.queue.clear();
        self.target.forget();
    }

    fn foreign_keys(&mut self) -> &mut ForeignKeys {
        &mut self.keys
    }
}
