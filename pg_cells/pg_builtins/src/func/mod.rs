//! Functions by subject. Each file has the rows of its functions in `TABLE`, and their bodies.

mod aggregates;
mod compare;
mod int;

use crate::function::Function;

/// The parts that [`crate::table`] joins.
pub(crate) const TABLES: &[&[Function]] = &[compare::TABLE, int::TABLE, aggregates::TABLE];
