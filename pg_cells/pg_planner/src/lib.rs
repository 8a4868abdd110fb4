//! Names and types resolved, syntax tree to plan.
#![cfg_attr(not(test), no_std)]
