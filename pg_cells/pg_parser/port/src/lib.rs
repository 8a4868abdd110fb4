//! Port of pg_parser: SQL text to syntax tree, over sqlparser.
#![cfg_attr(not(test), no_std)]
