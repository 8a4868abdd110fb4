//! Arithmetic of dates, times and intervals.

use super::op;
use crate::operator::Operator;
use pg_types::oid::*;

#[rustfmt::skip] // A table: one operator a line; columns are those of `op`.
pub(super) const TABLE: &[Operator] = &[

];
