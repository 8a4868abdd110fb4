//! Functions by subject. Each file has the rows of its functions in `TABLE`, and their bodies.

mod aggregates;
mod args;
mod arrays;
mod catalog;
mod compare;
mod date_parts;
mod dates;
mod encode;
mod float;
mod format;
mod int;
mod json;
mod like;
mod numeric;
mod pattern;
mod privileges;
mod regex;
mod series;
mod session;
mod text;
mod to_char;

use crate::function::Function;
pub use format::{quote_identifier, quote_string};
pub use pattern::{Flags as PatternFlags, PatternCache};

/// The parts that [`crate::table`] joins.
pub(crate) const TABLES: &[&[Function]] = &[
    compare::TABLE,
    int::TABLE,
    float::TABLE,
    numeric::TABLE,
    text::TABLE,
    format::TABLE,
    like::TABLE,
    regex::TABLE,
    encode::TABLE,
    dates::TABLE,
    date_parts::TABLE,
    arrays::TABLE,
    series::TABLE,
    to_char::TABLE,
    json::MAKE,
    json::TAKE,
    session::TABLE,
    catalog::TABLE,
    privileges::TABLE,
    aggregates::TABLE,
];
