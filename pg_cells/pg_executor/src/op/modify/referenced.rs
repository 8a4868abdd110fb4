//! The other side of foreign keys: what happens to the rows that reference a key
//! which is no more. They are found through an index whose first columns are
//! the foreign key's, else by reading their table.
//!
//! Cascading changes do not evaluate CHECK conditions of the tables they reach:
//! deleting cannot violate them, and a plan of another table does not carry
//! them. ON ... SET DEFAULT needs an expression of that table and is refused.

use super::foreign::{ForeignKeys, as_type, columns, exists, index_key, key_text};
use super::target::Target;
use crate::env::Env;
use crate::op::Builder;
use crate::op::decode::Decoder;
use crate::store::{Changed, Cursor, EntryBatch, RowBatch, RowBuf, Tid};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Bound;
use pg_plan::{ForeignKey, Index, Relation};
use pg_types::{Datum, SqlError, SqlResult, SqlState, compare};

/// A row as it was, and as it is now unless it was deleted.
type Gone = (Vec<Datum>, Option<Vec<Datum>>);

/// Does what the foreign keys that reference `table` say about its rows that
/// were deleted or changed.
///
/// # Errors
/// 23503; what the cascading changes report.
pub fn keys_went(table: &Arc<Relation>, gone: &[Gone], env: &mut Env<'_>) -> SqlResult<()> {
    for &oid in &table.referenced_by {
        let child = if oid == table.oid {
            table.clone()
        } else {
            env.store.relation(oid)?
        };
        for key in child
            .foreign_keys
            .iter()
            .filter(|k| k.references == table.oid)
        {
            for (old, new) in gone {
                key_went(table, &child, key, (old, new.as_deref()), env)?;
            }
        }
    }
    Ok(())
}

fn key_went(
    table: &Relation,
    child: &Arc<Relation>,
    key: &ForeignKey,
    (old, new): (&[Datum], Option<&[Datum]>),
    env: &mut Env<'_>,
) -> SqlResult<()> {
    let values = columns(old, &key.referenced);
    let new_values = new.map(|row| columns(row, &key.referenced));
    if values.iter().any(Datum::is_null) || new_values.as_ref() == Some(&values) {
        return Ok(());
    }
    let action = if new.is_some() {
        key.on_update
    } else {
        key.on_delete
    };
    // The same key may be there again by now.
    if action == 'a' && exists(table, &key.referenced, &values, false, env)? {
        return Ok(());
    }
    let rows = referencing(child, key, &values, matches!(action, 'a' | 'r'), env)?;
    if rows.is_empty() {
        return Ok(());
    }
    match action {
        'c' if new.is_none() => delete_all(child, rows, env),
        'c' => change_all(child, key, rows, new_values.as_deref().unwrap_or_default(), env),
        'n' => {
            let nulls = alloc::vec![Datum::Null; key.columns.len()];
            change_all(child, key, rows, &nulls, env)
        }
        'd' => Err(SqlError::unsupported("SET DEFAULT as a foreign key action")),
        _ => Err(SqlError::new(
            SqlState::FOREIGN_KEY_VIOLATION,
            format!(
                "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
                table.name, key.name, child.name
            ),
        )
        .with_detail(format!(
            "{} is still referenced from table \"{}\".",
            key_text(table, &key.referenced, &values, env),
            child.name
        ))
        .with_table(child.schema.clone(), child.name.clone())
        .with_constraint(key.name.clone())),
    }
}

/// A row of a referencing table.
type Row = (Tid, Vec<Datum>);

/// The rows that have `values` in the foreign key's columns; at most one when
/// only their existence matters.
fn referencing(
    child: &Relation,
    key: &ForeignKey,
    values: &[Datum],
    only_one: bool,
    env: &mut Env<'_>,
) -> SqlResult<Vec<Row>> {
    let count = key.columns.len();
    let leads = |index: &&Arc<Index>| {
        index.valid
            && index.predicate.is_none()
            && index.keys.len() >= count
            && index.keys[..count]
                .iter()
                .all(|k| key.columns.contains(&k.attribute))
    };
    let mut decoder = Decoder::all(child, false);
    let mut found = Vec::new();
    let mut take = |tid: Tid, bytes: &[u8]| -> SqlResult<bool> {
        let mut row = Vec::new();
        decoder.decode(bytes, tid, &mut row)?;
        let same = columns(&row, &key.columns)
            .iter()
            .zip(values)
            .all(|(a, b)| !a.is_null() && compare(a, b) == Ordering::Equal);
        if same {
            found.push((tid, row));
        }
        Ok(same && only_one)
    };
    if let Some(index) = child.indexes.iter().find(leads) {
        let low = index_key(index, &key.columns, values, count);
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

/// ON DELETE CASCADE.
fn delete_all(child: &Arc<Relation>, rows: Vec<Row>, env: &mut Env<'_>) -> SqlResult<()> {
    let mut keys = ForeignKeys::new(child);
    for (mut tid, row) in rows {
        loop {
            env.tick()?;
            match env.store.delete(child.file, tid)? {
                Changed::Done { .. } => {
                    keys.deleted(&row);
                    break;
                }
                Changed::Concurrent { newest } => tid = newest,
                Changed::SelfModified | Changed::Deleted | Changed::Skipped => break,
            }
        }
    }
    keys.settle_now(env)
}

/// ON UPDATE CASCADE, ON ... SET NULL: writes new values into the foreign key's
/// columns.
fn change_all(
    child: &Arc<Relation>,
    key: &ForeignKey,
    rows: Vec<Row>,
    values: &[Datum],
    env: &mut Env<'_>,
) -> SqlResult<()> {
    if child
        .indexes
        .iter()
        .any(|i| i.predicate.is_some() || i.keys.iter().any(|k| k.attribute == 0))
    {
        return Err(SqlError::unsupported(format!(
            "a cascading update of \"{}\", which has a partial or expression index,",
            child.name
        )));
    }
    let mut builder = Builder::default();
    let mut target = Target::compile(child, &[], &[], &mut builder)?;
    let places: Vec<usize> = key
        .columns
        .iter()
        .filter_map(|a| usize::try_from(*a - 1).ok())
        .collect();
    let mut keys = ForeignKeys::new(child);
    for (tid, old) in rows {
        env.tick()?;
        let mut new = old.clone();
        for (place, value) in places.iter().zip(values) {
            let Some(attr) = child.desc.attrs().get(*place) else {
                continue;
            };
            if attr.not_null && value.is_null() {
                return Err(super::errors::not_null(child, *place, &new, env));
            }
            new[*place] = as_type(value.clone(), attr.type_oid);
        }
        target.encode(&new)?;
        match target.update(tid, &old, &new, &places, env)? {
            Changed::Done { .. } => keys.stored(Some(&old), &new),
            Changed::SelfModified | Changed::Deleted | Changed::Skipped => {}
            Changed::Concurrent { .. } => {
                return Err(SqlError::new(
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    "could not serialize access due to concurrent update",
                ));
            }
        }
    }
    keys.settle_now(env)
}
