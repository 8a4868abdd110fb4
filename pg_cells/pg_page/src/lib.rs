//! Layouts of database bytes: page header, item pointers, tuples, page operations.
#![cfg_attr(not(test), no_std)]
