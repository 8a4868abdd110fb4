//! A whole plan.

use crate::Node;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::Oid;

/// A column of a plan's output.
#[derive(Clone, Debug)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: Oid,
    /// Its type modifier, -1 for none.
    pub typmod: i32,
    /// The table it comes from unchanged, else zero.
    pub table: Oid,
    /// Its attribute number there, else zero.
    pub attribute: i16,
}

/// A plan: an operator with what it gives. Subplans are plans too.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The topmost operator.
    pub node: Box<Node>,
    /// The columns of its rows. Empty for a statement without rows.
    pub columns: Vec<OutputColumn>,
    /// Trailing columns of the rows that are not part of the output (sort keys,
    /// row ids); the executor strips them at the top.
    pub hidden: usize,
    /// Estimated rows.
    pub rows: f64,
    /// Estimated cost up to the first row, in units of a sequential page read.
    pub startup_cost: f64,
    /// Estimated cost of all rows.
    pub total_cost: f64,
    /// The catalog version it was made against; zero in subplans.
    pub catalog_version: u64,
    /// The types of the statement's parameters, in order. Empty in subplans.
    pub params: Vec<Oid>,
    /// With the parameters' values in the text there might be a better plan: a
    /// partial index might serve.
    pub wants_values: bool,
}
