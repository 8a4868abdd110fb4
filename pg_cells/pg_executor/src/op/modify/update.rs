//! [`RowUpdater`]: UPDATE, row by row. A row that another transaction updated
//! meanwhile is read anew and the statement's condition is checked again over
//! it, as READ COMMITTED asks; under stricter levels the heap refuses it.

use super::RowChange;
use super::target::{NewRow, Target, old_columns, old_row};
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

    /// Takes an input row; `None` when it has no row of the table (the empty
    /// side of an outer join).
    pub fn take(&mut self, row: &[Datum]) -> Option<Tid> {
        self.row.clear();
        self.row.extend_from_slice(row);
        self.row.get(self.row_id).and_then(tid_of)
    }

    /// The table's row in the input row, in the table's order.
    pub fn old(&self, out: &mut Vec<Datum>) {
        old_row(&self.columns, self.width, &self.row, out);
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
            ..
        } = node
        else {
            return Err(SqlError::internal("not an UPDATE"));
        };
        Ok(RowUpdater {
            target: Target::compile(relation, checks, index_exprs, builder)?,
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
        let Some(mut id) = self.versions.take(row) else {
            return Ok(false);
        };
        loop {
            self.values
                .compute(&self.versions.row, env, &mut self.new)?;
            self.target.check(&self.values, &self.new, env)?;
            self.versions.old(&mut self.old);
            match self
                .target
                .update(id, &self.old, &self.new, &self.changed, env)?
            {
                Changed::Done { .. } => break,
                Changed::Concurrent { newest } => {
                    env.tick()?;
                    if !self.versions.renew(newest, env)? {
                        return Ok(false);
                    }
                    id = newest;
                }
                // A join found the row twice, or it is gone.
                Changed::SelfModified | Changed::Deleted | Changed::Skipped => return Ok(false),
            }
        }
        if let Some(shown) = shown {
            shown.clear();
            shown.extend_from_slice(&self.new);
            shown.extend_from_slice(&self.versions.row);
        }
        Ok(true)
    }
}
