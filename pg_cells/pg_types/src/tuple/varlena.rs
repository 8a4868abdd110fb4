//! Arrays and records inside a row.
//!
//! ```text
//! array   0x01, element type u32, dimension count u8, (length i32, lower i32) each,
//!         then per element 0 (NULL) or 1 and the value
//! record  0x02, row type u32, field count u16, then per field its type u32, 0 or 1, the value
//! ```

use super::{TupleError, fixed, put, take};
use crate::datum::{ArrayValue, Datum, Dim, RecordValue};
use crate::oid::{self, Oid};
use crate::tuple::Storage;
use alloc::sync::Arc;
use alloc::vec::Vec;

const ARRAY: u8 = 1;
const RECORD: u8 = 2;

/// Appends the form of an array or record. Other datums append nothing.
pub fn encode_compound(out: &mut Vec<u8>, value: &Datum) {
    match value {
        Datum::Array(a) => {
            out.push(ARRAY);
            out.extend_from_slice(&a.elem.to_le_bytes());
            out.push(a.dims.len() as u8);
            for dim in &a.dims {
                out.extend_from_slice(&dim.len.to_le_bytes());
                out.extend_from_slice(&dim.lower.to_le_bytes());
            }
            a.items.iter().for_each(|item| put_nullable(out, item));
        }
        Datum::Record(r) => {
            out.push(RECORD);
            out.extend_from_slice(&r.type_oid.to_le_bytes());
            out.extend_from_slice(&(r.fields.len() as u16).to_le_bytes());
            for (i, field) in r.fields.iter().enumerate() {
                let ty = r.types.get(i).copied().unwrap_or(oid::UNKNOWN);
                out.extend_from_slice(&ty.to_le_bytes());
                put_nullable(out, field);
            }
        }
        _ => {}
    }
}

fn put_nullable(out: &mut Vec<u8>, value: &Datum) {
    out.push(u8::from(!value.is_null()));
    put(out, value);
}

fn take_nullable(data: &mut &[u8], ty: Oid) -> Result<Datum, TupleError> {
    match fixed::<1>(data)? {
        [0] => Ok(Datum::Null),
        [1] => take(data, Storage::of(ty), ty),
        _ => Err(TupleError),
    }
}

/// Reads an array or record back. `elem` is the element type that the column says, 0 when unknown.
pub fn decode_compound(mut data: &[u8], elem: Oid) -> Result<Datum, TupleError> {
    let data = &mut data;
    match fixed::<1>(data)? {
        [ARRAY] => {
            let stored = u32::from_le_bytes(fixed(data)?);
            let [count] = fixed::<1>(data)?;
            let mut dims = Vec::new();
            let mut total = if count == 0 { 0usize } else { 1 };
            for _ in 0..count {
                let len = i32::from_le_bytes(fixed(data)?);
                let lower = i32::from_le_bytes(fixed(data)?);
                total = total
                    .checked_mul(usize::try_from(len).map_err(|_| TupleError)?)
                    .ok_or(TupleError)?;
                dims.push(Dim { len, lower });
            }
            // Each element takes a byte at least: a damaged count cannot make us reserve the world.
            if total > data.len() {
                return Err(TupleError);
            }
            let mut items = Vec::with_capacity(total);
            for _ in 0..total {
                items.push(take_nullable(data, stored)?);
            }
            // The column's word counts: text[] stored into varchar[] keeps its bytes.
            let elem = if elem == oid::INVALID { stored } else { elem };
            Ok(Datum::Array(Arc::new(ArrayValue { elem, dims, items })))
        }
        [RECORD] => {
            let type_oid = u32::from_le_bytes(fixed(data)?);
            let count = u16::from_le_bytes(fixed(data)?);
            let (mut types, mut fields) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let ty = u32::from_le_bytes(fixed(data)?);
                types.push(ty);
                fields.push(take_nullable(data, ty)?);
            }
            Ok(Datum::Record(Arc::new(RecordValue {
                type_oid,
                types,
                fields,
            })))
        }
        _ => Err(TupleError),
    }
}
