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
mod overlaps;
mod pattern;
mod privileges;
mod quote;
mod regex;
mod series;
mod session;
mod text;
mod text_cast;
mod to_char;
mod trig;

use crate::function::Function;
pub use pattern::{Flags as PatternFlags, PatternCache};
pub use quote::{quote_identifier, quote_string};

/// The parts that [`crate::table`] joins.
pub(crate) const TABLES: &[&[Function]] = &[
    compare::TABLE,
    int::TABLE,
    float::TABLE,
    trig::TABLE,
    numeric::TABLE,
    text::TABLE,
    text_cast::TABLE,
    format::TABLE,
    quote::TABLE,
    like::TABLE,
    regex::TABLE,
    encode::TABLE,
    dates::TABLE,
    overlaps::TABLE,
    date_parts::TABLE,
    arrays::TABLE,
    series::TABLE,
    to_char::TABLE,
    json::MAKE,
    json::TAKE,
    json::CHANGE,
    session::TABLE,
    catalog::TABLE,
    privileges::TABLE,
    aggregates::TABLE,
];
