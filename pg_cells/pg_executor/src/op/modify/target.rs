//! [`Target`]: the table a statement changes. It computes new rows, checks them,
//! encodes them and keeps the indexes.

use super::indexes::{Entry, IndexWriter};
use super::{errors, late};
use crate::env::Env;
use crate::expr::{Code, compile, eval_all};
use crate::op::Builder;
use crate::store::{Changed, Tid};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Expr, IndexExprs, Relation, RowChanges, TargetColumn};
use pg_types::{Datum, SqlError, SqlResult, SqlState, tuple};

/// Longest row that fits a page, in bytes.
const MAX_ROW: usize = pg_heap_port::MAX_ROW;

/// A table with what writing it takes.
pub struct Target {
    /// The table.
    pub relation: Arc<Relation>,
    checks: Vec<(String, Code)>,
    /// Its indexes.
    pub indexes: Vec<IndexWriter>,
    bytes: Vec<u8>,
    old_key: Vec<u8>,
    /// Keys of deferrable constraints that may be there twice.
    late: Vec<late::Key>,
    /// Rows changed since the last count.
    done: RowChanges,
    /// Of the updates those that needed no index entries.
    hot: u64,
}

/// The values of a new row.
pub struct NewRow {
    values: Vec<Code>,
    not_null: Vec<bool>,
}

impl NewRow {
    /// Compiles the columns.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(values: &[TargetColumn], builder: &mut Builder) -> SqlResult<Self> {
        Ok(NewRow {
            values: values
                .iter()
                .map(|v| compile(&v.value, builder))
                .collect::<SqlResult<_>>()?,
            not_null: values.iter().map(|v| v.not_null).collect(),
        })
    }

    /// Computes the row over an input row.
    ///
    /// # Errors
    /// As the expressions.
    pub fn compute(
        &mut self,
        row: &[Datum],
        env: &mut Env<'_>,
        out: &mut Vec<Datum>,
    ) -> SqlResult<()> {
        eval_all(&mut self.values, row, env, out)
    }
}

impl Target {
    /// Compiles a table's checks and indexes.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(
        relation: &Arc<Relation>,
        checks: &[(String, Expr)],
        exprs: &[IndexExprs],
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let mut compiled = Vec::with_capacity(checks.len());
        for (name, expr) in checks {
            compiled.push((name.clone(), compile(expr, builder)?));
        }
        Ok(Target {
            relation: relation.clone(),
            checks: compiled,
            indexes: IndexWriter::compile_all(relation, exprs, builder)?,
            bytes: Vec::new(),
            old_key: Vec::new(),
            late: Vec::new(),
            done: RowChanges::default(),
            hot: 0,
        })
    }

    /// Checks a new row and encodes it.
    ///
    /// # Errors
    /// 23502, 23514; 54000 when it does not fit a page.
    pub fn check(&mut self, new: &NewRow, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        for (column, not_null) in new.not_null.iter().enumerate() {
            if *not_null && row.get(column).is_none_or(Datum::is_null) {
                return Err(errors::not_null(&self.relation, column, row, env));
            }
        }
        self.check_conditions(row, env)
    }

    /// The same for a row that no statement has computed: NOT NULL as the table
    /// says.
    ///
    /// # Errors
    /// As [`Target::check`].
    pub fn check_all(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        for (column, attr) in self.relation.desc.attrs().iter().enumerate() {
            let null = row.get(column).is_none_or(Datum::is_null);
            if attr.not_null && !attr.dropped && null {
                return Err(errors::not_null(&self.relation, column, row, env));
            }
        }
        self.check_conditions(row, env)
    }

    fn check_conditions(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        for (name, code) in &mut self.checks {
            // NULL passes a check.
            if code.eval_bool(row, env)? == Some(false) {
                return Err(errors::check(&self.relation, name, row, env));
            }
        }
        self.encode(row)
    }

    /// Encodes a new row.
    ///
    /// # Errors
    /// 54000 when it does not fit a page.
    pub fn encode(&mut self, row: &[Datum]) -> SqlResult<()> {
        self.bytes.clear();
        tuple::encode(&mut self.bytes, &self.relation.desc, row);
        if self.bytes.len() > MAX_ROW {
            return Err(SqlError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "row is too big: size {}, maximum size {MAX_ROW}",
                    self.bytes.len()
                ),
            ));
        }
        Ok(())
    }

    /// The bytes of the row checked last.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Stores the row checked last.
    ///
    /// # Errors
    /// As the heap.
    pub fn insert(&mut self, env: &mut Env<'_>) -> SqlResult<Tid> {
        let id = env.store.insert(self.relation.file, &self.bytes)?;
        self.done.inserted += 1;
        Ok(id)
    }

    /// Adds a stored row to all indexes. The place of the index that has its
    /// key already is answered, with the row in the way; the indexes before it
    /// have their entry.
    ///
    /// # Errors
    /// As the trees.
    pub fn index_row(
        &mut self,
        row: &[Datum],
        id: Tid,
        env: &mut Env<'_>,
    ) -> SqlResult<Option<(usize, Tid)>> {
        let file = self.relation.file;
        for (at, writer) in self.indexes.iter_mut().enumerate() {
            let entry = writer.compute(row, env)?;
            if entry == Entry::None {
                continue;
            }
            let alone = entry == Entry::Unique;
            let at_once = alone && !writer.index.deferral.deferrable;
            if let Some(other) = env.store.index_insert(
                writer.index.file,
                file,
                &writer.key,
                id,
                at_once.then_some(writer.key_len),
            )? {
                return Ok(Some((at, other)));
            }
            let key = writer.key_alone();
            if alone && !at_once && late::repeats(&writer.index, key, env)? {
                self.late.push((at, key.to_vec(), writer.values.clone()));
            }
        }
        Ok(None)
    }

    /// Rows were stored by other means.
    pub fn count_inserted(&mut self, rows: u64) {
        self.done.inserted += rows;
    }

    /// Checks the keys that had to be alone only when the statement ends, and adds
    /// up what it did.
    ///
    /// # Errors
    /// 23505.
    pub fn settle(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let done = core::mem::take(&mut self.done);
        super::count(&self.relation, done, core::mem::take(&mut self.hot), env);
        if self.late.is_empty() {
            return Ok(());
        }
        late::settle_keys(&self.relation, &self.indexes, &mut self.late, env)
    }

    /// Forgets what a statement that failed has left.
    pub fn forget(&mut self) {
        self.late.clear();
        self.done = RowChanges::default();
        self.hot = 0;
    }

    /// The error for a key that index number `at` has already, as computed last.
    #[must_use]
    pub fn duplicate(&self, at: usize, env: &Env<'_>) -> SqlError {
        match self.indexes.get(at) {
            Some(writer) => errors::duplicate(&self.relation, &writer.index, &writer.values, env),
            None => SqlError::internal("a unique violation of an unknown index"),
        }
    }

    /// Whether an update of these columns needs the old row, for index keys.
    #[must_use]
    pub fn needs_old(&self, changed: &[usize]) -> bool {
        self.indexes.iter().any(|w| w.touched_by(changed))
    }

    /// Whether all index entries of the old row serve the new one.
    fn keeps_keys(
        &mut self,
        old: &[Datum],
        new: &[Datum],
        changed: &[usize],
        env: &mut Env<'_>,
    ) -> SqlResult<bool> {
        for writer in &mut self.indexes {
            if !writer.touched_by(changed) {
                continue;
            }
            let before = writer.compute(old, env)?;
            core::mem::swap(&mut self.old_key, &mut writer.key);
            let after = writer.compute(new, env)?;
            if before != after || self.old_key != writer.key {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Replaces a row by the one checked last, with its index entries.
    ///
    /// # Errors
    /// 23505, and as the layers below.
    pub fn update(
        &mut self,
        id: Tid,
        old: &[Datum],
        new: &[Datum],
        changed: &[usize],
        env: &mut Env<'_>,
    ) -> SqlResult<Changed> {
        let keep = self.keeps_keys(old, new, changed, env)?;
        let outcome = env
            .store
            .update(self.relation.file, id, &self.bytes, keep)?;
        if let Changed::Done { hot, .. } = outcome {
            self.done.updated += 1;
            self.hot += u64::from(hot);
        }
        if let Changed::Done { tid, hot: false } = outcome
            && let Some((at, _)) = self.index_row(new, tid, env)?
        {
            return Err(self.duplicate(at, env));
        }
        Ok(outcome)
    }
}

/// The table's columns that the first columns of an update's input row are: all
/// of them, or those that are not dropped.
///
/// # Errors
/// XX000 when the numbers do not match.
pub fn old_columns(relation: &Relation, row_id: usize) -> SqlResult<Vec<usize>> {
    let attrs = relation.desc.attrs();
    if row_id == attrs.len() {
        return Ok((0..attrs.len()).collect());
    }
    let live: Vec<usize> = (0..attrs.len()).filter(|i| !attrs[*i].dropped).collect();
    if live.len() == row_id {
        return Ok(live);
    }
    Err(SqlError::internal(format!(
        "the plan reads {row_id} of the {} columns of \"{}\"",
        live.len(),
        relation.name
    )))
}

/// The old row in the table's order, from an update's input row.
pub fn old_row(columns: &[usize], width: usize, row: &[Datum], out: &mut Vec<Datum>) {
    out.clear();
    out.resize(width, Datum::Null);
    for (value, at) in row.iter().zip(columns) {
        if let Some(place) = out.get_mut(*at) {
            *place = value.clone();
        }
    }
}
