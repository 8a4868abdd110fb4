//! The binary forms of arrays and records.

use super::{bad_format, receive, send};
use crate::array_text::MAX_DIMS;
use crate::datum::{ArrayValue, Datum, Dim, RecordValue};
use crate::error::{SqlError, SqlResult};
use crate::oid::{self, Oid};
use crate::sqlstate::SqlState;
use crate::typeinfo::element_of;
use alloc::sync::Arc;
use alloc::vec::Vec;

fn put_i32(out: &mut Vec<u8>, v: i32) {
    out.extend_from_slice(&v.to_be_bytes());
}

/// A value with its length in front, -1 for NULL.
fn send_item(out: &mut Vec<u8>, item: &Datum, ty: Oid) -> SqlResult<()> {
    if item.is_null() {
        put_i32(out, -1);
        return Ok(());
    }
    let at = out.len();
    put_i32(out, 0);
    send(out, item, ty)?;
    let len = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// Dimensions, null flag, element type, bounds, elements.
pub(super) fn send_array(out: &mut Vec<u8>, a: &ArrayValue) -> SqlResult<()> {
    put_i32(out, a.dims.len() as i32);
    put_i32(out, i32::from(a.items.iter().any(Datum::is_null)));
    out.extend_from_slice(&a.elem.to_be_bytes());
    for dim in &a.dims {
        put_i32(out, dim.len);
        put_i32(out, dim.lower);
    }
    a.items
        .iter()
        .try_for_each(|item| send_item(out, item, a.elem))
}

/// Field count, then type, length and value of each.
pub(super) fn send_record(out: &mut Vec<u8>, r: &RecordValue) -> SqlResult<()> {
    put_i32(out, r.fields.len() as i32);
    for (i, field) in r.fields.iter().enumerate() {
        let ty = r.types.get(i).copied().unwrap_or(oid::TEXT);
        out.extend_from_slice(&ty.to_be_bytes());
        send_item(out, field, ty)?;
    }
    Ok(())
}

fn get_i32(bytes: &mut &[u8]) -> SqlResult<i32> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(bad_format)?;
    *bytes = rest;
    Ok(i32::from_be_bytes(*head))
}

/// Reads an array of type `array`; its elements are fitted to `typmod`.
pub(super) fn receive_array(array: Oid, typmod: i32, mut bytes: &[u8]) -> SqlResult<Datum> {
    let elem = element_of(array).ok_or_else(bad_format)?;
    let count = get_i32(&mut bytes)?;
    if count < 0 || count as usize > MAX_DIMS {
        return Err(bad_format());
    }
    let _has_nulls = get_i32(&mut bytes)?;
    if get_i32(&mut bytes)? as u32 != elem {
        return Err(SqlError::new(
            SqlState::DATATYPE_MISMATCH,
            "wrong element type",
        ));
    }
    let mut dims = Vec::new();
    let mut total = usize::from(count > 0);
    for _ in 0..count {
        let dim = Dim {
            len: get_i32(&mut bytes)?,
            lower: get_i32(&mut bytes)?,
        };
        let len = usize::try_from(dim.len).map_err(|_| bad_format())?;
        total = total.checked_mul(len).ok_or_else(bad_format)?;
        dims.push(dim);
    }
    if total > bytes.len() / 4 {
        return Err(bad_format());
    }
    let mut items = Vec::with_capacity(total);
    for _ in 0..total {
        let len = get_i32(&mut bytes)?;
        if len == -1 {
            items.push(Datum::Null);
            continue;
        }
        let len = usize::try_from(len).map_err(|_| bad_format())?;
        let (value, rest) = bytes.split_at_checked(len).ok_or_else(bad_format)?;
        bytes = rest;
        items.push(receive(elem, typmod, value)?);
    }
    if !bytes.is_empty() {
        return Err(bad_format());
    }
    if items.is_empty() {
        dims.clear();
    }
    Ok(Datum::Array(Arc::new(ArrayValue { elem, dims, items })))
}
