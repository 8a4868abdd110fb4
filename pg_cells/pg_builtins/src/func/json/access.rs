//! Parts of JSON documents.
//!
//! Parts of a `json` keep the text they were written with; those of a `jsonb`
//! are canonical already, so cutting them out gives canonical text as well.

use super::super::args::{arg, int, text, yes};
use super::super::compare::{eq, ge, gt, le, lt, ne};
use crate::context::Call;
use crate::function::{Function, SetIter, f, set};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::json::{Json, Value, members, parse};
use pg_types::oid::*;
use pg_types::{Datum, Numeric, SqlError, SqlResult, SqlState};

fn doc(args: &[Datum]) -> SqlResult<(&str, Json)> {
    let s = text(args, 0)?;
    Ok((s, parse(s, "json")?))
}

/// A part as JSON text.
fn cut(s: &str, j: &Json) -> Datum {
    Datum::text(&s[j.span.clone()])
}

/// A part as SQL text: strings without quotes, null as NULL.
fn plain(s: &str, j: &Json) -> Datum {
    match &j.value {
        Value::Null => Datum::Null,
        Value::String(v) => Datum::text(v.as_str()),
        _ => cut(s, j),
    }
}

fn member<'a>(j: &'a Json, key: &str) -> Option<&'a Json> {
    match &j.value {
        Value::Object(items) => items.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
        _ => None,
    }
}

fn element(j: &Json, at: i64) -> Option<&Json> {
    match &j.value {
        Value::Array(items) => {
            let at = if at < 0 { at + items.len() as i64 } else { at };
            usize::try_from(at).ok().and_then(|i| items.get(i))
        }
        _ => None,
    }
}

/// The member named, or the element numbered, by argument 1.
fn step<'a>(args: &[Datum], j: &'a Json) -> SqlResult<Option<&'a Json>> {
    Ok(match arg(args, 1) {
        Datum::Text(key) => member(j, key),
        _ => element(j, int(args, 1)?),
    })
}

fn field(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, j) = doc(args)?;
    Ok(step(args, &j)?.map_or(Datum::Null, |v| cut(s, v)))
}

fn field_text(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, j) = doc(args)?;
    Ok(step(args, &j)?.map_or(Datum::Null, |v| plain(s, v)))
}

/// Follows a path, given as an array or as arguments; none when it leads nowhere.
fn follow<'a>(args: &[Datum], j: &'a Json) -> Option<&'a Json> {
    let path: Vec<&Datum> = match arg(args, 1) {
        Datum::Array(a) => a.items.iter().collect(),
        _ => args[1..].iter().collect(),
    };
    path.iter().try_fold(j, |at, name| {
        let name = name.as_str()?;
        match &at.value {
            Value::Object(_) => member(at, name),
            Value::Array(_) => element(at, name.trim().parse().ok()?),
            _ => None,
        }
    })
}

fn path(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, j) = doc(args)?;
    Ok(follow(args, &j).map_or(Datum::Null, |v| cut(s, v)))
}

fn path_text(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, j) = doc(args)?;
    Ok(follow(args, &j).map_or(Datum::Null, |v| plain(s, v)))
}

fn type_of(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text(match doc(args)?.1.value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }))
}

fn wrong_kind(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn array_length(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    match doc(args)?.1.value {
        Value::Array(items) => Ok(Datum::Int4(items.len() as i32)),
        Value::Object(_) => Err(wrong_kind("cannot get array length of a non-array")),
        _ => Err(wrong_kind("cannot get array length of a scalar")),
    }
}

fn all(rows: Vec<Datum>) -> SqlResult<SetIter> {
    Ok(Box::new(rows.into_iter().map(Ok)))
}

fn elements_as(args: &[Datum], show: fn(&str, &Json) -> Datum) -> SqlResult<SetIter> {
    let (s, j) = doc(args)?;
    match &j.value {
        Value::Array(items) => all(items.iter().map(|i| show(s, i)).collect()),
        Value::Object(_) => Err(wrong_kind("cannot extract elements from an object")),
        _ => Err(wrong_kind("cannot extract elements from a scalar")),
    }
}

fn elements(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    elements_as(args, cut)
}

fn elements_text(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    elements_as(args, plain)
}

fn object_members<'a>(j: &'a Json, what: &str) -> SqlResult<&'a [(String, Json)]> {
    match &j.value {
        Value::Object(items) => Ok(items),
        Value::Array(_) => Err(wrong_kind(&alloc::format!(
            "cannot call {what} on an array"
        ))),
        _ => Err(wrong_kind(&alloc::format!(
            "cannot call {what} on a scalar"
        ))),
    }
}

fn keys(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    let (_, j) = doc(args)?;
    let items = object_members(&j, "json_object_keys")?;
    all(items.iter().map(|(k, _)| Datum::text(k.as_str())).collect())
}

fn each_as(args: &[Datum], ty: Oid, show: fn(&str, &Json) -> Datum) -> SqlResult<SetIter> {
    let (s, j) = doc(args)?;
    let items = object_members(&j, "json_each")?;
    let row = |(k, v): &(String, Json)| {
        Datum::record(
            alloc::vec![TEXT, ty],
            alloc::vec![Datum::text(k.as_str()), show(s, v)],
        )
    };
    all(items.iter().map(row).collect())
}

fn each(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    each_as(args, JSON, cut)
}

fn each_b(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    each_as(args, JSONB, cut)
}

fn each_text(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    each_as(args, TEXT, plain)
}

fn same_scalar(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => match (Numeric::parse(x), Numeric::parse(y)) {
            (Ok(x), Ok(y)) => x == y,
            _ => false,
        },
        _ => a == b,
    }
}

/// Whether `a` holds all of `b`: members by key, elements in any order.
fn includes(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let (x, y) = (members(x), members(y));
            y.iter().all(|(k, v)| {
                x.iter()
                    .any(|(j, w)| j == k && includes(&w.value, &v.value))
            })
        }
        (Value::Array(x), Value::Array(y)) => y
            .iter()
            .all(|v| x.iter().any(|w| includes(&w.value, &v.value))),
        _ => same_scalar(a, b),
    }
}

fn holds(a: &str, b: &str) -> SqlResult<Datum> {
    let (a, b) = (parse(a, "jsonb")?.value, parse(b, "jsonb")?.value);
    // At the top alone, an array also holds a bare scalar.
    let bare = match (&a, &b) {
        (
            Value::Array(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_),
        ) => items.iter().any(|i| same_scalar(&i.value, &b)),
        _ => false,
    };
    yes(bare || includes(&a, &b))
}

fn contains(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    holds(text(args, 0)?, text(args, 1)?)
}

fn contained(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    holds(text(args, 1)?, text(args, 0)?)
}

fn has_key(j: &Json, key: &str) -> bool {
    let is = |v: &Value| matches!(v, Value::String(s) if s == key);
    match &j.value {
        Value::Object(items) => items.iter().any(|(k, _)| k == key),
        Value::Array(items) => items.iter().any(|i| is(&i.value)),
        scalar => is(scalar),
    }
}

fn exists(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(has_key(&doc(args)?.1, text(args, 1)?))
}

fn key_list(args: &[Datum]) -> Vec<&str> {
    arg(args, 1)
        .as_array()
        .map(|a| a.items.iter().filter_map(Datum::as_str).collect())
        .unwrap_or_default()
}

fn exists_any(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (_, j) = doc(args)?;
    yes(key_list(args).iter().any(|k| has_key(&j, k)))
}

fn exists_all(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (_, j) = doc(args)?;
    yes(key_list(args).iter().all(|k| has_key(&j, k)))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(3947, "json_object_field", &[JSON, TEXT], JSON, field),
    f(3478, "jsonb_object_field", &[JSONB, TEXT], JSONB, field),
    f(3949, "json_array_element", &[JSON, INT4], JSON, field),
    f(3215, "jsonb_array_element", &[JSONB, INT4], JSONB, field),
    f(3948, "json_object_field_text", &[JSON, TEXT], TEXT, field_text),
    f(3214, "jsonb_object_field_text", &[JSONB, TEXT], TEXT, field_text),
    f(3950, "json_array_element_text", &[JSON, INT4], TEXT, field_text),
    f(3216, "jsonb_array_element_text", &[JSONB, INT4], TEXT, field_text),
    f(3951, "json_extract_path", &[JSON, TEXT], JSON, path).variadic(),
    f(3217, "jsonb_extract_path", &[JSONB, TEXT], JSONB, path).variadic(),
    f(3953, "json_extract_path_text", &[JSON, TEXT], TEXT, path_text).variadic(),
    f(3940, "jsonb_extract_path_text", &[JSONB, TEXT], TEXT, path_text).variadic(),
    f(3968, "json_typeof", &[JSON], TEXT, type_of),
    f(3210, "jsonb_typeof", &[JSONB], TEXT, type_of),
    f(3956, "json_array_length", &[JSON], INT4, array_length),
    f(3207, "jsonb_array_length", &[JSONB], INT4, array_length),
    set(3955, "json_array_elements", &[JSON], JSON, elements),
    set(3219, "jsonb_array_elements", &[JSONB], JSONB, elements),
    set(3969, "json_array_elements_text", &[JSON], TEXT, elements_text),
    set(3465, "jsonb_array_elements_text", &[JSONB], TEXT, elements_text),
    set(3957, "json_object_keys", &[JSON], TEXT, keys),
    set(3931, "jsonb_object_keys", &[JSONB], TEXT, keys),
    set(3958, "json_each", &[JSON], RECORD, each).columns(&[("key", TEXT), ("value", JSON)]),
    set(3208, "jsonb_each", &[JSONB], RECORD, each_b).columns(&[("key", TEXT), ("value", JSONB)]),
    set(3959, "json_each_text", &[JSON], RECORD, each_text).columns(&[("key", TEXT), ("value", TEXT)]),
    set(3932, "jsonb_each_text", &[JSONB], RECORD, each_text).columns(&[("key", TEXT), ("value", TEXT)]),
    f(4046, "jsonb_contains", &[JSONB, JSONB], BOOL, contains),
    f(4050, "jsonb_contained", &[JSONB, JSONB], BOOL, contained),
    f(4047, "jsonb_exists", &[JSONB, TEXT], BOOL, exists),
    f(4048, "jsonb_exists_any", &[JSONB, TEXT_ARRAY], BOOL, exists_any),
    f(4049, "jsonb_exists_all", &[JSONB, TEXT_ARRAY], BOOL, exists_all),
    f(4043, "jsonb_eq", &[JSONB, JSONB], BOOL, eq),
    f(4038, "jsonb_ne", &[JSONB, JSONB], BOOL, ne),
    f(4039, "jsonb_lt", &[JSONB, JSONB], BOOL, lt),
    f(4041, "jsonb_le", &[JSONB, JSONB], BOOL, le),
    f(4040, "jsonb_gt", &[JSONB, JSONB], BOOL, gt),
    f(4042, "jsonb_ge", &[JSONB, JSONB], BOOL, ge),
];
