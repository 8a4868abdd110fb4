//! The door of a cell: in-flight counts, close, drain, flip; the cell descriptor and the Component trait.
#![cfg_attr(not(test), no_std)]
