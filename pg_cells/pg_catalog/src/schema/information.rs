//! The views of `information_schema`.

use super::ViewDef;

#[rustfmt::skip] // A table: one view an entry.
pub(super) const VIEWS: &[ViewDef] = &[
];
