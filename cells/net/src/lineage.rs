//! The lineage of the state, in the variant that keeps one: a second version of
//! this cell whose state has another shape, which the tests of upgrades build with
//! the feature `lineage`. The usual version keeps none, and drops what the other
//! has kept.

use port::Lineage;

/// What this version keeps of it.
#[cfg(feature = "lineage")]
pub(crate) type Kept = Lineage;
/// What this version keeps of it.
#[cfg(not(feature = "lineage"))]
pub(crate) struct Kept;

/// What is kept of the lineage that a state came with.
#[cfg(feature = "lineage")]
pub(crate) fn keep(inherited: Option<Lineage>) -> Kept {
    inherited.unwrap_or_else(Lineage::begins)
}

/// What is kept of the lineage that a state came with.
#[cfg(not(feature = "lineage"))]
pub(crate) fn keep(_: Option<Lineage>) -> Kept {
    Kept
}

/// What the state is handed over with.
#[cfg(feature = "lineage")]
pub(crate) fn give(kept: &Kept) -> Option<Lineage> {
    Some(kept.handed_over())
}

/// What the state is handed over with.
#[cfg(not(feature = "lineage"))]
pub(crate) fn give(_: &Kept) -> Option<Lineage> {
    None
}
