//! The other side of foreign keys: what happens to the rows that reference a key
//! which is no more. They are found through an index whose first columns are
//! the foreign key's, else by reading their table.
//!
//! What writing into those tables takes (CHECK conditions, computed index keys,
//! defaults) comes with the plan of the statement that reaches them.

use super::foreign::{ForeignKeys, as_type, columns, exists, index_key, key_text};
use super::late;
use super::target::Target;
use crate::env::Env;
use crate::expr::{Code, compile};
use crate::op::Builder;
use crate::op::decode::Decoder;
use crate::store::{Changed, Cursor, EntryBatch, RowBatch, RowBuf, Tid};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Bound;
use pg_executor_port::{Check, CheckKind};
use pg_plan::{ForeignKey, Index, Relation, RowChanges, TableExprs};
use pg_types::{Datum, SqlError, SqlResult, SqlState, compare};

/// A row as it was, and as it is now unless it was deleted.
type Gone = (Vec<Datum>, Option<Vec<Datum>>);

/// Does what the foreign keys that reference `table` say about its rows that
/// were deleted or changed.
///
/// # Errors
/// 23503; what the cascading changes report.
pub fn keys_went(
    table: &Arc<Relation>,
    gone: &[Gone],
    reached: &Arc<[TableExprs]>,
    env: &mut Env<'_>,
) -> SqlResult<()> {
    for &oid in &table.referenced_by {
        let child = if oid == table.oid {
            table.clone()
        } else {
            match env.store.relation(oid, true)? {
                Some(child) => child,
                None => continue,
            }
        };
        for key in child
            .foreign_keys
            .iter()
            .filter(|k| k.references == table.oid)
        {
            let side = Side {
                table,
                child: &child,
                key,
                reached,
            };
            for (old, new) in gone {
                side.key_went(old, new.as_deref(), env)?;
            }
        }
    }
    Ok(())
}

/// A foreign key, seen from the table it references.
struct Side<'a> {
    table: &'a Relation,
    child: &'a Arc<Relation>,
    key: &'a ForeignKey,
    reached: &'a Arc<[TableExprs]>,
}

impl Side<'_> {
    fn key_went(&self, old: &[Datum], new: Option<&[Datum]>, env: &mut Env<'_>) -> SqlResult<()> {
        let key = self.key;
        let values = columns(old, &key.referenced);
        let new_values = new.map(|row| columns(row, &key.referenced));
        if values.iter().any(Datum::is_null) || new_values.as_ref() == Some(&values) {
            return Ok(());
        }
        let action = match new {
            Some(_) => key.on_update,
            None => key.on_delete,
        };
        match action {
            'c' if new.is_none() => self.delete_all(&values, env),
            'c' => self.change_all(&values, new_values.as_deref(), &key.columns, env),
            'n' | 'd' => {
                let some = new.is_none() && !key.set_columns.is_empty();
                let set = if some { &key.set_columns } else { &key.columns };
                self.set_all(&values, action == 'd', set, env)
            }
            'r' => match rows_with(self.child, &key.columns, &values, true, env)?.is_empty() {
                true => Ok(()),
                false => Err(still_referenced(self.table, self.child, key, &values, env)),
            },
            _ if late::waits(key.oid, key.deferral, env) => {
                let check = Check {
                    constraint: key.oid,
                    table: self.child.oid,
                    kind: CheckKind::Gone,
                    values,
                };
                late::put_off(check, env);
                Ok(())
            }
            _ => must_be_free(self.table, self.child, key, &values, env),
        }
    }

    fn exprs(&self) -> Option<&TableExprs> {
        self.reached.iter().find(|t| t.table == self.child.oid)
    }

    /// Whether the newest version of a row still has the key; `row` becomes that
    /// version.
    fn renew(
        &self,
        newest: Tid,
        values: &[Datum],
        row: &mut Vec<Datum>,
        env: &mut Env<'_>,
    ) -> SqlResult<bool> {
        let mut bytes = RowBuf::new();
        if !env
            .store
            .fetch_version(self.child.file, newest, &mut bytes)?
        {
            return Ok(false);
        }
        Decoder::all(self.child, false).decode(&bytes.bytes, newest, row)?;
        Ok(same_key(row, &self.key.columns, values))
    }

    /// ON DELETE CASCADE.
    fn delete_all(&self, values: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        let child = self.child;
        let mut keys = ForeignKeys::new(child, self.reached.clone());
        let mut done = RowChanges::default();
        for (mut tid, mut row) in rows_with(child, &self.key.columns, values, false, env)? {
            loop {
                env.tick()?;
                match env.store.delete(child.file, tid)? {
                    Changed::Done { .. } => {
                        keys.deleted(&row);
                        done.deleted += 1;
                        break;
                    }
                    Changed::Concurrent { newest } => {
                        if !self.renew(newest, values, &mut row, env)? {
                            break;
                        }
                        tid = newest;
                    }
                    Changed::SelfModified | Changed::Deleted | Changed::Skipped => break,
                }
            }
        }
        super::count(child, done, 0, env);
        keys.settle_now(env)
    }

    /// ON ... SET NULL and SET DEFAULT. A default must itself be a key that is
    /// there.
    fn set_all(
        &self,
        values: &[Datum],
        default: bool,
        set: &[i16],
        env: &mut Env<'_>,
    ) -> SqlResult<()> {
        if !default {
            return self.change_all(values, None, set, env);
        }
        let mut builder = Builder::default();
        let mut codes: Vec<Option<Code>> = Vec::new();
        for column in set {
            let place = usize::try_from(*column - 1).ok();
            let known = self.exprs().map_or(&[][..], |e| &e.defaults);
            let expr = known.iter().find(|(at, _)| Some(*at) == place);
            codes.push(match expr {
                Some((_, expr)) => Some(compile(expr, &mut builder)?),
                None => None,
            });
        }
        let mut defaults = Vec::new();
        for code in &mut codes {
            defaults.push(match code {
                Some(code) => code.eval(&[], env)?,
                None => Datum::Null,
            });
        }
        self.change_all(values, Some(&defaults), set, env)?;
        // A default that is the vanished key has changed nothing.
        must_be_free(self.table, self.child, self.key, values, env)
    }

    /// Writes new values, or NULLs, into columns of all rows that have the key.
    fn change_all(
        &self,
        values: &[Datum],
        new_values: Option<&[Datum]>,
        set: &[i16],
        env: &mut Env<'_>,
    ) -> SqlResult<()> {
        let child = self.child;
        let rows = rows_with(child, &self.key.columns, values, false, env)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut builder = Builder::default();
        let (checks, exprs) = self
            .exprs()
            .map_or((&[][..], &[][..]), |e| (&e.checks, &e.index_exprs));
        let mut target = Target::compile(child, checks, exprs, &mut builder)?;
        let places: Vec<usize> = set
            .iter()
            .filter_map(|a| usize::try_from(*a - 1).ok())
            .collect();
        let mut keys = ForeignKeys::new(child, self.reached.clone());
        for (mut tid, mut old) in rows {
            loop {
                env.tick()?;
                let mut new = old.clone();
                for (at, place) in places.iter().enumerate() {
                    let value = new_values.and_then(|v| v.get(at)).cloned();
                    if let Some(attr) = child.desc.attrs().get(*place) {
                        new[*place] = as_type(value.unwrap_or_default(), attr.type_oid);
                    }
                }
                target.check_all(&new, env)?;
                match target.update(tid, &old, &new, &places, env)? {
                    Changed::Done { .. } => {
                        keys.stored(Some(&old), &new);
                        break;
                    }
                    Changed::Concurrent { newest } => {
                        if !self.renew(newest, values, &mut old, env)? {
                            break;
                        }
                        tid = newest;
                    }
                    Changed::SelfModified | Changed::Deleted | Changed::Skipped => break,
                }
            }
        }
        target.settle(env)?;
        keys.settle_now(env)
    }
}

/// 23503 while a row of `child` has the key, unless `table` has it again.
///
/// # Errors
/// As the layers below, too.
pub fn must_be_free(
    table: &Relation,
    child: &Relation,
    key: &ForeignKey,
    values: &[Datum],
    env: &mut Env<'_>,
) -> SqlResult<()> {
    if exists(table, &key.referenced, values, false, env)?
        || rows_with(child, &key.columns, values, true, env)?.is_empty()
    {
        return Ok(());
    }
    Err(still_referenced(table, child, key, values, env))
}

fn still_referenced(
    table: &Relation,
    child: &Relation,
    key: &ForeignKey,
    values: &[Datum],
    env: &Env<'_>,
) -> SqlError {
    SqlError::new(
        SqlState::FOREIGN_KEY_VIOLATION,
        format!(
            "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
            table.name, key.name, child.name
        ),
    )
    .with_detail(format!(
        "{} is still referenced from table \"{}\".",
        key_text(table, &key.referenced, values, env),
        child.name
    ))
    .with_table(child.schema.clone(), child.name.clone())
    .with_constraint(key.name.clone())
}

/// Whether a row has these values in these columns; NULL is like NULL, which
/// matters for MATCH FULL alone.
fn same_key(row: &[Datum], attributes: &[i16], values: &[Datum]) -> bool {
    let same = |(a, b): (&Datum, &Datum)| match (a.is_null(), b.is_null()) {
        (false, false) => compare(a, b) == Ordering::Equal,
        (a, b) => a && b,
    };
    columns(row, attributes).iter().zip(values).all(same)
}

/// A row of a referencing table.
type Row = (Tid, Vec<Datum>);

/// The rows that have `values` in some columns; at most one when only their
/// existence matters.
///
/// # Errors
/// As the layers below.
pub fn rows_with(
    child: &Relation,
    attributes: &[i16],
    values: &[Datum],
    only_one: bool,
    env: &mut Env<'_>,
) -> SqlResult<Vec<Row>> {
    let count = attributes.len();
    let leads = |index: &&Arc<Index>| {
        index.valid
            && index.predicate.is_none()
            && index.keys.len() >= count
            && index.keys[..count]
                .iter()
                .all(|k| attributes.contains(&k.attribute))
    };
    let mut decoder = Decoder::all(child, false);
    let mut found = Vec::new();
    let mut take = |tid: Tid, bytes: &[u8]| -> SqlResult<bool> {
        let mut row = Vec::new();
        decoder.decode(bytes, tid, &mut row)?;
        let same = same_key(&row, attributes, values);
        if same {
            found.push((tid, row));
        }
        Ok(same && only_one)
    };
    if let Some(index) = child.indexes.iter().find(leads) {
        let low = index_key(index, attributes, values, count);
        let mut high = low.clone();
        high.push(u8::MAX); // Above every continuation of the key.
        let mut cursor = Cursor::new(Bound::Included(low), Bound::Excluded(high), false);
        let (mut batch, mut row) = (EntryBatch::new(), RowBuf::new());
        while env.store.index_batch(index.file, &mut cursor, &mut batch)? {
            for &root in &batch.tids {
                env.tick()?;
                if let Some(tid) = env.store.fetch(child.file, root, &mut row)?
                    && take(tid, &row.bytes)?
                {
                    return Ok(found);
                }
            }
        }
        return Ok(found);
    }
    let mut batch = RowBatch::new();
    for block in 0..env.store.blocks(child.file)? {
        env.store.scan_block(child.file, block, &mut batch)?;
        for (tid, bytes) in batch.iter() {
            env.tick()?;
            if take(tid, bytes)? {
                return Ok(found);
            }
        }
    }
    Ok(found)
}
