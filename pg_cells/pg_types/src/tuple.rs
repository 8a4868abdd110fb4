//! Rows as bytes, as heap pages keep them.
//!
//! ```text
//! u16 LE   number of attributes, bit 15 set when a null bitmap follows
//! [bitmap] one bit an attribute, low bit first, 1 = not null
//! values   of the not-null attributes, in order, without alignment
//! ```
//! A value is its little-endian bytes (fixed width types) or a length and the
//! bytes: one byte `len << 1 | 1` up to 127 bytes, else four bytes `len << 1`.
//! The row header (xmin, xmax, hint bits) is the heap's and comes before this.
//!
//! A row written before ALTER TABLE ADD COLUMN has fewer attributes than its
//! descriptor: the missing ones read as [`Attr::missing`] or NULL.

mod desc;
mod varlena;

pub use desc::{Attr, Storage, TupleDesc};
pub use varlena::{decode_compound, encode_compound};

use crate::datum::{Datum, Interval};
use crate::numeric::Numeric;
use crate::oid::{self, Oid};
use crate::text::Str;
use alloc::sync::Arc;
use alloc::vec::Vec;

const HAS_NULLS: u16 = 0x8000;

/// Most attributes that a row can have, as in PostgreSQL.
pub const MAX_ATTRIBUTES: usize = 1600;

/// The bytes are not a row of this shape: the page is damaged or the descriptor wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TupleError;

/// Appends a row. `values` has one datum for each attribute; dropped attributes are written as NULL.
///
/// Values must already be of the attributes' types (the plan's casts see to that).
pub fn encode(out: &mut Vec<u8>, desc: &TupleDesc, values: &[Datum]) {
    let count = values.len().min(desc.len());
    let nulls = values[..count]
        .iter()
        .zip(desc.attrs())
        .any(|(v, a)| v.is_null() || a.dropped);
    out.extend_from_slice(&(count as u16 | if nulls { HAS_NULLS } else { 0 }).to_le_bytes());
    let bitmap = out.len();
    if nulls {
        out.resize(bitmap + count.div_ceil(8), 0);
    }
    for (i, (value, attr)) in values[..count].iter().zip(desc.attrs()).enumerate() {
        if value.is_null() || attr.dropped {
            continue;
        }
        if nulls {
            out[bitmap + i / 8] |= 1 << (i % 8);
        }
        put(out, value);
    }
}

fn put(out: &mut Vec<u8>, value: &Datum) {
    match value {
        Datum::Null => {}
        Datum::Int4(v) | Datum::Date(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Int8(v) | Datum::Time(v) | Datum::Timestamp(v) | Datum::TimestampTz(v) => {
            out.extend_from_slice(&v.to_le_bytes());
        }
        Datum::Bool(v) => out.push(u8::from(*v)),
        Datum::Char(v) => out.push(*v),
        Datum::Int2(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Float4(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Float8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Oid(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Xid8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Tid(block, item) => {
            out.extend_from_slice(&block.to_le_bytes());
            out.extend_from_slice(&item.to_le_bytes());
        }
        Datum::Interval(i) => {
            out.extend_from_slice(&i.micros.to_le_bytes());
            out.extend_from_slice(&i.days.to_le_bytes());
            out.extend_from_slice(&i.months.to_le_bytes());
        }
        Datum::Uuid(u) => out.extend_from_slice(u),
        Datum::Text(s) => put_bytes(out, s.as_bytes()),
        Datum::Bytea(b) => put_bytes(out, b),
        Datum::Numeric(n) => {
            let mut bytes = Vec::new();
            n.to_storage(&mut bytes);
            put_bytes(out, &bytes);
        }
        Datum::Array(_) | Datum::Record(_) => {
            let mut bytes = Vec::new();
            encode_compound(&mut bytes, value);
            put_bytes(out, &bytes);
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() < 128 {
        out.push((bytes.len() as u8) << 1 | 1);
    } else {
        out.extend_from_slice(&((bytes.len() as u32) << 1).to_le_bytes());
    }
    out.extend_from_slice(bytes);
}

/// A row's bytes with their descriptor; decodes what is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Tuple<'a> {
    desc: &'a TupleDesc,
    /// Attributes that the row was written with.
    count: usize,
    /// Empty when there are no nulls.
    bitmap: &'a [u8],
    data: &'a [u8],
}

impl<'a> Tuple<'a> {
    /// Looks at a row's bytes. Fails when they are too short for their own header.
    #[inline]
    pub fn new(desc: &'a TupleDesc, bytes: &'a [u8]) -> Result<Tuple<'a>, TupleError> {
        let (head, rest) = bytes.split_first_chunk::<2>().ok_or(TupleError)?;
        let head = u16::from_le_bytes(*head);
        let count = usize::from(head & !HAS_NULLS);
        let (bitmap, data) = if head & HAS_NULLS != 0 {
            rest.split_at_checked(count.div_ceil(8)).ok_or(TupleError)?
        } else {
            (&rest[..0], rest)
        };
        Ok(Tuple {
            desc,
            count,
            bitmap,
            data,
        })
    }

    /// Attributes that the row was written with; may be fewer than the descriptor's.
    pub fn stored(&self) -> usize {
        self.count
    }

    #[inline]
    fn is_null(&self, i: usize) -> bool {
        self.bitmap
            .get(i / 8)
            .is_some_and(|b| b & (1 << (i % 8)) == 0)
    }

    /// One attribute, by its place from 0. NULL beyond the descriptor.
    pub fn get(&self, i: usize) -> Result<Datum, TupleError> {
        if i >= self.count {
            return Ok(self.missing(i));
        }
        if self.is_null(i) {
            return Ok(Datum::Null);
        }
        let Some(attr) = self.desc.attrs().get(i) else {
            return Ok(Datum::Null);
        };
        let mut data = self.data;
        if self.bitmap.is_empty()
            && let Some(offset) = self.desc.fixed_offset(i)
        {
            data = data.get(offset..).ok_or(TupleError)?;
        } else {
            for (j, before) in self.desc.attrs()[..i].iter().enumerate() {
                if !self.is_null(j) {
                    skip(&mut data, before.storage)?;
                }
            }
        }
        take(&mut data, attr.storage, attr.type_oid)
    }

    /// As [`Tuple::get`], into a slot: what it held is overwritten, an integer in place.
    ///
    /// # Errors
    /// As [`Tuple::get`].
    #[inline]
    pub fn get_into(&self, i: usize, slot: &mut Datum) -> Result<(), TupleError> {
        if i < self.count
            && self.bitmap.is_empty()
            && let (Some(attr), Some(offset)) =
                (self.desc.attrs().get(i), self.desc.fixed_offset(i))
        {
            let mut data = self.data.get(offset..).ok_or(TupleError)?;
            return take_into(slot, &mut data, attr);
        }
        *slot = self.get(i)?;
        Ok(())
    }

    fn missing(&self, i: usize) -> Datum {
        self.desc
            .attrs()
            .get(i)
            .and_then(|a| a.missing.clone())
            .unwrap_or_default()
    }

    /// Fills `out` with one datum for each attribute of the descriptor. What it held is
    /// overwritten, so a vector that is used again costs no allocation.
    /// Attributes whose `needed` is false are skipped and left NULL; an empty `needed` means all.
    pub fn decode_into(&self, out: &mut Vec<Datum>, needed: &[bool]) -> Result<(), TupleError> {
        let width = self.desc.len();
        if out.len() != width {
            out.clear();
            out.resize(width, Datum::Null);
        }
        self.decode_slots(out, needed)
    }

    /// As [`Tuple::decode_into`], with a slot for each attribute.
    ///
    /// # Errors
    /// When the bytes are not such a row.
    pub fn decode_slots(&self, out: &mut [Datum], needed: &[bool]) -> Result<(), TupleError> {
        let width = self.desc.len();
        // Behind the last needed attribute nothing need be parsed.
        let last = match needed {
            [] => width,
            _ => needed
                .iter()
                .rposition(|&n| n)
                .map_or(0, |i| i + 1)
                .min(width),
        };
        let stored = last.min(self.count);
        let attrs = &self.desc.attrs()[..stored];
        let mut data = self.data;
        if self.bitmap.is_empty() && needed.is_empty() {
            for (slot, attr) in out.iter_mut().zip(attrs) {
                take_into(slot, &mut data, attr)?;
            }
        } else {
            for (i, (slot, attr)) in out.iter_mut().zip(attrs).enumerate() {
                if self.is_null(i) {
                    *slot = Datum::Null;
                } else if needed.get(i).copied().unwrap_or(needed.is_empty()) {
                    take_into(slot, &mut data, attr)?;
                } else {
                    skip(&mut data, attr.storage)?;
                    *slot = Datum::Null;
                }
            }
        }
        for (i, slot) in out.iter_mut().enumerate().skip(stored) {
            let wanted = i < last && needed.get(i).copied().unwrap_or(needed.is_empty());
            *slot = if wanted { self.missing(i) } else { Datum::Null };
        }
        Ok(())
    }

    /// All attributes in a new vector.
    pub fn decode(&self) -> Result<Vec<Datum>, TupleError> {
        let mut out = Vec::new();
        self.decode_into(&mut out, &[])?;
        Ok(out)
    }
}

#[inline]
fn fixed<const N: usize>(data: &mut &[u8]) -> Result<[u8; N], TupleError> {
    let (head, rest) = data.split_first_chunk::<N>().ok_or(TupleError)?;
    *data = rest;
    Ok(*head)
}

#[inline]
fn bytes<'a>(data: &mut &'a [u8]) -> Result<&'a [u8], TupleError> {
    let &first = data.first().ok_or(TupleError)?;
    let (len, head) = if first & 1 == 1 {
        (usize::from(first >> 1), 1)
    } else {
        let word = data.first_chunk::<4>().ok_or(TupleError)?;
        ((u32::from_le_bytes(*word) >> 1) as usize, 4)
    };
    let (value, rest) = data[head..].split_at_checked(len).ok_or(TupleError)?;
    *data = rest;
    Ok(value)
}

#[inline]
fn skip(data: &mut &[u8], storage: Storage) -> Result<(), TupleError> {
    match storage.width() {
        Some(width) => *data = data.get(width..).ok_or(TupleError)?,
        None => {
            bytes(data)?;
        }
    }
    Ok(())
}

/// Reads a value into a slot. A slot that held an integer is written in place, which
/// spares the drop of the old value: rows of a scan have the same types each time.
#[inline(always)]
fn take_into(slot: &mut Datum, data: &mut &[u8], attr: &Attr) -> Result<(), TupleError> {
    match (attr.storage, &mut *slot) {
        (Storage::Int4, Datum::Int4(v)) => *v = i32::from_le_bytes(fixed(data)?),
        (Storage::Int8, Datum::Int8(v)) => *v = i64::from_le_bytes(fixed(data)?),
        (storage, _) => *slot = take(data, storage, attr.type_oid)?,
    }
    Ok(())
}

#[inline]
fn take(data: &mut &[u8], storage: Storage, type_oid: Oid) -> Result<Datum, TupleError> {
    Ok(match storage {
        Storage::Int4 => Datum::Int4(i32::from_le_bytes(fixed(data)?)),
        Storage::Int8 => Datum::Int8(i64::from_le_bytes(fixed(data)?)),
        Storage::Text => {
            let value = bytes(data)?;
            Datum::Text(Str::from_utf8(value).map_err(|_| TupleError)?)
        }
        _ => return take_other(data, storage, type_oid),
    })
}

fn take_other(data: &mut &[u8], storage: Storage, type_oid: Oid) -> Result<Datum, TupleError> {
    Ok(match storage {
        Storage::Bool => Datum::Bool(fixed::<1>(data)? != [0]),
        Storage::Char => Datum::Char(fixed::<1>(data)?[0]),
        Storage::Int2 => Datum::Int2(i16::from_le_bytes(fixed(data)?)),
        Storage::Int4 => Datum::Int4(i32::from_le_bytes(fixed(data)?)),
        Storage::Int8 => Datum::Int8(i64::from_le_bytes(fixed(data)?)),
        Storage::Float4 => Datum::Float4(f32::from_le_bytes(fixed(data)?)),
        Storage::Float8 => Datum::Float8(f64::from_le_bytes(fixed(data)?)),
        Storage::Oid => Datum::Oid(u32::from_le_bytes(fixed(data)?)),
        Storage::Xid8 => Datum::Xid8(u64::from_le_bytes(fixed(data)?)),
        Storage::Tid => Datum::Tid(
            u32::from_le_bytes(fixed(data)?),
            u16::from_le_bytes(fixed(data)?),
        ),
        Storage::Date => Datum::Date(i32::from_le_bytes(fixed(data)?)),
        Storage::Time => Datum::Time(i64::from_le_bytes(fixed(data)?)),
        Storage::Timestamp => Datum::Timestamp(i64::from_le_bytes(fixed(data)?)),
        Storage::TimestampTz => Datum::TimestampTz(i64::from_le_bytes(fixed(data)?)),
        Storage::Interval => {
            let micros = i64::from_le_bytes(fixed(data)?);
            let days = i32::from_le_bytes(fixed(data)?);
            let months = i32::from_le_bytes(fixed(data)?);
            Datum::Interval(Interval {
                months,
                days,
                micros,
            })
        }
        Storage::Uuid => Datum::Uuid(fixed(data)?),
        Storage::Text => Datum::Text(Str::from_utf8(bytes(data)?).map_err(|_| TupleError)?),
        Storage::Bytea => Datum::Bytea(Arc::from(bytes(data)?)),
        Storage::Numeric => Datum::Numeric(Numeric::from_storage(bytes(data)?).ok_or(TupleError)?),
        Storage::Array => {
            let elem = crate::typeinfo::element_of(type_oid).unwrap_or(oid::INVALID);
            decode_compound(bytes(data)?, elem)?
        }
        Storage::Record => decode_compound(bytes(data)?, oid::INVALID)?,
    })
}

/// Appends one non-null value in storage form; for arrays, missing values and spill files.
pub fn put_value(out: &mut Vec<u8>, value: &Datum) {
    put(out, value);
}

/// Reads what [`put_value`] wrote for a value of this type.
pub fn take_value(data: &mut &[u8], type_oid: Oid) -> Result<Datum, TupleError> {
    take(data, Storage::of(type_oid), type_oid)
}
