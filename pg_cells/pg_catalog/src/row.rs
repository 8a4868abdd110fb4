//! Rows of catalogs, by column name.

use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_heap_port::Tid;
use pg_plan::Relation;
use pg_types::tuple::{self, Tuple};
use pg_types::{ArrayValue, Datum, Oid, SqlError, SqlResult, oid};

/// A row of a stored catalog: one that was read, or one to be written.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its catalog.
    pub table: Arc<Relation>,
    /// Its version's place; meaningless before it is stored.
    pub tid: Tid,
    values: Vec<Datum>,
}

impl Row {
    /// A new one: NULL where that is allowed, else zero, false or empty.
    #[must_use]
    pub fn new(table: &Arc<Relation>) -> Self {
        let blank = |attr: &pg_types::Attr| match attr.not_null {
            true => zero(attr.type_oid),
            false => Datum::Null,
        };
        Row {
            table: Arc::clone(table),
            tid: Tid::default(),
            values: table.desc.attrs().iter().map(blank).collect(),
        }
    }

    /// From its stored bytes.
    ///
    /// # Errors
    /// XX001 when they are no row of the table.
    pub fn decode(table: &Arc<Relation>, tid: Tid, bytes: &[u8]) -> SqlResult<Self> {
        let values = Tuple::new(&table.desc, bytes).and_then(|t| t.decode());
        Ok(Row {
            table: Arc::clone(table),
            tid,
            values: values.map_err(|_| damaged(table))?,
        })
    }

    /// Its stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        tuple::encode(&mut bytes, &self.table.desc, &self.values);
        bytes
    }

    /// All its values, in the catalog's order.
    #[must_use]
    pub fn values(&self) -> &[Datum] {
        &self.values
    }

    /// All its values, in the catalog's order.
    #[must_use]
    pub fn into_values(self) -> Vec<Datum> {
        self.values
    }

    fn place(&self, column: &str) -> Option<usize> {
        let place = self.table.desc.find(column);
        debug_assert!(place.is_some(), "{}.{column}", self.table.name);
        place
    }

    /// Sets a column.
    pub fn put(&mut self, column: &str, value: impl Into<Datum>) {
        if let Some(place) = self.place(column) {
            self.values[place] = value.into();
        }
    }

    /// Sets a column.
    #[must_use]
    pub fn set(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.put(column, value);
        self
    }

    /// Sets an id.
    #[must_use]
    pub fn set_oid(self, column: &str, value: Oid) -> Self {
        self.set(column, Datum::Oid(value))
    }

    /// Sets a `"char"`.
    #[must_use]
    pub fn set_char(self, column: &str, value: char) -> Self {
        self.set(column, Datum::Char(value as u8))
    }

    /// A column's value.
    #[must_use]
    pub fn get(&self, column: &str) -> &Datum {
        match self.place(column) {
            Some(place) => &self.values[place],
            None => &Datum::Null,
        }
    }

    /// An id; 0 for NULL.
    #[must_use]
    pub fn oid(&self, column: &str) -> Oid {
        self.get(column).as_oid().unwrap_or(oid::INVALID)
    }

    /// A text; empty for NULL.
    #[must_use]
    pub fn text(&self, column: &str) -> &str {
        self.get(column).as_str().unwrap_or("")
    }

    /// A `"char"`; zero for NULL.
    #[must_use]
    pub fn char(&self, column: &str) -> char {
        match self.get(column) {
            Datum::Char(c) => char::from(*c),
            _ => '\0',
        }
    }

    /// A boolean; false for NULL.
    #[must_use]
    pub fn bool(&self, column: &str) -> bool {
        self.get(column).is_true()
    }

    /// A number; 0 for NULL.
    #[must_use]
    pub fn int(&self, column: &str) -> i64 {
        self.get(column).as_i64().unwrap_or(0)
    }

    /// A float; 0 for NULL.
    #[must_use]
    pub fn float(&self, column: &str) -> f64 {
        match self.get(column) {
            Datum::Float4(v) => f64::from(*v),
            Datum::Float8(v) => *v,
            _ => 0.0,
        }
    }

    /// The numbers of an array; none for NULL.
    #[must_use]
    pub fn ints(&self, column: &str) -> Vec<i64> {
        match self.get(column).as_array() {
            Some(array) => array.items.iter().filter_map(Datum::as_i64).collect(),
            None => Vec::new(),
        }
    }
}

/// XX001.
#[cold]
pub fn damaged(table: &Relation) -> SqlError {
    SqlError::new(
        pg_types::SqlState::DATA_CORRUPTED,
        alloc::format!("a row of \"{}\" is damaged", table.name),
    )
}

fn zero(type_oid: Oid) -> Datum {
    match type_oid {
        oid::BOOL => Datum::Bool(false),
        oid::CHAR => Datum::Char(0),
        oid::INT2 => Datum::Int2(0),
        oid::INT4 => Datum::Int4(0),
        oid::INT8 => Datum::Int8(0),
        oid::FLOAT4 => Datum::Float4(0.0),
        oid::FLOAT8 => Datum::Float8(0.0),
        oid::INT2VECTOR => int2vector(&[]),
        oid::OIDVECTOR => oidvector(&[]),
        t if pg_types::typeinfo::is_string(t) => Datum::text(""),
        t => match pg_types::typeinfo::element_of(t) {
            Some(element) => Datum::array(element, Vec::new()),
            None => Datum::Oid(0),
        },
    }
}

/// A vector of small numbers, subscripts from 0.
#[must_use]
pub fn int2vector(values: &[i16]) -> Datum {
    let items = values.iter().map(|v| Datum::Int2(*v)).collect();
    Datum::Array(Arc::new(ArrayValue::from_lower(oid::INT2, 0, items)))
}

/// A vector of ids, subscripts from 0.
#[must_use]
pub fn oidvector(values: &[Oid]) -> Datum {
    let items = values.iter().map(|v| Datum::Oid(*v)).collect();
    Datum::Array(Arc::new(ArrayValue::from_lower(oid::OID, 0, items)))
}

/// An array of small numbers.
#[must_use]
pub fn int2_array(values: &[i16]) -> Datum {
    Datum::array(oid::INT2, values.iter().map(|v| Datum::Int2(*v)).collect())
}
