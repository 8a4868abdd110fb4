//! Runs plans: operators, expressions, and the commands that touch all rows of
//! a table.
//!
//! - [`prepare`]: compiled plans and running queries, the way in;
//! - [`op`]: the operators, one a file; [`expr`]: expressions;
//! - [`env`]: what both see of the world, [`store`]: tables and indexes;
//! - [`rows`], [`groups`], [`sort_key`]: rows kept in memory, their order and
//!   equality;
//! - [`utility`]: index builds, VACUUM, ANALYZE, ALTER TABLE; [`copy`]: COPY.
//!
//! The cell is stateless. It knows pages only through the ports of heap and
//! tree, and SQL text not at all.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod builtins;
pub mod env;
pub mod expr;
pub mod groups;
pub mod op;
pub mod prepare;
pub mod rows;
pub mod sort_key;
pub mod store;
#[cfg(test)]
mod tests;
