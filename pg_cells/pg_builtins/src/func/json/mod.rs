//! Functions and operators of json and jsonb: `build` makes them, `access` takes them apart, `set` changes parts.

mod access;
mod build;
mod set;

use crate::function::Function;

/// The rows of the files.
pub(super) const MAKE: &[Function] = build::TABLE;
/// See [`MAKE`].
pub(super) const CHANGE: &[Function] = set::TABLE;
/// See [`MAKE`].
pub(super) const TAKE: &[Function] = access::TABLE;
