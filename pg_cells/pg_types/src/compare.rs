//! SQL comparison and hashing of two datums of the same type.
//!
//! Text compares by bytes (collation C). Floats have one order with NaN last
//! and -0 = 0. Numerics ignore their scale. `bpchar` needs its own entry,
//! [`compare_bpchar`], because a datum does not say that its padding is void.

use crate::datum::{ArrayValue, Datum, Interval, RecordValue};
use crate::text::Str;
use core::cmp::Ordering;
use core::hash::Hasher;

/// Orders two datums of the same type; NULL sorts after everything and equals NULL.
///
/// Integers of different widths, floats of different widths and date with
/// timestamp compare by value; other mixtures never occur in a checked plan
/// and compare by their kind.
#[inline]
pub fn compare(a: &Datum, b: &Datum) -> Ordering {
    match (a, b) {
        (Datum::Int4(a), Datum::Int4(b)) => a.cmp(b),
        (Datum::Int8(a), Datum::Int8(b)) => a.cmp(b),
        (Datum::Text(a), Datum::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        _ => compare_slow(a, b),
    }
}

/// SQL equality of two non-null datums of the same type.
#[inline]
pub fn equal(a: &Datum, b: &Datum) -> bool {
    compare(a, b) == Ordering::Equal
}

fn compare_slow(a: &Datum, b: &Datum) -> Ordering {
    use Datum::*;
    match (a, b) {
        (Null, Null) => Ordering::Equal,
        (Null, _) => Ordering::Greater,
        (_, Null) => Ordering::Less,
        (Bool(a), Bool(b)) => a.cmp(b),
        (Char(a), Char(b)) => a.cmp(b),
        (Float8(a), Float8(b)) => compare_f64(*a, *b),
        (Float4(a), Float4(b)) => compare_f64(f64::from(*a), f64::from(*b)),
        (Float4(a), Float8(b)) => compare_f64(f64::from(*a), *b),
        (Float8(a), Float4(b)) => compare_f64(*a, f64::from(*b)),
        (Xid8(a), Xid8(b)) => a.cmp(b),
        (Tid(b1, i1), Tid(b2, i2)) => (b1, i1).cmp(&(b2, i2)),
        (Text(a), Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Bytea(a), Bytea(b)) => a.cmp(b),
        (Numeric(a), Numeric(b)) => a.cmp(b),
        (Date(a), Date(b)) => a.cmp(b),
        (Time(a), Time(b)) => a.cmp(b),
        (Timestamp(a), Timestamp(b)) | (TimestampTz(a), TimestampTz(b)) => a.cmp(b),
        (Interval(a), Interval(b)) => compare_interval(a, b),
        (Uuid(a), Uuid(b)) => a.cmp(b),
        (Array(a), Array(b)) => compare_array(a, b),
        (Record(a), Record(b)) => compare_record(a, b),
        _ => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => kind(a).cmp(&kind(b)),
        },
    }
}

/// Orders two `character(n)` values: trailing blanks do not count.
pub fn compare_bpchar(a: &Str, b: &Str) -> Ordering {
    trim_blanks(a.as_bytes()).cmp(trim_blanks(b.as_bytes()))
}

/// Without trailing blanks.
pub fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&b| b != b' ').map_or(0, |i| i + 1);
    &bytes[..end]
}

/// PostgreSQL's float order: NaN equals NaN and is above infinity; -0 equals 0.
pub fn compare_f64(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// An interval as one count of microseconds: months of 30 days, days of 24 hours.
pub fn interval_span(i: &Interval) -> i128 {
    let days = i128::from(i.months) * 30 + i128::from(i.days);
    days * 86_400_000_000 + i128::from(i.micros)
}

fn compare_interval(a: &Interval, b: &Interval) -> Ordering {
    interval_span(a).cmp(&interval_span(b))
}

fn compare_array(a: &ArrayValue, b: &ArrayValue) -> Ordering {
    for (x, y) in a.items.iter().zip(&b.items) {
        let order = compare(x, y);
        if order != Ordering::Equal {
            return order;
        }
    }
    a.items
        .len()
        .cmp(&b.items.len())
        .then_with(|| a.dims.len().cmp(&b.dims.len()))
        .then_with(|| {
            a.dims
                .iter()
                .map(|d| (d.len, d.lower))
                .cmp(b.dims.iter().map(|d| (d.len, d.lower)))
        })
}

fn compare_record(a: &RecordValue, b: &RecordValue) -> Ordering {
    for (x, y) in a.fields.iter().zip(&b.fields) {
        let order = compare(x, y);
        if order != Ordering::Equal {
            return order;
        }
    }
    a.fields.len().cmp(&b.fields.len())
}

fn kind(d: &Datum) -> u32 {
    d.natural_type()
}

/// Feeds a datum to a hasher so that equal datums (of the same type) hash alike.
///
/// Integers of different widths with the same value hash alike too, and so do
/// floats, so hash joins across widths need no cast.
pub fn hash<H: Hasher>(d: &Datum, state: &mut H) {
    use Datum::*;
    match d {
        Null => state.write_u8(0),
        Bool(v) => state.write_u8(u8::from(*v)),
        Char(v) => state.write_u8(*v),
        Int2(v) => state.write_i64(i64::from(*v)),
        Int4(v) => state.write_i64(i64::from(*v)),
        Int8(v) => state.write_i64(*v),
        Oid(v) => state.write_i64(i64::from(*v)),
        Float4(v) => state.write_u64(float_bits(f64::from(*v))),
        Float8(v) => state.write_u64(float_bits(*v)),
        Xid8(v) => state.write_u64(*v),
        Tid(b, i) => {
            state.write_u32(*b);
            state.write_u16(*i);
        }
        Text(s) => state.write(s.as_bytes()),
        Bytea(b) => state.write(b),
        Numeric(n) => core::hash::Hash::hash(n, state),
        Date(v) => state.write_i32(*v),
        Time(v) | Timestamp(v) | TimestampTz(v) => state.write_i64(*v),
        Interval(i) => state.write_i128(interval_span(i)),
        Uuid(u) => state.write(u),
        Array(a) => {
            state.write_usize(a.items.len());
            a.items.iter().for_each(|x| hash(x, state));
        }
        Record(r) => r.fields.iter().for_each(|x| hash(x, state)),
    }
}

fn float_bits(v: f64) -> u64 {
    if v == 0.0 {
        0
    } else if v.is_nan() {
        f64::NAN.to_bits()
    } else {
        v.to_bits()
    }
}
