//! Values of SQL: datums, type ids, text and binary forms, order-preserving keys, errors with SQLSTATE.
//!
//! Contents, lowest first:
//! - [`oid`], [`typeinfo`]: type ids and what `pg_type` says of them;
//! - [`sqlstate`], [`error`]: what a client is told when something fails;
//! - [`text`], [`numeric`], [`datetime`], [`datum`]: values;
//! - [`mod@compare`]: SQL order, equality and hashing;
//! - [`input`](mod@input), [`output`](mod@output), [`wire`], [`settings`], [`typmod`]: text and binary forms;
//! - [`keycode`]: B-tree keys; [`tuple`]: rows in heap pages.
//!
//! Functions and operators on values are in `pg_builtins`; what users define is
//! in `pg_catalog`. Nothing here allocates for integers, dates or short texts.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod array_text;
pub mod compare;
pub mod datetime;
pub mod datum;
pub mod error;
pub mod float;
pub mod input;
pub mod json;
pub mod keycode;
pub mod numeric;
pub mod oid;
pub mod output;
pub mod settings;
pub mod sqlstate;
pub mod text;
pub mod tuple;
pub mod typeinfo;
pub mod typename;
pub mod typmod;
pub mod wire;

pub use compare::{compare, equal, hash};
pub use datum::{ArrayValue, Datum, Dim, Interval, RecordValue};
pub use error::{ErrorFields, SqlError, SqlResult};
pub use input::{input, plain_int};
pub use keycode::KeyOrder;
pub use numeric::Numeric;
pub use oid::Oid;
pub use output::{output, to_text};
pub use settings::FormatSettings;
pub use sqlstate::SqlState;
pub use text::Str;
pub use tuple::{Attr, Tuple, TupleDesc};
pub use typeinfo::{TypeInfo, format_type, type_info};
pub use typename::type_name;
pub use typmod::coerce_typmod;
