//! A statement's text without its values: the key under which plans are kept.

use alloc::string::String;
use alloc::vec::Vec;

/// A statement with its literals lifted out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Normalized {
    /// The statement with `$1`, `$2` ... in the literals' places, without blanks
    /// or a semicolon around it: both the cache's key and a text that can be
    /// parsed. Equal keys have literals of equal types.
    pub key: String,
    /// The literals, in order.
    pub literals: Vec<Literal>,
}

/// A literal that was lifted out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Literal {
    /// A number that fits int4.
    Int4(i32),
    /// A number that fits int8.
    Int8(i64),
    /// Any other number, as written: a numeric.
    Numeric(String),
    /// A quoted text of unknown type.
    Text(String),
}

impl Literal {
    /// The type the statement's parameter has: like PostgreSQL's own literals,
    /// a text is `unknown` (0: to be inferred).
    #[must_use]
    pub fn type_oid(&self) -> pg_types::Oid {
        match self {
            Literal::Int4(_) => pg_types::oid::INT4,
            Literal::Int8(_) => pg_types::oid::INT8,
            Literal::Numeric(_) => pg_types::oid::NUMERIC,
            Literal::Text(_) => 0,
        }
    }
}
