//! jsonb_set, jsonb_insert and `#-`: documents with a part changed.

use super::super::args::{arg, array, text};
use crate::context::Call;
use crate::function::{Function, f};
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::json::{Json, Value, parse, put_canonical};
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, SqlState, Str};

/// What happens at the end of the path.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    /// Replace; `true` also adds what is missing.
    Set(bool),
    /// Add, before or after an array element.
    Insert {
        after: bool,
    },
    Delete,
}

fn at(value: Value) -> Json {
    Json { value, span: 0..0 }
}

fn bad_index(step: &str, place: usize) -> SqlError {
    SqlError::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        alloc::format!("path element at position {place} is not an integer: \"{step}\""),
    )
}

/// Changes the part that the path leads to; paths that lead nowhere change nothing.
fn change(value: &mut Value, path: &[&str], depth: usize, new: &Value, act: Act) -> SqlResult<()> {
    let Some((step, rest)) = path.split_first() else {
        return Ok(());
    };
    match value {
        Value::Object(items) => change_object(items, step, rest, depth, new, act),
        Value::Array(items) => change_array(items, step, rest, depth, new, act),
        _ => Ok(()),
    }
}

fn change_object(
    items: &mut Vec<(String, Json)>,
    step: &str,
    rest: &[&str],
    depth: usize,
    new: &Value,
    act: Act,
) -> SqlResult<()> {
    let found = items.iter().rposition(|(k, _)| k == step);
    match (found, rest.is_empty(), act) {
        (Some(i), false, _) => change(&mut items[i].1.value, rest, depth + 1, new, act),
        (Some(i), true, Act::Set(_)) => {
            items[i].1 = at(new.clone());
            Ok(())
        }
        (Some(_), true, Act::Insert { .. }) => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "cannot replace existing key",
        )
        .with_hint("Try using the function jsonb_set to replace key value.")),
        (Some(_), true, Act::Delete) => {
            items.retain(|(k, _)| k != step);
            Ok(())
        }
        (None, true, Act::Set(true) | Act::Insert { .. }) => {
            items.push((step.into(), at(new.clone())));
            Ok(())
        }
        (None, ..) => Ok(()),
    }
}

fn change_array(
    items: &mut Vec<Json>,
    step: &str,
    rest: &[&str],
    depth: usize,
    new: &Value,
    act: Act,
) -> SqlResult<()> {
    let index: i64 = step.trim().parse().map_err(|_| bad_index(step, depth))?;
    let len = items.len() as i64;
    let place = if index < 0 { index + len } else { index };
    let inside = usize::try_from(place).ok().filter(|p| *p < items.len());
    match (inside, rest.is_empty(), act) {
        (Some(i), false, _) => return change(&mut items[i].value, rest, depth + 1, new, act),
        (Some(i), true, Act::Set(_)) => items[i] = at(new.clone()),
        (Some(i), true, Act::Insert { after }) => {
            items.insert(i + usize::from(after), at(new.clone()))
        }
        (Some(i), true, Act::Delete) => {
            items.remove(i);
        }
        // Beyond either end, what is added goes to that end.
        (None, true, Act::Set(true) | Act::Insert { .. }) => {
            let end = if place < 0 { 0 } else { items.len() };
            items.insert(end, at(new.clone()));
        }
        (None, ..) => {}
    }
    Ok(())
}

fn run(args: &[Datum], new: Value, act: Act) -> SqlResult<Datum> {
    let mut doc = parse(text(args, 0)?, "jsonb")?.value;
    let steps = array(args, 1)?;
    let path: Option<Vec<&str>> = steps.items.iter().map(Datum::as_str).collect();
    let path = path.ok_or_else(|| {
        SqlError::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "path element at position 1 is null",
        )
    })?;
    let scalar = match act {
        Act::Delete => "cannot delete path in scalar",
        _ => "cannot set path in scalar",
    };
    if !matches!(doc, Value::Array(_) | Value::Object(_)) {
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, scalar));
    }
    change(&mut doc, &path, 1, &new, act)?;
    let mut out = String::new();
    put_canonical(&mut out, &doc)?;
    Ok(Datum::Text(Str::from(out)))
}

/// `jsonb_set(document, path, value [, create])`.
fn set(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let create = args.len() < 4 || arg(args, 3).is_true();
    run(
        args,
        parse(text(args, 2)?, "jsonb")?.value,
        Act::Set(create),
    )
}

/// `jsonb_insert(document, path, value [, after])`.
fn insert(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let after = arg(args, 3).is_true();
    run(
        args,
        parse(text(args, 2)?, "jsonb")?.value,
        Act::Insert { after },
    )
}

fn delete_path(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    run(args, Value::Null, Act::Delete)
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    // The forms with fewer arguments, which PostgreSQL has as defaults.
    f(8020, "jsonb_set", &[JSONB, TEXT_ARRAY, JSONB], JSONB, set),
    f(8021, "jsonb_insert", &[JSONB, TEXT_ARRAY, JSONB], JSONB, insert),
    f(3305, "jsonb_set", &[JSONB, TEXT_ARRAY, JSONB, BOOL], JSONB, set),
    f(3579, "jsonb_insert", &[JSONB, TEXT_ARRAY, JSONB, BOOL], JSONB, insert),
    f(3304, "jsonb_delete_path", &[JSONB, TEXT_ARRAY], JSONB, delete_path),
];
