//! Functions by subject. Each file has the rows of its functions in `TABLE`, and their bodies.

mod aggregates;
mod args;
mod compare;
mod float;
mod int;
mod like;
mod numeric;
mod pattern;
mod regex;
mod text;

use crate::function::Function;
pub use pattern::{Flags as PatternFlags, PatternCache};

/// The parts that [`crate::table`] joins.
pub(crate) const TABLES: &[&[Function]] = &[
    compare::TABLE,
    int::TABLE,
    float::TABLE,
    numeric::TABLE,
    text::TABLE,
    like::TABLE,
    regex::TABLE,
    aggregates::TABLE,
];
