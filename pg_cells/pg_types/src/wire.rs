//! Binary send and receive forms of the wire protocol: big endian, as PostgreSQL's `typsend`/`typreceive`.

mod arrays;
mod numeric;

use crate::datum::{Datum, Interval};
use crate::error::{SqlError, SqlResult};
use crate::oid::{self, Oid};
use crate::sqlstate::SqlState;
use crate::text::Str;
use crate::typeinfo::{element_of, is_reg, is_string};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Appends the binary form of a non-null datum.
pub fn send(out: &mut Vec<u8>, datum: &Datum, type_oid: Oid) -> SqlResult<()> {
    match datum {
        Datum::Null => {}
        Datum::Bool(v) => out.push(u8::from(*v)),
        Datum::Char(v) => out.push(*v),
        Datum::Int2(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Int4(v) | Datum::Date(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Int8(v) | Datum::Time(v) | Datum::Timestamp(v) | Datum::TimestampTz(v) => {
            out.extend_from_slice(&v.to_be_bytes());
        }
        Datum::Float4(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Float8(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Oid(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Xid8(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Tid(block, item) => {
            out.extend_from_slice(&block.to_be_bytes());
            out.extend_from_slice(&item.to_be_bytes());
        }
        Datum::Text(s) => {
            if type_oid == oid::JSONB {
                out.push(1); // Version of the form.
            }
            out.extend_from_slice(s.as_bytes());
        }
        Datum::Bytea(b) => out.extend_from_slice(b),
        Datum::Numeric(n) => numeric::send(out, n),
        Datum::Interval(i) => {
            out.extend_from_slice(&i.micros.to_be_bytes());
            out.extend_from_slice(&i.days.to_be_bytes());
            out.extend_from_slice(&i.months.to_be_bytes());
        }
        Datum::Uuid(u) => out.extend_from_slice(u),
        Datum::Array(a) => arrays::send_array(out, a)?,
        Datum::Record(r) => arrays::send_record(out, r)?,
    }
    Ok(())
}

/// 22P03 for a form that does not fit its type.
pub(crate) fn bad_format() -> SqlError {
    SqlError::new(
        SqlState::INVALID_BINARY_REPRESENTATION,
        "incorrect binary data format",
    )
}

fn exact<const N: usize>(bytes: &[u8]) -> SqlResult<[u8; N]> {
    bytes.try_into().map_err(|_| bad_format())
}

/// Reads the binary form of a non-null value and fits it to `typmod`.
pub fn receive(type_oid: Oid, typmod: i32, bytes: &[u8]) -> SqlResult<Datum> {
    let datum = match type_oid {
        oid::BOOL => Datum::Bool(exact::<1>(bytes)? != [0]),
        oid::CHAR => Datum::Char(exact::<1>(bytes)?[0]),
        oid::INT2 => Datum::Int2(i16::from_be_bytes(exact(bytes)?)),
        oid::INT4 => Datum::Int4(i32::from_be_bytes(exact(bytes)?)),
        oid::INT8 => Datum::Int8(i64::from_be_bytes(exact(bytes)?)),
        oid::FLOAT4 => Datum::Float4(f32::from_be_bytes(exact(bytes)?)),
        oid::FLOAT8 => Datum::Float8(f64::from_be_bytes(exact(bytes)?)),
        oid::OID | oid::XID | oid::CID => Datum::Oid(u32::from_be_bytes(exact(bytes)?)),
        oid::XID8 | oid::PG_LSN => Datum::Xid8(u64::from_be_bytes(exact(bytes)?)),
        oid::TID => {
            let b: [u8; 6] = exact(bytes)?;
            Datum::Tid(
                u32::from_be_bytes([b[0], b[1], b[2], b[3]]),
                u16::from_be_bytes([b[4], b[5]]),
            )
        }
        oid::DATE => Datum::Date(i32::from_be_bytes(exact(bytes)?)),
        oid::TIME => {
            let t = i64::from_be_bytes(exact(bytes)?);
            if !(0..=crate::datetime::DAY_MICROS).contains(&t) {
                return Err(SqlError::new(
                    SqlState::DATETIME_FIELD_OVERFLOW,
                    "time out of range",
                ));
            }
            Datum::Time(t)
        }
        oid::TIMESTAMP => Datum::Timestamp(timestamp(bytes)?),
        oid::TIMESTAMPTZ => Datum::TimestampTz(timestamp(bytes)?),
        oid::INTERVAL => {
            let b: [u8; 16] = exact(bytes)?;
            Datum::Interval(Interval {
                micros: i64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
                days: i32::from_be_bytes([b[8], b[9], b[10], b[11]]),
                months: i32::from_be_bytes([b[12], b[13], b[14], b[15]]),
            })
        }
        oid::UUID => Datum::Uuid(exact(bytes)?),
        oid::BYTEA => Datum::Bytea(Arc::from(bytes)),
        oid::NUMERIC => Datum::Numeric(numeric::receive(bytes)?),
        oid::JSONB => match bytes.split_first() {
            Some((1, rest)) => Datum::Text(Str::from(crate::json::canonical(&text(rest)?)?)),
            _ => return Err(SqlError::internal("unsupported jsonb version number")),
        },
        t if is_string(t) => Datum::Text(text(bytes)?),
        t if is_reg(t) => Datum::Oid(u32::from_be_bytes(exact(bytes)?)),
        t if element_of(t).is_some() => arrays::receive_array(t, typmod, bytes)?,
        t => {
            let name = crate::typeinfo::format_type(t, -1);
            return Err(SqlError::unsupported(alloc::format!(
                "binary input of type {name}"
            )));
        }
    };
    crate::typmod::coerce_typmod(datum, type_oid, typmod, false)
}

fn timestamp(bytes: &[u8]) -> SqlResult<i64> {
    use crate::datetime::{MAX_TIMESTAMP, MIN_TIMESTAMP, TS_INFINITY, TS_NEG_INFINITY};
    let t = i64::from_be_bytes(exact(bytes)?);
    if t != TS_INFINITY && t != TS_NEG_INFINITY && !(MIN_TIMESTAMP..MAX_TIMESTAMP).contains(&t) {
        return Err(SqlError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "timestamp out of range",
        ));
    }
    Ok(t)
}

/// Checks bytes of a client to be text: UTF-8 without zero bytes.
pub fn text(bytes: &[u8]) -> SqlResult<Str> {
    let invalid = |at: usize| {
        let shown: alloc::vec::Vec<alloc::string::String> = bytes[at..]
            .iter()
            .take(utf8_len(bytes[at]))
            .map(|b| alloc::format!("0x{b:02x}"))
            .collect();
        SqlError::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            alloc::format!(
                "invalid byte sequence for encoding \"UTF8\": {}",
                shown.join(" ")
            ),
        )
    };
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        return Err(invalid(at));
    }
    Str::from_utf8(bytes).map_err(|e| invalid(e.valid_up_to()))
}

fn utf8_len(first: u8) -> usize {
    match first {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
        _ => 1,
    }
}
