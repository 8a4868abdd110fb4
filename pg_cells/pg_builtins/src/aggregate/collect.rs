//! string_agg, array_agg and the JSON aggregates: those that keep their inputs.

use super::AggregateKind;
use crate::context::Call;
use crate::json;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_types::oid::{self, Oid};
use pg_types::typeinfo::element_of;
use pg_types::{ArrayValue, Datum, Dim, SqlError, SqlResult, SqlState, Str};

/// What was collected so far.
#[derive(Clone, Debug)]
pub(super) enum Collected {
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Items { elem: Oid, items: Vec<Datum> },
    Arrays(Vec<Arc<ArrayValue>>),
    Json { text: String, object: bool },
}

impl Collected {
    pub(super) fn new(kind: AggregateKind, arg: Oid) -> Collected {
        match kind {
            AggregateKind::StringAgg if arg == oid::BYTEA => Collected::Bytes(None),
            AggregateKind::StringAgg => Collected::Text(None),
            AggregateKind::ArrayAgg if element_of(arg).is_some() => Collected::Arrays(Vec::new()),
            AggregateKind::ArrayAgg => Collected::Items {
                elem: arg,
                items: Vec::new(),
            },
            kind => Collected::Json {
                text: String::new(),
                object: kind == AggregateKind::JsonObjectAgg,
            },
        }
    }

    pub(super) fn step(&mut self, args: &[Datum], call: &Call<'_>) -> SqlResult<()> {
        let [value, rest @ ..] = args else {
            return Ok(());
        };
        match self {
            Collected::Text(all) => {
                let Datum::Text(new) = value else {
                    return Ok(());
                };
                match (all.as_mut(), rest.first()) {
                    (Some(text), Some(Datum::Text(separator))) => {
                        text.push_str(separator);
                        text.push_str(new);
                    }
                    (Some(text), _) => text.push_str(new),
                    (None, _) => *all = Some(String::from(new.as_str())),
                }
            }
            Collected::Bytes(all) => {
                let Datum::Bytea(new) = value else {
                    return Ok(());
                };
                match (all.as_mut(), rest.first()) {
                    (Some(bytes), Some(Datum::Bytea(separator))) => {
                        bytes.extend_from_slice(separator);
                        bytes.extend_from_slice(new);
                    }
                    (Some(bytes), _) => bytes.extend_from_slice(new),
                    (None, _) => *all = Some(new.to_vec()),
                }
            }
            Collected::Items { items, .. } => items.push(value.clone()),
            Collected::Arrays(arrays) => match value {
                Datum::Array(a) => {
                    check_shape(arrays.first(), a)?;
                    arrays.push(a.clone());
                }
                _ => {
                    return Err(SqlError::new(
                        SqlState::NULL_VALUE_NOT_ALLOWED,
                        "cannot accumulate null arrays",
                    ));
                }
            },
            Collected::Json { text, object } => {
                text.push_str(if text.is_empty() { "" } else { ", " });
                if *object {
                    json::put_key(text, value, call.arg_type(0, value), call.ctx)?;
                    text.push_str(" : ");
                    let value = rest.first().unwrap_or(&Datum::Null);
                    json::put_value(text, value, call.arg_type(1, value), call.ctx)?;
                } else {
                    json::put_value(text, value, call.arg_type(0, value), call.ctx)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(&self, call: &Call<'_>) -> SqlResult<Datum> {
        Ok(match self {
            Collected::Text(all) => all.as_ref().map_or(Datum::Null, Datum::text),
            Collected::Bytes(all) => all.as_ref().map_or(Datum::Null, |b| Datum::bytea(b)),
            Collected::Items { items, .. } if items.is_empty() => Datum::Null,
            Collected::Items { elem, items } => Datum::array(*elem, items.clone()),
            Collected::Arrays(arrays) => stack(arrays),
            Collected::Json { text, .. } if text.is_empty() => Datum::Null,
            Collected::Json { text, object } => {
                let whole = if *object {
                    alloc::format!("{{ {text} }}")
                } else {
                    alloc::format!("[{text}]")
                };
                let binary = call.ret == oid::JSONB;
                Datum::Text(Str::from(if binary {
                    pg_types::json::canonical(&whole)?
                } else {
                    whole
                }))
            }
        })
    }
}

fn check_shape(first: Option<&Arc<ArrayValue>>, new: &ArrayValue) -> SqlResult<()> {
    let fail = |m: &str| Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, m));
    if new.items.is_empty() {
        return fail("cannot accumulate empty arrays");
    }
    match first {
        Some(a)
            if a.dims
                .iter()
                .map(|d| d.len)
                .ne(new.dims.iter().map(|d| d.len)) =>
        {
            fail("cannot accumulate arrays of different dimensionality")
        }
        _ => Ok(()),
    }
}

/// Arrays of one shape as the slices of an array with one more dimension.
fn stack(arrays: &[Arc<ArrayValue>]) -> Datum {
    let Some(first) = arrays.first() else {
        return Datum::Null;
    };
    let mut dims = alloc::vec![Dim {
        len: arrays.len() as i32,
        lower: 1
    }];
    dims.extend_from_slice(&first.dims);
    let items = arrays
        .iter()
        .flat_map(|a| a.items.iter().cloned())
        .collect();
    Datum::Array(Arc::new(ArrayValue {
        elem: first.elem,
        dims,
        items,
    }))
}
