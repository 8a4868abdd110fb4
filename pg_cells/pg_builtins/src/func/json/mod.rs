//! Functions and operators of json and jsonb: `build` makes them, `access` takes them apart.

mod access;
mod build;

use crate::function::Function;

/// The rows of both files.
pub(super) const MAKE: &[Function] = build::TABLE;
/// See [`MAKE`].
pub(super) const TAKE: &[Function] = access::TABLE;
