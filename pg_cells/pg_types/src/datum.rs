//! [`Datum`]: one SQL value, and the compound values it can hold.
//!
//! A datum is 24 bytes and cheap to clone: numbers, dates and short texts live
//! inside it, everything longer is shared. It does not carry its exact type id
//! (`text`, `varchar` and `json` are all `Text`); the plan knows that.

use crate::numeric::Numeric;
use crate::oid::{self, Oid};
use crate::text::Str;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// One value.
///
/// Equality (`==`) is structural, for tests; SQL equality is [`crate::compare`].
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Datum {
    /// SQL NULL, of any type.
    #[default]
    Null,
    /// `boolean`.
    Bool(bool),
    /// `"char"`: a single byte.
    Char(u8),
    /// `smallint`.
    Int2(i16),
    /// `integer`.
    Int4(i32),
    /// `bigint`.
    Int8(i64),
    /// `real`.
    Float4(f32),
    /// `double precision`.
    Float8(f64),
    /// `oid`, `xid`, `cid` and the object id aliases (`regclass`, ...).
    Oid(u32),
    /// `xid8` and `pg_lsn`.
    Xid8(u64),
    /// `tid`: block and item.
    Tid(u32, u16),
    /// `text`, `varchar`, `bpchar`, `name`, `json`, `jsonb` and unknown literals.
    Text(Str),
    /// `bytea`.
    Bytea(Arc<[u8]>),
    /// `numeric`.
    Numeric(Numeric),
    /// `date`: days since 2000-01-01; `i32::MIN` and `i32::MAX` are -infinity and infinity.
    Date(i32),
    /// `time`: microseconds since midnight.
    Time(i64),
    /// `timestamp`: microseconds since 2000-01-01 00:00; the extremes are the infinities.
    Timestamp(i64),
    /// `timestamptz`: the same, in UTC.
    TimestampTz(i64),
    /// `interval`.
    Interval(Interval),
    /// `uuid`.
    Uuid([u8; 16]),
    /// Any array, `int2vector` and `oidvector` included.
    Array(Arc<ArrayValue>),
    /// A row value.
    Record(Arc<RecordValue>),
}

const _: () = assert!(core::mem::size_of::<Datum>() <= 24);

/// An interval: three parts that do not convert into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Interval {
    /// Months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dim {
    /// Number of elements.
    pub len: i32,
    /// Subscript of the first element, usually 1.
    pub lower: i32,
}

/// An array: elements in row-major order. An empty array has no dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayValue {
    /// Type of the elements.
    pub elem: Oid,
    /// Dimensions, at most 6.
    pub dims: Vec<Dim>,
    /// The elements; NULLs are `Datum::Null`.
    pub items: Vec<Datum>,
}

impl ArrayValue {
    /// A one-dimensional array with subscripts from 1; empty when there are no items.
    pub fn from_items(elem: Oid, items: Vec<Datum>) -> ArrayValue {
        ArrayValue::from_lower(elem, 1, items)
    }

    /// A one-dimensional array with subscripts from `lower`.
    pub fn from_lower(elem: Oid, lower: i32, items: Vec<Datum>) -> ArrayValue {
        let dims = match items.len() {
            0 => Vec::new(),
            n => alloc::vec![Dim {
                len: n as i32,
                lower
            }],
        };
        ArrayValue { elem, dims, items }
    }
}

/// A row value with the types of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordValue {
    /// The named composite type, or `record`.
    pub type_oid: Oid,
    /// Type of each field.
    pub types: Vec<Oid>,
    /// The fields.
    pub fields: Vec<Datum>,
}

impl Datum {
    /// A text datum.
    pub fn text(s: impl Into<Str>) -> Datum {
        Datum::Text(s.into())
    }

    /// A bytea datum.
    pub fn bytea(b: &[u8]) -> Datum {
        Datum::Bytea(Arc::from(b))
    }

    /// A one-dimensional array datum.
    pub fn array(elem: Oid, items: Vec<Datum>) -> Datum {
        Datum::Array(Arc::new(ArrayValue::from_items(elem, items)))
    }

    /// A row datum.
    pub fn record(types: Vec<Oid>, fields: Vec<Datum>) -> Datum {
        Datum::Record(Arc::new(RecordValue {
            type_oid: oid::RECORD,
            types,
            fields,
        }))
    }

    /// True for NULL.
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    /// True for the boolean true; NULL and everything else is not true. What WHERE asks.
    #[inline]
    pub fn is_true(&self) -> bool {
        matches!(self, Datum::Bool(true))
    }

    /// The boolean, when this is one.
    #[inline]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Datum::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// Any integer (or oid) widened to 64 bits.
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Datum::Int2(v) => Some(i64::from(*v)),
            Datum::Int4(v) => Some(i64::from(*v)),
            Datum::Int8(v) => Some(*v),
            Datum::Oid(v) => Some(i64::from(*v)),
            _ => None,
        }
    }

    /// The text, when this is one.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Datum::Text(s) => Some(s.as_str()),
            _ => None,
        }
    }

    /// The id, when this is one.
    #[inline]
    pub fn as_oid(&self) -> Option<Oid> {
        match self {
            Datum::Oid(o) => Some(*o),
            _ => None,
        }
    }

    /// The array, when this is one.
    pub fn as_array(&self) -> Option<&ArrayValue> {
        match self {
            Datum::Array(a) => Some(a),
            _ => None,
        }
    }

    /// The type this datum has when nothing else is known: `Text` is `text`, `Null` is `unknown`.
    pub fn natural_type(&self) -> Oid {
        match self {
            Datum::Null => oid::UNKNOWN,
            Datum::Bool(_) => oid::BOOL,
            Datum::Char(_) => oid::CHAR,
            Datum::Int2(_) => oid::INT2,
            Datum::Int4(_) => oid::INT4,
            Datum::Int8(_) => oid::INT8,
            Datum::Float4(_) => oid::FLOAT4,
            Datum::Float8(_) => oid::FLOAT8,
            Datum::Oid(_) => oid::OID,
            Datum::Xid8(_) => oid::XID8,
            Datum::Tid(..) => oid::TID,
            Datum::Text(_) => oid::TEXT,
            Datum::Bytea(_) => oid::BYTEA,
            Datum::Numeric(_) => oid::NUMERIC,
            Datum::Date(_) => oid::DATE,
            Datum::Time(_) => oid::TIME,
            Datum::Timestamp(_) => oid::TIMESTAMP,
            Datum::TimestampTz(_) => oid::TIMESTAMPTZ,
            Datum::Interval(_) => oid::INTERVAL,
            Datum::Uuid(_) => oid::UUID,
            Datum::Array(a) => crate::typeinfo::array_of(a.elem).unwrap_or(oid::ANYARRAY),
            Datum::Record(r) => r.type_oid,
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Datum {
            #[inline]
            fn from(v: $from) -> Datum {
                Datum::$variant(v)
            }
        })*
    };
}

from! { bool => Bool, i16 => Int2, i32 => Int4, i64 => Int8, f32 => Float4, f64 => Float8, Str => Text,
Numeric => Numeric, Interval => Interval }

impl From<&str> for Datum {
    fn from(s: &str) -> Datum {
        Datum::Text(s.into())
    }
}

impl<T: Into<Datum>> From<Option<T>> for Datum {
    fn from(v: Option<T>) -> Datum {
        v.map_or(Datum::Null, Into::into)
    }
}
