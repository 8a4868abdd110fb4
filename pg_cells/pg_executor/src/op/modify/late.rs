//! Checks of constraints that were put off to the end of the statement or of the
//! transaction: unique keys that may repeat meanwhile, and all that waits in the
//! session's `Deferred`.

use super::indexes::IndexWriter;
use super::{errors, foreign, referenced};
use crate::env::Env;
use crate::store::{Cursor, EntryBatch};
use alloc::vec::Vec;
use pg_executor_port::{Check, CheckKind, Notes};
use pg_plan::{Deferral, Index, Relation};
use pg_types::{Datum, Oid, SqlResult};

/// A key that must be alone when the statement ends: place of its index among the
/// table's, its bytes and values.
pub type Key = (usize, Vec<u8>, Vec<Datum>);

/// Whether a constraint waits for the end of the transaction.
pub fn waits(constraint: Oid, deferral: Deferral, env: &Env<'_>) -> bool {
    let waits = |notes: &Notes| notes.deferred.borrow().waits(constraint, deferral);
    deferral.deferrable && env.notes.is_some_and(waits)
}

/// Puts a check off; false when there is nobody to remember it.
pub fn put_off(check: Check, env: &Env<'_>) -> bool {
    match env.notes {
        Some(notes) => {
            notes.deferred.borrow_mut().push(check);
            true
        }
        None => false,
    }
}

/// Whether an index has more than one entry with a key, rows that are gone
/// included: only then can it be violated.
///
/// # Errors
/// As the tree.
pub fn repeats(index: &Index, key: &[u8], env: &mut Env<'_>) -> SqlResult<bool> {
    let mut cursor = Cursor::point(key.to_vec());
    let (mut batch, mut count) = (EntryBatch::new(), 0);
    while count < 2 && env.store.index_batch(index.file, &mut cursor, &mut batch)? {
        count += batch.len();
    }
    Ok(count > 1)
}

/// Makes, or puts off, the checks that a statement has left.
///
/// # Errors
/// 23505.
pub fn settle_keys(
    table: &Relation,
    writers: &[IndexWriter],
    keys: &mut Vec<Key>,
    env: &mut Env<'_>,
) -> SqlResult<()> {
    for (at, key, values) in keys.drain(..) {
        let Some(writer) = writers.get(at) else {
            continue;
        };
        let index = &writer.index;
        if waits(index.constraint_oid, index.deferral, env) {
            let kind = CheckKind::Alone {
                index: index.oid,
                key,
            };
            let check = Check {
                constraint: index.constraint_oid,
                table: table.oid,
                kind,
                values,
            };
            put_off(check, env);
        } else {
            alone(table, index, &key, &values, env)?;
        }
    }
    Ok(())
}

/// 23505 when two rows have the key.
fn alone(
    table: &Relation,
    index: &Index,
    key: &[u8],
    values: &[Datum],
    env: &mut Env<'_>,
) -> SqlResult<()> {
    match env.store.index_rows(index.file, table.file, key, 2)?.len() {
        0 | 1 => Ok(()),
        _ => Err(errors::duplicate(table, index, values, env)),
    }
}

/// Makes checks that have waited.
///
/// # Errors
/// 23503, 23505.
pub fn check(checks: &[Check], env: &mut Env<'_>) -> SqlResult<()> {
    env.store.look_now(true)?;
    let result = checks.iter().try_for_each(|check| one(check, env));
    env.store.look_now(false)?;
    result
}

fn one(check: &Check, env: &mut Env<'_>) -> SqlResult<()> {
    env.tick()?;
    // What was dropped meanwhile is violated by nothing.
    let Some(table) = env.store.relation(check.table, false)? else {
        return Ok(());
    };
    if let CheckKind::Alone { index, key } = &check.kind {
        return match table.indexes.iter().find(|i| i.oid == *index) {
            Some(index) => alone(&table, index, key, &check.values, env),
            None => Ok(()),
        };
    }
    let mut keys = table.foreign_keys.iter();
    let Some(key) = keys.find(|k| k.oid == check.constraint) else {
        return Ok(());
    };
    let Some(parent) = env.store.relation(key.references, false)? else {
        return Ok(());
    };
    match check.kind {
        CheckKind::Gone => referenced::must_be_free(&parent, &table, key, &check.values, env),
        _ => foreign::must_exist(&table, key, &parent, &check.values, env),
    }
}
