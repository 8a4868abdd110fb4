//! [`RowUpdater`]: UPDATE, row by row. A row that another transaction updated
//! meanwhile is read anew and the statement's condition is checked again over
//! it, as READ COMMITTED asks; under stricter levels the heap refuses it.

use super::target::{NewRow, Target, old_columns, old_row};
use super::{ForeignKeys, RowChange};
use crate::env::Env;
use crate::expr::{Code, compile_option};
use crate::op::Builder;
use crate::op::decode::Decoder;
use crate::store::{Changed, RowBuf, Tid, tid_datum, tid_of};
use alloc::vec::Vec;
use pg_plan::{Node, Relation};
use pg_types::{Datum, SqlError, SqlResult};

/// Updates rows.
pub struct RowUpdater {
    target: Target,
    values: NewRow,
    changed: Vec<usize>,
    versions: Versions,
    keys: ForeignKeys,
    /// Somebody wants to know the old row: an index or a foreign key.
    needs_old: bool,
    old: Vec<Datum>,
    new: Vec<Datum>,
}

/// Input rows whose first columns are a table's row: which columns those are,
/// and how to put a newer version in.
pub struct Versions {
    file: u32,
    width: usize,
    row_id: usize,
    /// The table's columns that the input row starts with.
    pub columns: Vec<usize>,
    recheck: Option<Code>,
    decoder: Decoder,
    bytes: RowBuf,
    version: Vec<Datum>,
    /// The input row, its version brought up to date.
    pub row: Vec<Datum>,
}

impl Versions {
    /// For input rows with a row id at `row_id`.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(
        relation: &Relation,
        row_id: usize,
        recheck: Option<&pg_plan::Expr>,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        Ok(Versions {
            file: relation.file,
            width: relation.desc.len(),
            row_id,
            columns: old_columns(relation, row_id)?,
            recheck: compile_option(recheck, builder)?,
            decoder: Decoder::all(relation, false),
            bytes: RowBuf::new(),
            version: Vec::new(),
            row: Vec::new(),
        })
    }

    /// The address in an input row; `None` when it has no row of the table (the
    /// empty side of an outer join).
    #[must_use]
    pub fn tid(&self, row: &[Datum]) -> Option<Tid> {
        row.get(self.row_id).and_then(tid_of)
    }

    /// Copies an input row, so that a newer version can be put in.
    pub fn take(&mut self, row: &[Datum]) {
        self.row.clear();
        self.row.extend_from_slice(row);
    }

    /// The table's row in an input row, in the table's order.
    pub fn old(&self, row: &[Datum], out: &mut Vec<Datum>) {
        old_row(&self.columns, self.width, row, out);
    }

    /// Puts a newer version in; false when it is gone or does not satisfy the
    /// condition any more.
    ///
    /// # Errors
    /// As the heap and the condition.
    pub fn renew(&mut self, newest: Tid, env: &mut Env<'_>) -> SqlResult<bool> {
        if !env
            .store
            .fetch_version(self.file, newest, &mut self.bytes)?
        {
            return Ok(false);
        }
        self.decoder
            .decode(&self.bytes.bytes, newest, &mut self.version)?;
        for (place, column) in self.columns.iter().enumerate() {
            self.row[place] = self.version.get(*column).cloned().unwrap_or_default();
        }
        self.row[self.row_id] = tid_datum(newest);
        match &mut self.recheck {
            Some(condition) => condition.is_true(&self.row, env),
            None => Ok(true),
        }
    }
}

impl RowUpdater {
    /// For an Update node; its input is the caller's business.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(node: &Node, builder: &mut Builder) -> SqlResult<Self> {
        let Node::Update {
            relation,
            row_id,
            values,
            changed,
            recheck,
            checks,
            index_exprs,
            reached,
            ..
        } = node
        else {
            return Err(SqlError::internal("not an UPDATE"));
        };
        let target = Target::compile(relation, checks, index_exprs, builder)?;
        let keys = ForeignKeys::new(relation, reached.as_slice().into());
        Ok(RowUpdater {
            needs_old: keys.needs_old() || target.needs_old(changed),
            target,
            keys,
            values: NewRow::compile(values, builder)?,
            changed: changed.clone(),
            versions: Versions::compile(relation, *row_id, recheck.as_ref(), builder)?,
            old: Vec::new(),
            new: Vec::new(),
        })
    }
}

impl RowChange for RowUpdater {
    fn change(
        &mut self,
        row: &[Datum],
        shown: Option<&mut Vec<Datum>>,
        env: &mut Env<'_>,
    ) -> SqlResult<bool> {
        let Some(mut tid) = self.versions.tid(row) else {
            return Ok(false);
        };
        // The input row is copied only when a newer version must go into it.
        let mut renewed = false;
        loop {
            let current = if renewed {
                self.versions.row.as_slice()
            } else {
                row
            };
            self.values.compute(current, env, &mut self.new)?;
            self.target.check(&self.values, &self.new, env)?;
            if self.needs_old {
                self.versions.old(current, &mut self.old);
            }
            match self
                .target
                .update(tid, &self.old, &self.new, &self.changed, env)?
            {
                Changed::Done { .. } => break,
                Changed::Concurrent { newest } => {
                    env.tick()?;
                    if !renewed {
                        self.versions.take(row);
                        renewed = true;
                    }
                    if !self.versions.renew(newest, env)? {
                        return Ok(false);
                    }
                    tid = newest;
                }
                // A join found the row twice, or it is gone.
                Changed::SelfModified | Changed::Deleted | Changed::Skipped => return Ok(false),
            }
        }
        if self.keys.needs_old() {
            self.keys.stored(Some(&self.old), &self.new);
        }
        if let Some(shown) = shown {
            shown.clear();
            shown.extend_from_slice(&self.new);
            shown.extend_from_slice(if renewed { &self.versions.row } else { row });
        }
        Ok(true)
    }

    fn foreign_keys(&mut self) -> &mut ForeignKeys {
        &mut self.keys
    }

    fn finish(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.target.settle(env)?;
        self.keys.settle(env)
    }

    fn clear(&mut self) {
        self.target.forget();
        self.keys.clear();
    }
}
