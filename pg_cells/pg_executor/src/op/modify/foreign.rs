//! Foreign keys: [`ForeignKeys`] gathers, while a statement runs, the keys that
//! must exist and the keys that went away, and settles both at its end, under a
//! snapshot of that moment.
//!
//! A key that must exist is looked up in the unique index of the referenced
//! table and its row locked FOR KEY SHARE, so that nobody removes it before we
//! commit. What a vanished key brings about is in [`super::referenced`]. Checks of
//! deferred constraints are handed on to the transaction ([`super::late`]).

use super::{late, referenced};
use crate::env::Env;
use crate::store::{Changed, Cursor, EntryBatch, RowBuf, WaitPolicy};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_executor_port::{Check, CheckKind};
use pg_plan::{ForeignKey, Index, LockStrength, Relation, TableExprs};
use pg_types::{Datum, KeyOrder, Oid, SqlError, SqlResult, SqlState, keycode, oid};

/// The foreign key work of one statement on one table.
pub struct ForeignKeys {
    relation: Arc<Relation>,
    /// What the plan says of the tables that cascading changes reach.
    reached: Arc<[TableExprs]>,
    /// Keys that must exist: which constraint, the values.
    wanted: Vec<(usize, Vec<Datum>)>,
    /// Rows that others may reference: as they were, and as they are now unless
    /// deleted.
    gone: Vec<(Vec<Datum>, Option<Vec<Datum>>)>,
}

impl ForeignKeys {
    /// Nothing to do yet.
    #[must_use]
    pub fn new(relation: &Arc<Relation>, reached: Arc<[TableExprs]>) -> Self {
        ForeignKeys {
            relation: relation.clone(),
            reached,
            wanted: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Whether changes of rows need the old row.
    #[must_use]
    pub fn needs_old(&self) -> bool {
        !self.relation.foreign_keys.is_empty() || !self.relation.referenced_by.is_empty()
    }

    /// A row was stored, in place of `old` if it is an update.
    pub fn stored(&mut self, old: Option<&[Datum]>, new: &[Datum]) {
        for (at, key) in self.relation.foreign_keys.iter().enumerate() {
            let values = columns(new, &key.columns);
            let nulls = values.iter().filter(|v| v.is_null()).count();
            let mixed = key.match_full && nulls > 0 && nulls < values.len();
            if nulls > 0 && !mixed {
                continue;
            }
            let same = !mixed && old.is_some_and(|old| columns(old, &key.columns) == values);
            let known = self
                .wanted
                .last()
                .is_some_and(|(i, last)| *i == at && *last == values);
            if !same && !known {
                self.wanted.push((at, values));
            }
        }
        if let Some(old) = old
            && !self.relation.referenced_by.is_empty()
        {
            self.gone.push((old.to_vec(), Some(new.to_vec())));
        }
    }

    /// A row was deleted.
    pub fn deleted(&mut self, old: &[Datum]) {
        if !self.relation.referenced_by.is_empty() {
            self.gone.push((old.to_vec(), None));
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.wanted.clear();
        self.gone.clear();
    }

    /// Settles everything.
    ///
    /// # Errors
    /// 23503; what cascading changes report.
    pub fn settle(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        if self.wanted.is_empty() && self.gone.is_empty() {
            return Ok(());
        }
        env.store.look_now(true)?;
        let result = self.settle_now(env);
        env.store.look_now(false)?;
        result
    }

    /// The same when the store looks at the present already.
    pub(super) fn settle_now(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let gone = core::mem::take(&mut self.gone);
        if !gone.is_empty() {
            referenced::keys_went(&self.relation, &gone, &self.reached, env)?;
        }
        for (at, values) in core::mem::take(&mut self.wanted) {
            let Some(key) = self.relation.foreign_keys.get(at) else {
                continue;
            };
            if late::waits(key.oid, key.deferral, env) {
                let check = Check {
                    constraint: key.oid,
                    table: self.relation.oid,
                    kind: CheckKind::Wanted,
                    values,
                };
                late::put_off(check, env);
                continue;
            }
            let parent = parent_of(&self.relation, key, env)?;
            must_exist(&self.relation, key, &parent, &values, env)?;
        }
        Ok(())
    }
}

fn parent_of(
    table: &Arc<Relation>,
    key: &ForeignKey,
    env: &mut Env<'_>,
) -> SqlResult<Arc<Relation>> {
    if key.references == table.oid {
        return Ok(table.clone());
    }
    let found = env.store.relation(key.references, false)?;
    found.ok_or_else(|| SqlError::internal("a referenced table is not there"))
}

/// 23503 unless the key is in the referenced table, or no row has it any more.
/// The row of the key is locked, so that it stays until we commit.
///
/// # Errors
/// As the layers below, too.
pub fn must_exist(
    table: &Relation,
    key: &ForeignKey,
    parent: &Relation,
    values: &[Datum],
    env: &mut Env<'_>,
) -> SqlResult<()> {
    let mixed = values.iter().any(Datum::is_null);
    if !mixed && exists(parent, &key.referenced, values, true, env)? {
        return Ok(());
    }
    if referenced::rows_with(table, &key.columns, values, true, env)?.is_empty() {
        return Ok(());
    }
    let detail = match mixed {
        true => String::from("MATCH FULL does not allow mixing of null and nonnull key values."),
        false => format!(
            "{} is not present in table \"{}\".",
            key_text(table, &key.columns, values, env),
            parent.name
        ),
    };
    Err(SqlError::new(
        SqlState::FOREIGN_KEY_VIOLATION,
        format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            table.name, key.name
        ),
    )
    .with_detail(detail)
    .with_table(table.schema.clone(), table.name.clone())
    .with_constraint(key.name.clone()))
}

/// The values of some attributes of a row.
pub fn columns(row: &[Datum], attributes: &[i16]) -> Vec<Datum> {
    let value = |a: &i16| {
        usize::try_from(*a - 1)
            .ok()
            .and_then(|i| row.get(i))
            .cloned()
            .unwrap_or_default()
    };
    attributes.iter().map(value).collect()
}

/// `Key (a, b)=(1, x)`.
pub fn key_text(table: &Relation, attributes: &[i16], values: &[Datum], env: &Env<'_>) -> String {
    let attr = |a: &i16| {
        usize::try_from(*a - 1)
            .ok()
            .and_then(|i| table.desc.attrs().get(i))
    };
    let names: Vec<&str> = attributes
        .iter()
        .map(|a| attr(a).map_or("?", |x| &*x.name))
        .collect();
    let text = |(a, v): (&i16, &Datum)| {
        let type_oid = attr(a).map_or(oid::TEXT, |x| x.type_oid);
        pg_types::to_text(v, type_oid, env.session.format()).unwrap_or_else(|| String::from("null"))
    };
    let shown: Vec<String> = attributes.iter().zip(values).map(text).collect();
    format!("Key ({})=({})", names.join(", "), shown.join(", "))
}

/// Whether a table has a row with these values in these columns, which a unique
/// index covers; with `lock`, locks it FOR KEY SHARE.
///
/// # Errors
/// XX000 when there is no such index; as the layers below.
pub fn exists(
    table: &Relation,
    attributes: &[i16],
    values: &[Datum],
    lock: bool,
    env: &mut Env<'_>,
) -> SqlResult<bool> {
    let covers = |index: &&Arc<Index>| {
        index.unique
            && index.predicate.is_none()
            && index.keys.len() == attributes.len()
            && index.keys.iter().all(|k| attributes.contains(&k.attribute))
    };
    let Some(index) = table.indexes.iter().find(covers) else {
        return Err(SqlError::internal(format!(
            "\"{}\" has no unique index for a foreign key",
            table.name
        )));
    };
    let mut cursor = Cursor::point(index_key(index, attributes, values, index.keys.len()));
    let mut batch = EntryBatch::new();
    while env.store.index_batch(index.file, &mut cursor, &mut batch)? {
        for at in 0..batch.len() {
            if lives(table.file, batch.tids[at], lock, env)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether an entry leads to a row that is there, and stays when it is locked.
fn lives(file: u32, root: crate::store::Tid, lock: bool, env: &mut Env<'_>) -> SqlResult<bool> {
    let mut row = RowBuf::new();
    loop {
        env.tick()?;
        let Some(tid) = env.store.fetch_latest(file, root, &mut row)? else {
            return Ok(false);
        };
        if !lock {
            return Ok(true);
        }
        match env
            .store
            .lock_row(file, tid, LockStrength::KeyShare, WaitPolicy::Wait)?
        {
            Changed::Done { .. } | Changed::SelfModified => return Ok(true),
            Changed::Deleted | Changed::Skipped => return Ok(false),
            Changed::Concurrent { .. } => {}
        }
    }
}

/// The first `count` columns of an index's key.
pub fn index_key(index: &Index, attributes: &[i16], values: &[Datum], count: usize) -> Vec<u8> {
    let mut key = Vec::new();
    for column in index.keys.iter().take(count) {
        let at = attributes.iter().position(|a| *a == column.attribute);
        let value = at
            .and_then(|at| values.get(at))
            .cloned()
            .unwrap_or_default();
        let order = KeyOrder {
            desc: column.descending,
            nulls_first: column.nulls_first,
        };
        keycode::encode(
            &mut key,
            &as_type(value, column.type_oid),
            column.type_oid,
            order,
        );
    }
    key
}

/// An integer in another width, as the two sides of a key may have.
pub fn as_type(value: Datum, type_oid: Oid) -> Datum {
    match (value.as_i64(), type_oid) {
        (Some(v), oid::INT8) => Datum::Int8(v),
        (Some(v), oid::INT4) => i32::try_from(v).map_or(value, Datum::Int4),
        (Some(v), oid::INT2) => i16::try_from(v).map_or(value, Datum::Int2),
        _ => value,
    }
}
