//! Keys of intervals, arrays and records.

use super::{KeyError, Reader, decode_payload, encode_payload, get_i32, put_i32};
use crate::compare::interval_span;
use crate::datum::{ArrayValue, Datum, Dim, Interval, RecordValue};
use crate::oid::{self, Oid};
use alloc::sync::Arc;
use alloc::vec::Vec;

const MORE: u8 = 1;
const END: u8 = 0;
const NULL: u8 = 2;

/// An interval's key is its span: 1 month and 30 days are equal and must collide.
pub(super) fn put_interval(out: &mut Vec<u8>, i: &Interval) {
    let span = interval_span(i);
    out.extend_from_slice(&((span as u128) ^ (1 << 127)).to_be_bytes());
}

/// Gives an interval of the same span, justified: months of 30 days, days of 24 hours.
pub(super) fn get_interval(r: &mut Reader<'_>) -> Result<Interval, KeyError> {
    let span = (u128::from_be_bytes(r.array()?) ^ (1 << 127)) as i128;
    const DAY: i128 = 86_400_000_000;
    let days = span / DAY;
    let micros = i64::try_from(span % DAY).map_err(|_| KeyError)?;
    let months = i32::try_from(days / 30).map_err(|_| KeyError)?;
    let days = i32::try_from(days % 30).map_err(|_| KeyError)?;
    Ok(Interval {
        months,
        days,
        micros,
    })
}

/// Elements (each led by MORE or NULL), END, number of dimensions, then the dimensions.
pub(super) fn put_array(out: &mut Vec<u8>, a: &ArrayValue) {
    put_items(out, &a.items, |_| a.elem);
    out.push(a.dims.len() as u8);
    for dim in &a.dims {
        put_i32(out, dim.len);
        put_i32(out, dim.lower);
    }
}

fn put_items(out: &mut Vec<u8>, items: &[Datum], type_of: impl Fn(usize) -> Oid) {
    for (i, item) in items.iter().enumerate() {
        if item.is_null() {
            out.push(NULL);
        } else {
            out.push(MORE);
            encode_payload(out, item, type_of(i));
        }
    }
    out.push(END);
}

pub(super) fn get_array(r: &mut Reader<'_>, elem: Oid) -> Result<Datum, KeyError> {
    let mut items = Vec::new();
    loop {
        match r.byte()? {
            END => break,
            NULL => items.push(Datum::Null),
            MORE => items.push(decode_payload(r, elem)?),
            _ => return Err(KeyError),
        }
    }
    let count = r.byte()?;
    let mut dims = Vec::new();
    for _ in 0..count {
        dims.push(Dim {
            len: get_i32(r)?,
            lower: get_i32(r)?,
        });
    }
    Ok(Datum::Array(Arc::new(ArrayValue { elem, dims, items })))
}

/// Fields as an array's elements. Their types are not written: equal rows must have equal keys.
pub(super) fn put_record(out: &mut Vec<u8>, rec: &RecordValue) {
    put_items(out, &rec.fields, |i| {
        rec.types.get(i).copied().unwrap_or(oid::TEXT)
    });
}
