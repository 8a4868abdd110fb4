//! Grouping: [`hash`] keeps all groups in a hash table and knows grouping sets,
//! [`sorted`] needs one group at a time over sorted input. The calls are in
//! [`call`].

pub mod call;
mod hash;
mod sorted;

use super::{Builder, Input};
use crate::expr::{compile_all, type_of};
use alloc::boxed::Box;
use alloc::vec::Vec;
use call::AggCode;
use pg_plan::Aggregate;
use pg_types::{Oid, SqlResult};

/// Makes the operator for an Aggregate node.
///
/// # Errors
/// As compiling expressions.
pub fn build(node: &Aggregate, builder: &mut Builder) -> SqlResult<Input> {
    let input = builder.build(&node.input)?;
    let keys = compile_all(&node.keys, builder)?;
    let types: Vec<Oid> = node.keys.iter().map(type_of).collect();
    let mut calls = Vec::with_capacity(node.calls.len());
    for call in &node.calls {
        calls.push(AggCode::compile(call, builder)?);
    }
    if node.sets.is_empty() && (node.sorted || node.keys.is_empty()) {
        return Ok(Box::new(sorted::SortedAggregate::new(
            input, keys, types, calls,
        )));
    }
    Ok(Box::new(hash::HashAggregate::new(
        input, keys, types, calls, &node.sets,
    )))
}
