//! Order-preserving keys: datums as bytes whose `memcmp` order is the SQL order.
//!
//! The B-tree compares keys as opaque bytes; this module is the only place that
//! knows how a type becomes such bytes. Each column is one marker byte (null or
//! not, placed by NULLS FIRST/LAST) and a payload that is self-delimiting, so
//! columns concatenate. DESC inverts the payload's bytes.
//!
//! | type | payload |
//! |---|---|
//! | integers, dates, times | big endian, sign bit flipped |
//! | oid, xid8, bool, `"char"`, uuid, tid | big endian |
//! | floats | IEEE bits, made monotone; NaN last, -0 as 0 |
//! | text, bytea | bytes, 0 and 1 escaped, ended by a 0 |
//! | bpchar | the same without trailing blanks |
//! | numeric | see [`mod@self::numeric`] |
//! | interval | its span in microseconds as 128 bits |
//! | arrays, records | elements with markers, an end mark, then an array's shape |
//!
//! [`decode`] gives the datum back. It is exact except where two different
//! datums are equal in SQL and so must have one key: the scale of a numeric, the
//! blanks of a bpchar, -0, the parts of an interval. [`is_exact`] says where an index-only scan
//! may trust it.

mod compound;
pub mod numeric;

use crate::compare::trim_blanks;
use crate::datum::Datum;
use crate::oid::{self, Oid};
use crate::text::Str;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Direction of a key column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KeyOrder {
    /// Descending.
    pub desc: bool,
    /// NULLs sort before all values.
    pub nulls_first: bool,
}

impl KeyOrder {
    /// `ASC NULLS LAST`, SQL's default.
    pub const ASC: KeyOrder = KeyOrder {
        desc: false,
        nulls_first: false,
    };
    /// `DESC NULLS FIRST`, the default of DESC.
    pub const DESC: KeyOrder = KeyOrder {
        desc: true,
        nulls_first: true,
    };
}

/// The bytes are not a key of the expected type: damage, or a wrong descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

const NULL_FIRST: u8 = 0;
const VALUE: u8 = 1;
const NULL_LAST: u8 = 2;

/// Appends one column. `type_oid` matters for bpchar alone; the rest shows in the datum.
pub fn encode(out: &mut Vec<u8>, datum: &Datum, type_oid: Oid, order: KeyOrder) {
    if datum.is_null() {
        out.push(if order.nulls_first {
            NULL_FIRST
        } else {
            NULL_LAST
        });
        return;
    }
    out.push(VALUE);
    let start = out.len();
    encode_payload(out, datum, type_oid);
    if order.desc {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
}

/// Appends several columns; the three slices are as long as the key.
pub fn encode_all(out: &mut Vec<u8>, datums: &[Datum], types: &[Oid], orders: &[KeyOrder]) {
    for ((datum, ty), order) in datums.iter().zip(types).zip(orders) {
        encode(out, datum, *ty, *order);
    }
}

/// Reads one column and advances `input` past it.
pub fn decode(input: &mut &[u8], type_oid: Oid, order: KeyOrder) -> Result<Datum, KeyError> {
    let (&marker, rest) = input.split_first().ok_or(KeyError)?;
    *input = rest;
    match marker {
        NULL_FIRST | NULL_LAST => Ok(Datum::Null),
        VALUE => {
            let mut reader = Reader {
                bytes: input,
                flip: if order.desc { 0xff } else { 0 },
            };
            let datum = decode_payload(&mut reader, type_oid)?;
            *input = reader.bytes;
            Ok(datum)
        }
        _ => Err(KeyError),
    }
}

/// True when decoding a key of this type gives back exactly what was encoded.
pub fn is_exact(type_oid: Oid) -> bool {
    !matches!(
        type_oid,
        oid::NUMERIC | oid::BPCHAR | oid::FLOAT4 | oid::FLOAT8 | oid::INTERVAL | oid::RECORD
    ) && crate::typeinfo::element_of(type_oid).is_none_or(is_exact)
}

/// A reader over payload bytes that undoes DESC.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    flip: u8,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, KeyError> {
        let (&b, rest) = self.bytes.split_first().ok_or(KeyError)?;
        self.bytes = rest;
        Ok(b ^ self.flip)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(KeyError)?;
        self.bytes = rest;
        Ok(head.map(|b| b ^ self.flip))
    }

    /// Escaped bytes up to their end mark.
    fn escaped(&mut self) -> Result<Vec<u8>, KeyError> {
        let mut out = Vec::new();
        loop {
            match self.byte()? {
                0 => return Ok(out),
                1 => out.push(
                    self.byte()?
                        .checked_sub(1)
                        .filter(|b| *b <= 1)
                        .ok_or(KeyError)?,
                ),
                b => out.push(b),
            }
        }
    }
}

fn put_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 1);
    if bytes.iter().all(|&b| b > 1) {
        out.extend_from_slice(bytes);
    } else {
        for &b in bytes {
            if b <= 1 {
                out.push(1);
                out.push(b + 1);
            } else {
                out.push(b);
            }
        }
    }
    out.push(0);
}

fn put_i64(out: &mut Vec<u8>, v: i64) {
    out.extend_from_slice(&((v as u64) ^ (1 << 63)).to_be_bytes());
}

fn put_i32(out: &mut Vec<u8>, v: i32) {
    out.extend_from_slice(&((v as u32) ^ (1 << 31)).to_be_bytes());
}

fn get_i64(r: &mut Reader<'_>) -> Result<i64, KeyError> {
    Ok((u64::from_be_bytes(r.array()?) ^ (1 << 63)) as i64)
}

fn get_i32(r: &mut Reader<'_>) -> Result<i32, KeyError> {
    Ok((u32::from_be_bytes(r.array()?) ^ (1 << 31)) as i32)
}

/// Maps a double to an unsigned number of the same order; all NaNs above all else.
fn f64_key(v: f64) -> u64 {
    let v = if v == 0.0 {
        0.0
    } else if v.is_nan() {
        f64::NAN.abs()
    } else {
        v
    };
    let bits = v.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | (1 << 63)
    }
}

fn f64_from_key(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 {
        key & !(1 << 63)
    } else {
        !key
    })
}

fn encode_payload(out: &mut Vec<u8>, datum: &Datum, type_oid: Oid) {
    match datum {
        Datum::Null => {} // Written by its marker alone.
        Datum::Bool(v) => out.push(u8::from(*v)),
        Datum::Char(v) => out.push(*v),
        Datum::Int2(v) => out.extend_from_slice(&((*v as u16) ^ (1 << 15)).to_be_bytes()),
        Datum::Int4(v) | Datum::Date(v) => put_i32(out, *v),
        Datum::Int8(v) | Datum::Time(v) | Datum::Timestamp(v) | Datum::TimestampTz(v) => {
            put_i64(out, *v)
        }
        // A float4 keeps its order (and its value) as a double.
        Datum::Float4(v) => out.extend_from_slice(&f64_key(f64::from(*v)).to_be_bytes()),
        Datum::Float8(v) => out.extend_from_slice(&f64_key(*v).to_be_bytes()),
        Datum::Oid(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Xid8(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Tid(block, item) => {
            out.extend_from_slice(&block.to_be_bytes());
            out.extend_from_slice(&item.to_be_bytes());
        }
        Datum::Text(s) if type_oid == oid::BPCHAR => put_escaped(out, trim_blanks(s.as_bytes())),
        Datum::Text(s) => put_escaped(out, s.as_bytes()),
        Datum::Bytea(b) => put_escaped(out, b),
        Datum::Numeric(n) => numeric::put(out, n),
        Datum::Interval(i) => compound::put_interval(out, i),
        Datum::Uuid(u) => out.extend_from_slice(u),
        Datum::Array(a) => compound::put_array(out, a),
        Datum::Record(r) => compound::put_record(out, r),
    }
}

fn decode_payload(r: &mut Reader<'_>, type_oid: Oid) -> Result<Datum, KeyError> {
    use crate::typeinfo::{element_of, is_reg, is_string};
    Ok(match type_oid {
        oid::BOOL => Datum::Bool(r.byte()? != 0),
        oid::CHAR => Datum::Char(r.byte()?),
        oid::INT2 => Datum::Int2((u16::from_be_bytes(r.array()?) ^ (1 << 15)) as i16),
        oid::INT4 => Datum::Int4(get_i32(r)?),
        oid::INT8 => Datum::Int8(get_i64(r)?),
        oid::DATE => Datum::Date(get_i32(r)?),
        oid::TIME => Datum::Time(get_i64(r)?),
        oid::TIMESTAMP => Datum::Timestamp(get_i64(r)?),
        oid::TIMESTAMPTZ => Datum::TimestampTz(get_i64(r)?),
        oid::FLOAT4 => Datum::Float4(f64_from_key(u64::from_be_bytes(r.array()?)) as f32),
        oid::FLOAT8 => Datum::Float8(f64_from_key(u64::from_be_bytes(r.array()?))),
        oid::OID | oid::XID | oid::CID => Datum::Oid(u32::from_be_bytes(r.array()?)),
        oid::XID8 | oid::PG_LSN => Datum::Xid8(u64::from_be_bytes(r.array()?)),
        oid::TID => Datum::Tid(
            u32::from_be_bytes(r.array()?),
            u16::from_be_bytes(r.array()?),
        ),
        oid::BYTEA => Datum::Bytea(Arc::from(r.escaped()?)),
        oid::NUMERIC => Datum::Numeric(numeric::get(r)?),
        oid::INTERVAL => Datum::Interval(compound::get_interval(r)?),
        oid::UUID => Datum::Uuid(r.array()?),
        // The key of a record does not name its field types: searched, never read back.
        oid::RECORD => return Err(KeyError),
        t if is_string(t) => Datum::Text(Str::from_utf8(&r.escaped()?).map_err(|_| KeyError)?),
        t if is_reg(t) => Datum::Oid(u32::from_be_bytes(r.array()?)),
        t => match element_of(t) {
            Some(elem) => compound::get_array(r, elem)?,
            // Enums of users are stored by the oid of their label.
            None => Datum::Oid(u32::from_be_bytes(r.array()?)),
        },
    })
}
