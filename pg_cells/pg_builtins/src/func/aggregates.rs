//! Rows of aggregates and window functions; their states are in [`crate::aggregate`].

use crate::aggregate::AggregateKind::*;
use crate::function::{Function, agg};
use pg_types::oid::*;

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    agg(2803, "count", &[], INT8, CountStar),
    agg(2147, "count", &[ANY], INT8, Count),
];
