//! The table of built-in functions, operators, casts and aggregates.
#![cfg_attr(not(test), no_std)]
