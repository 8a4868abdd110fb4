//! The shape of a row: [`TupleDesc`], its attributes and how each is stored.

use crate::datum::Datum;
use crate::oid::{self, Oid};
use crate::text::Str;
use crate::typeinfo::{element_of, is_reg, is_string};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// How a type's values lie in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // One storage form for each kind of datum, named alike.
pub enum Storage {
    Bool,
    Char,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Oid,
    Xid8,
    Tid,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    Text,
    Bytea,
    Numeric,
    Array,
    Record,
}

impl Storage {
    /// The storage of a built-in type. Ids above the built-in ones are taken as enums
    /// (kept as the oid of their label); composites and domains of users must say otherwise.
    pub fn of(type_oid: Oid) -> Storage {
        match type_oid {
            oid::BOOL => Storage::Bool,
            oid::CHAR => Storage::Char,
            oid::INT2 => Storage::Int2,
            oid::INT4 => Storage::Int4,
            oid::INT8 => Storage::Int8,
            oid::FLOAT4 => Storage::Float4,
            oid::FLOAT8 => Storage::Float8,
            oid::XID8 | oid::PG_LSN => Storage::Xid8,
            oid::TID => Storage::Tid,
            oid::DATE => Storage::Date,
            oid::TIME => Storage::Time,
            oid::TIMESTAMP => Storage::Timestamp,
            oid::TIMESTAMPTZ => Storage::TimestampTz,
            oid::INTERVAL => Storage::Interval,
            oid::UUID => Storage::Uuid,
            oid::BYTEA => Storage::Bytea,
            oid::NUMERIC => Storage::Numeric,
            oid::RECORD => Storage::Record,
            oid::ANYARRAY => Storage::Array,
            t if is_string(t) => Storage::Text,
            t if is_reg(t) => Storage::Oid,
            t if element_of(t).is_some() => Storage::Array,
            _ => Storage::Oid,
        }
    }

    /// Bytes of a fixed-width form; none when a length precedes the value.
    #[inline]
    pub fn width(self) -> Option<usize> {
        match self {
            Storage::Bool | Storage::Char => Some(1),
            Storage::Int2 => Some(2),
            Storage::Int4 | Storage::Float4 | Storage::Oid | Storage::Date => Some(4),
            Storage::Tid => Some(6),
            Storage::Int8
            | Storage::Float8
            | Storage::Xid8
            | Storage::Time
            | Storage::Timestamp
            | Storage::TimestampTz => Some(8),
            Storage::Interval | Storage::Uuid => Some(16),
            Storage::Text
            | Storage::Bytea
            | Storage::Numeric
            | Storage::Array
            | Storage::Record => None,
        }
    }
}

/// One attribute of a row.
#[derive(Clone, Debug)]
pub struct Attr {
    /// Column name.
    pub name: Str,
    /// Its type.
    pub type_oid: Oid,
    /// Type modifier, -1 for none.
    pub typmod: i32,
    /// NOT NULL.
    pub not_null: bool,
    /// Dropped: keeps its place, always NULL.
    pub dropped: bool,
    /// What rows written before the column was added have in it.
    pub missing: Option<Datum>,
    /// How its values lie in a row.
    pub storage: Storage,
}

impl Attr {
    /// A nullable attribute of a built-in type.
    pub fn new(name: impl Into<Str>, type_oid: Oid, typmod: i32) -> Attr {
        Attr {
            name: name.into(),
            type_oid,
            typmod,
            not_null: false,
            dropped: false,
            missing: None,
            storage: Storage::of(type_oid),
        }
    }

    /// The same with NOT NULL.
    #[must_use]
    pub fn not_null(mut self) -> Attr {
        self.not_null = true;
        self
    }

    /// The same with a storage form of its own, for types that users created.
    #[must_use]
    pub fn stored_as(mut self, storage: Storage) -> Attr {
        self.storage = storage;
        self
    }
}

/// The attributes of a row, in order.
#[derive(Clone, Debug, Default)]
pub struct TupleDesc {
    attrs: Vec<Attr>,
    /// Offsets of the leading fixed-width attributes, and of the one behind them.
    offsets: Box<[u16]>,
}

impl TupleDesc {
    /// A descriptor over these attributes.
    pub fn new(attrs: Vec<Attr>) -> TupleDesc {
        let mut offsets = Vec::new();
        let mut at = 0u16;
        for attr in &attrs {
            offsets.push(at);
            // A dropped attribute is NULL in new rows but not in old ones: no offsets behind it.
            match attr
                .storage
                .width()
                .filter(|_| !attr.dropped)
                .and_then(|w| at.checked_add(w as u16))
            {
                Some(next) => at = next,
                None => break,
            }
        }
        TupleDesc {
            attrs,
            offsets: offsets.into(),
        }
    }

    /// The attributes.
    #[inline]
    pub fn attrs(&self) -> &[Attr] {
        &self.attrs
    }

    /// Number of attributes, dropped ones included.
    #[inline]
    pub fn len(&self) -> usize {
        self.attrs.len()
    }

    /// True for a row without columns.
    pub fn is_empty(&self) -> bool {
        self.attrs.is_empty()
    }

    /// Where attribute `i` starts in a row without nulls, when all before it have a fixed width.
    #[inline]
    pub(super) fn fixed_offset(&self, i: usize) -> Option<usize> {
        self.offsets.get(i).map(|&o| usize::from(o))
    }

    /// The place of a live attribute by name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.attrs
            .iter()
            .position(|a| !a.dropped && a.name == *name)
    }
}
