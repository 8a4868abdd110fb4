//! JSON from SQL values.

use super::super::args::{arg, array, text};
use crate::context::Call;
use crate::function::{Function, f};
use crate::json::{put_key, put_value};
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::json::{Json, Value, canonical, parse, put_canonical, put_string};
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, SqlState, Str};

fn made(text: String) -> SqlResult<Datum> {
    Ok(Datum::Text(Str::from(text)))
}

/// The same text in the canonical form of jsonb.
fn binary(d: Datum) -> SqlResult<Datum> {
    match d {
        Datum::Text(s) => made(canonical(&s)?),
        other => Ok(other),
    }
}

fn to_json(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let mut out = String::new();
    let value = arg(args, 0);
    put_value(&mut out, value, call.arg_type(0, value), call.ctx)?;
    made(out)
}

/// Arguments of a variadic call with their types; those of `VARIADIC array` are its elements.
fn spread(args: &[Datum], call: &Call<'_>) -> Vec<(Datum, Oid)> {
    match arg(args, 0) {
        Datum::Array(a) if call.spread => a.items.iter().map(|d| (d.clone(), a.elem)).collect(),
        _ => args
            .iter()
            .enumerate()
            .map(|(i, d)| (d.clone(), call.arg_type(i, d)))
            .collect(),
    }
}

fn build_array(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let mut out = String::from("[");
    for (i, (value, ty)) in spread(args, call).iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        put_value(&mut out, value, *ty, call.ctx)?;
    }
    out.push(']');
    made(out)
}

fn build_object(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let values = spread(args, call);
    if values.len() % 2 == 1 {
        return Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "argument list must have even number of elements",
        )
        .with_hint(
            "The arguments of json_build_object() must consist of alternating keys and values.",
        ));
    }
    let mut out = String::from("{");
    for (i, pair) in values.chunks_exact(2).enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        if pair[0].0.is_null() {
            return Err(SqlError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                alloc::format!("argument {} cannot be null", 2 * i + 1),
            )
            .with_hint("Object keys should be text."));
        }
        put_key(&mut out, &pair[0].0, pair[0].1, call.ctx)?;
        out.push_str(" : ");
        put_value(&mut out, &pair[1].0, pair[1].1, call.ctx)?;
    }
    out.push('}');
    made(out)
}

/// `json_object(keys and values)` and `json_object(keys, values)`, from text arrays.
fn object(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let keys = array(args, 0)?;
    let pairs: Vec<(Datum, Datum)> = if args.len() > 1 {
        let values = array(args, 1)?;
        if values.items.len() != keys.items.len() {
            return Err(SqlError::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "mismatched array dimensions",
            ));
        }
        keys.items
            .iter()
            .cloned()
            .zip(values.items.iter().cloned())
            .collect()
    } else {
        if keys.items.len() % 2 == 1 {
            return Err(SqlError::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "array must have even number of elements",
            ));
        }
        keys.items
            .chunks_exact(2)
            .map(|p| (p[0].clone(), p[1].clone()))
            .collect()
    };
    let mut out = String::from("{");
    for (i, (key, value)) in pairs.iter().enumerate() {
        let key = key.as_str().ok_or_else(|| {
            SqlError::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "null value not allowed for object key",
            )
        })?;
        out.push_str(if i > 0 { ", " } else { "" });
        put_string(&mut out, key);
        out.push_str(" : ");
        match value.as_str() {
            Some(v) => put_string(&mut out, v),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    made(out)
}

macro_rules! binary {
    ($($name:ident $plain:ident;)*) => {
        $(fn $name(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
            binary($plain(args, call)?)
        })*
    };
}

binary! {
    to_jsonb to_json;
    build_array_b build_array;
    build_object_b build_object;
    object_b object;
}

/// Two documents as one: objects merge, anything else becomes members of an array.
fn concat(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (a, b) = (
        parse(text(args, 0)?, "jsonb")?,
        parse(text(args, 1)?, "jsonb")?,
    );
    let list = |j: Json| match j.value {
        Value::Array(items) => items,
        _ => alloc::vec![j],
    };
    let joined = match (a, b) {
        (
            Json {
                value: Value::Object(mut x),
                ..
            },
            Json {
                value: Value::Object(y),
                ..
            },
        ) => {
            x.extend(y);
            Value::Object(x)
        }
        (a, b) => {
            let mut items = list(a);
            items.extend(list(b));
            Value::Array(items)
        }
    };
    shown(&joined)
}

fn shown(value: &Value) -> SqlResult<Datum> {
    let mut out = String::new();
    put_canonical(&mut out, value)?;
    made(out)
}

/// `jsonb - key`, `jsonb - index`, `jsonb - keys`.
fn delete(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let doc = parse(text(args, 0)?, "jsonb")?;
    let names: Vec<&str> = match arg(args, 1) {
        Datum::Array(a) => a.items.iter().filter_map(Datum::as_str).collect(),
        Datum::Text(_) => alloc::vec![text(args, 1)?],
        _ => Vec::new(),
    };
    let value = match (doc.value, arg(args, 1).as_i64()) {
        (Value::Array(mut items), Some(i)) => {
            let at = if i < 0 { i + items.len() as i64 } else { i };
            if let Some(at) = usize::try_from(at).ok().filter(|at| *at < items.len()) {
                items.remove(at);
            }
            Value::Array(items)
        }
        (_, Some(_)) => {
            return Err(SqlError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "cannot delete from object using integer index",
            ));
        }
        (Value::Object(items), None) => Value::Object(
            items
                .into_iter()
                .filter(|(k, _)| !names.contains(&k.as_str()))
                .collect(),
        ),
        (Value::Array(items), None) => Value::Array(
            items
                .into_iter()
                .filter(|i| !matches!(&i.value, Value::String(s) if names.contains(&s.as_str())))
                .collect(),
        ),
        _ => {
            return Err(SqlError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "cannot delete from scalar",
            ));
        }
    };
    shown(&value)
}

/// Without members that are null, at any depth below objects.
fn strip(value: &Value) -> Value {
    match value {
        Value::Object(items) => Value::Object(
            items
                .iter()
                .filter(|(_, v)| v.value != Value::Null)
                .map(|(k, v)| {
                    (
                        k.clone(),
                        Json {
                            value: strip(&v.value),
                            span: 0..0,
                        },
                    )
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|v| Json {
                    value: strip(&v.value),
                    span: 0..0,
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

fn strip_nulls(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    shown(&strip(&parse(text(args, 0)?, "json")?.value))
}

/// json keeps the order of its members and has no blanks.
fn strip_nulls_plain(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    fn put(out: &mut String, value: &Value) {
        match value {
            Value::Object(items) => {
                out.push('{');
                for (i, (k, v)) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    put_string(out, k);
                    out.push(':');
                    put(out, &v.value);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (i, v) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    put(out, &v.value);
                }
                out.push(']');
            }
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Number(n) => out.push_str(n),
            Value::String(s) => put_string(out, s),
        }
    }
    let mut out = String::new();
    put(&mut out, &strip(&parse(text(args, 0)?, "json")?.value));
    made(out)
}

/// One member a line, indented by four.
fn put_pretty(out: &mut String, value: &Value, indent: usize) -> SqlResult<()> {
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth * 4).for_each(|_| out.push(' '));
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                newline(out, indent + 1);
                put_pretty(out, &item.value, indent + 1)?;
            }
            newline(out, indent);
            out.push(']');
        }
        Value::Object(items) if !items.is_empty() => {
            out.push('{');
            for (i, (key, item)) in pg_types::json::members(items).into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                newline(out, indent + 1);
                put_string(out, key);
                out.push_str(": ");
                put_pretty(out, &item.value, indent + 1)?;
            }
            newline(out, indent);
            out.push('}');
        }
        Value::Array(_) => {
            out.push('[');
            newline(out, indent);
            out.push(']');
        }
        Value::Object(_) => {
            out.push('{');
            newline(out, indent);
            out.push('}');
        }
        scalar => put_canonical(out, scalar)?,
    }
    Ok(())
}

fn pretty(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let mut out = String::new();
    put_pretty(&mut out, &parse(text(args, 0)?, "jsonb")?.value, 0)?;
    made(out)
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(3153, "array_to_json", &[ANYARRAY], JSON, to_json).stable(),
    f(3155, "row_to_json", &[RECORD], JSON, to_json).stable(),
    f(3176, "to_json", &[ANYELEMENT], JSON, to_json).stable(),
    f(3787, "to_jsonb", &[ANYELEMENT], JSONB, to_jsonb).stable(),
    f(3198, "json_build_array", &[ANY], JSON, build_array).variadic().lenient().stable(),
    f(3199, "json_build_array", &[], JSON, build_array).lenient().stable(),
    f(3200, "json_build_object", &[ANY], JSON, build_object).variadic().lenient().stable(),
    f(3201, "json_build_object", &[], JSON, build_object).lenient().stable(),
    f(3271, "jsonb_build_array", &[ANY], JSONB, build_array_b).variadic().lenient().stable(),
    f(3272, "jsonb_build_array", &[], JSONB, build_array_b).lenient().stable(),
    f(3273, "jsonb_build_object", &[ANY], JSONB, build_object_b).variadic().lenient().stable(),
    f(3274, "jsonb_build_object", &[], JSONB, build_object_b).lenient().stable(),
    f(3202, "json_object", &[TEXT_ARRAY], JSON, object),
    f(3203, "json_object", &[TEXT_ARRAY, TEXT_ARRAY], JSON, object),
    f(3263, "jsonb_object", &[TEXT_ARRAY], JSONB, object_b),
    f(3264, "jsonb_object", &[TEXT_ARRAY, TEXT_ARRAY], JSONB, object_b),
    f(3301, "jsonb_concat", &[JSONB, JSONB], JSONB, concat),
    f(3302, "jsonb_delete", &[JSONB, TEXT], JSONB, delete),
    f(3303, "jsonb_delete", &[JSONB, INT4], JSONB, delete),
    f(3343, "jsonb_delete", &[JSONB, TEXT], JSONB, delete).variadic(),
    f(3261, "json_strip_nulls", &[JSON], JSON, strip_nulls_plain),
    f(3262, "jsonb_strip_nulls", &[JSONB], JSONB, strip_nulls),
    f(3306, "jsonb_pretty", &[JSONB], TEXT, pretty),
];
