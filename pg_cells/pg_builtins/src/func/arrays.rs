//! Functions and operators of arrays.

use super::args::{arg, array, done, int, yes};
use crate::context::Call;
use crate::function::{Function, SetIter, f, set};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use pg_types::oid::*;
use pg_types::typeinfo::element_of;
use pg_types::{ArrayValue, Datum, Dim, SqlError, SqlResult, SqlState, equal};

fn made(a: ArrayValue) -> SqlResult<Datum> {
    Ok(Datum::Array(Arc::new(a)))
}

/// SQL equality that takes two NULLs as equal, as the search functions do.
fn same(a: &Datum, b: &Datum) -> bool {
    match (a.is_null(), b.is_null()) {
        (true, true) => true,
        (false, false) => equal(a, b),
        _ => false,
    }
}

fn dim(args: &[Datum]) -> SqlResult<Option<Dim>> {
    let n = int(args, 1)?;
    Ok(usize::try_from(n - 1)
        .ok()
        .and_then(|i| array(args, 0).ok()?.dims.get(i).copied()))
}

fn length(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(dim(args)?.map(|d| d.len).into())
}

fn lower(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(dim(args)?.map(|d| d.lower).into())
}

fn upper(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(dim(args)?.map(|d| d.lower + d.len - 1).into())
}

fn ndims(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = array(args, 0)?.dims.len() as i32;
    Ok(if n == 0 { Datum::Null } else { Datum::Int4(n) })
}

fn dims(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let a = array(args, 0)?;
    if a.dims.is_empty() {
        return Ok(Datum::Null);
    }
    let mut out = alloc::string::String::new();
    for d in &a.dims {
        let _ = write!(out, "[{}:{}]", d.lower, d.lower + d.len - 1); // Cannot fail.
    }
    done(out)
}

fn cardinality(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int4(array(args, 0)?.items.len() as i32))
}

/// The element type of an array call whose arrays may be NULL.
fn element(args: &[Datum], at: usize, call: &Call<'_>) -> Oid {
    match arg(args, at) {
        Datum::Array(a) => a.elem,
        d => element_of(call.arg_type(at, d))
            .or_else(|| element_of(call.ret))
            .unwrap_or(TEXT),
    }
}

fn one_dimension(a: &ArrayValue) -> SqlResult<()> {
    if a.dims.len() > 1 {
        return Err(SqlError::new(
            SqlState::DATA_EXCEPTION,
            "argument must be empty or one-dimensional array",
        ));
    }
    Ok(())
}

fn append(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let elem = element(args, 0, call);
    let Datum::Array(a) = arg(args, 0) else {
        return Ok(Datum::array(elem, alloc::vec![arg(args, 1).clone()]));
    };
    one_dimension(a)?;
    let lower = a.dims.first().map_or(1, |d| d.lower);
    let mut items = a.items.clone();
    items.push(arg(args, 1).clone());
    made(ArrayValue::from_lower(elem, lower, items))
}

fn prepend(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let elem = element(args, 1, call);
    let Datum::Array(a) = arg(args, 1) else {
        return Ok(Datum::array(elem, alloc::vec![arg(args, 0).clone()]));
    };
    one_dimension(a)?;
    let lower = a.dims.first().map_or(1, |d| d.lower);
    let mut items = alloc::vec![arg(args, 0).clone()];
    items.extend_from_slice(&a.items);
    made(ArrayValue::from_lower(elem, lower, items))
}

fn cat(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (Datum::Array(a), Datum::Array(b)) = (arg(args, 0), arg(args, 1)) else {
        let pick = usize::from(arg(args, 0).is_null());
        return Ok(arg(args, pick).clone());
    };
    if a.items.is_empty() || b.items.is_empty() {
        return Ok(Datum::Array(if b.items.is_empty() {
            a.clone()
        } else {
            b.clone()
        }));
    }
    let incompatible = || {
        SqlError::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "cannot concatenate incompatible arrays",
        )
        .with_detail(alloc::format!(
            "Arrays of {} and {} dimensions are not compatible for concatenation.",
            a.dims.len(),
            b.dims.len()
        ))
    };
    let lens = |d: &[Dim]| d.iter().map(|d| d.len).collect::<Vec<_>>();
    let mut dims;
    if a.dims.len() == b.dims.len() {
        if lens(&a.dims[1..]) != lens(&b.dims[1..]) {
            return Err(incompatible());
        }
        dims = a.dims.clone();
        dims[0].len += b.dims[0].len;
    } else if a.dims.len() == b.dims.len() + 1 && lens(&a.dims[1..]) == lens(&b.dims) {
        dims = a.dims.clone();
        dims[0].len += 1;
    } else if b.dims.len() == a.dims.len() + 1 && lens(&b.dims[1..]) == lens(&a.dims) {
        dims = b.dims.clone();
        dims[0].len += 1;
    } else {
        return Err(incompatible());
    }
    let items = a.items.iter().chain(&b.items).cloned().collect();
    made(ArrayValue {
        elem: a.elem,
        dims,
        items,
    })
}

fn searchable(a: &ArrayValue) -> SqlResult<()> {
    if a.dims.len() > 1 {
        return Err(SqlError::unsupported(
            "searching for elements in multidimensional arrays",
        ));
    }
    Ok(())
}

fn array_position(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let Datum::Array(a) = arg(args, 0) else {
        return Ok(Datum::Null);
    };
    searchable(a)?;
    let lower = a.dims.first().map_or(1, |d| d.lower);
    let from = if args.len() > 2 {
        (int(args, 2)? - i64::from(lower)).max(0) as usize
    } else {
        0
    };
    let found = a
        .items
        .iter()
        .skip(from)
        .position(|x| same(x, arg(args, 1)));
    Ok(found.map(|i| (from + i) as i32 + lower).into())
}

fn array_positions(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let Datum::Array(a) = arg(args, 0) else {
        return Ok(Datum::Null);
    };
    searchable(a)?;
    let lower = a.dims.first().map_or(1, |d| d.lower);
    let hits = a
        .items
        .iter()
        .enumerate()
        .filter(|(_, x)| same(x, arg(args, 1)));
    Ok(Datum::array(
        INT4,
        hits.map(|(i, _)| Datum::Int4(i as i32 + lower)).collect(),
    ))
}

fn remove(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let Datum::Array(a) = arg(args, 0) else {
        return Ok(Datum::Null);
    };
    if a.dims.len() > 1 {
        return Err(SqlError::unsupported(
            "removing elements from multidimensional arrays",
        ));
    }
    let lower = a.dims.first().map_or(1, |d| d.lower);
    let items = a
        .items
        .iter()
        .filter(|x| !same(x, arg(args, 1)))
        .cloned()
        .collect();
    made(ArrayValue::from_lower(a.elem, lower, items))
}

fn replace(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let Datum::Array(a) = arg(args, 0) else {
        return Ok(Datum::Null);
    };
    let swap = |x: &Datum| {
        if same(x, arg(args, 1)) {
            arg(args, 2).clone()
        } else {
            x.clone()
        }
    };
    made(ArrayValue {
        elem: a.elem,
        dims: a.dims.clone(),
        items: a.items.iter().map(swap).collect(),
    })
}

fn includes(a: &ArrayValue, b: &ArrayValue) -> bool {
    // A NULL is found nowhere.
    b.items
        .iter()
        .all(|x| !x.is_null() && a.items.iter().any(|y| !y.is_null() && equal(x, y)))
}

fn contains(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(includes(array(args, 0)?, array(args, 1)?))
}

fn contained(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(includes(array(args, 1)?, array(args, 0)?))
}

fn overlaps(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (a, b) = (array(args, 0)?, array(args, 1)?);
    yes(a
        .items
        .iter()
        .any(|x| !x.is_null() && b.items.iter().any(|y| !y.is_null() && equal(x, y))))
}

fn trim(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (a, n) = (array(args, 0)?, int(args, 1)?);
    let len = a.dims.first().map_or(0, |d| i64::from(d.len));
    if n < 0 || n > len {
        return Err(SqlError::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            alloc::format!("number of elements to trim must be between 0 and {len}"),
        ));
    }
    let mut dims = a.dims.clone();
    let per_row = a.items.len() / len.max(1) as usize;
    let keep = (len - n) as usize;
    if keep == 0 {
        return made(ArrayValue::from_items(a.elem, Vec::new()));
    }
    dims[0].len = keep as i32;
    made(ArrayValue {
        elem: a.elem,
        dims,
        items: a.items[..keep * per_row].to_vec(),
    })
}

/// `array_fill(value, dimensions [, lower bounds])`.
fn fill(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let (Datum::Array(lens), value) = (arg(args, 1), arg(args, 0)) else {
        return Err(SqlError::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "dimension array or low bound array cannot be null",
        ));
    };
    let lowers = arg(args, 2)
        .as_array()
        .map(|a| a.items.clone())
        .unwrap_or_default();
    let mut dims = Vec::new();
    let mut total = 1usize;
    for (i, len) in lens.items.iter().enumerate() {
        let len = len.as_i64().unwrap_or(0).max(0);
        let lower = lowers.get(i).and_then(Datum::as_i64).unwrap_or(1) as i32;
        total = total
            .checked_mul(len as usize)
            .filter(|t| *t <= 1 << 27)
            .ok_or_else(|| {
                SqlError::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    "array size exceeds the maximum allowed (134217727)",
                )
            })?;
        dims.push(Dim {
            len: len as i32,
            lower,
        });
    }
    let elem = call.arg_type(0, value);
    if total == 0 || dims.is_empty() {
        return made(ArrayValue::from_items(elem, Vec::new()));
    }
    made(ArrayValue {
        elem,
        dims,
        items: alloc::vec![value.clone(); total],
    })
}

fn unnest(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    Ok(Box::new(array(args, 0)?.items.clone().into_iter().map(Ok)))
}

/// `generate_subscripts(array, dimension [, reverse])`.
fn subscripts(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    let Some(d) = dim(args)? else {
        return Ok(Box::new(core::iter::empty()));
    };
    let range = d.lower..d.lower + d.len;
    if arg(args, 2).is_true() {
        return Ok(Box::new(range.rev().map(|i| Ok(Datum::Int4(i)))));
    }
    Ok(Box::new(range.map(|i| Ok(Datum::Int4(i)))))
}

fn larger(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let pick = usize::from(pg_types::compare(arg(args, 0), arg(args, 1)).is_lt());
    Ok(arg(args, pick).clone())
}

fn smaller(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let pick = usize::from(pg_types::compare(arg(args, 0), arg(args, 1)).is_gt());
    Ok(arg(args, pick).clone())
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(2176, "array_length", &[ANYARRAY, INT4], INT4, length),
    f(2091, "array_lower", &[ANYARRAY, INT4], INT4, lower),
    f(2092, "array_upper", &[ANYARRAY, INT4], INT4, upper),
    f(748, "array_ndims", &[ANYARRAY], INT4, ndims),
    f(747, "array_dims", &[ANYARRAY], TEXT, dims),
    f(3179, "cardinality", &[ANYARRAY], INT4, cardinality),
    f(378, "array_append", &[ANYCOMPATIBLEARRAY, ANYCOMPATIBLE], ANYCOMPATIBLEARRAY, append).lenient(),
    f(379, "array_prepend", &[ANYCOMPATIBLE, ANYCOMPATIBLEARRAY], ANYCOMPATIBLEARRAY, prepend).lenient(),
    f(383, "array_cat", &[ANYCOMPATIBLEARRAY, ANYCOMPATIBLEARRAY], ANYCOMPATIBLEARRAY, cat).lenient(),
    f(3277, "array_position", &[ANYCOMPATIBLEARRAY, ANYCOMPATIBLE], INT4, array_position).lenient(),
    f(3278, "array_position", &[ANYCOMPATIBLEARRAY, ANYCOMPATIBLE, INT4], INT4, array_position).lenient(),
    f(3279, "array_positions", &[ANYCOMPATIBLEARRAY, ANYCOMPATIBLE], INT4_ARRAY, array_positions).lenient(),
    f(3167, "array_remove", &[ANYCOMPATIBLEARRAY, ANYCOMPATIBLE], ANYCOMPATIBLEARRAY, remove).lenient(),
    f(3168, "array_replace", &[ANYCOMPATIBLEARRAY, ANYCOMPATIBLE, ANYCOMPATIBLE], ANYCOMPATIBLEARRAY, replace).lenient(),
    f(2748, "arraycontains", &[ANYARRAY, ANYARRAY], BOOL, contains),
    f(2749, "arraycontained", &[ANYARRAY, ANYARRAY], BOOL, contained),
    f(2747, "arrayoverlap", &[ANYARRAY, ANYARRAY], BOOL, overlaps),
    f(6172, "trim_array", &[ANYARRAY, INT4], ANYARRAY, trim),
    f(1193, "array_fill", &[ANYELEMENT, INT4_ARRAY], ANYARRAY, fill).lenient(),
    f(1286, "array_fill", &[ANYELEMENT, INT4_ARRAY, INT4_ARRAY], ANYARRAY, fill).lenient(),
    set(2331, "unnest", &[ANYARRAY], ANYELEMENT, unnest),
    set(1191, "generate_subscripts", &[ANYARRAY, INT4, BOOL], INT4, subscripts),
    set(1192, "generate_subscripts", &[ANYARRAY, INT4], INT4, subscripts),
    f(515, "array_larger", &[ANYARRAY, ANYARRAY], ANYARRAY, larger),
    f(516, "array_smaller", &[ANYARRAY, ANYARRAY], ANYARRAY, smaller),
];
