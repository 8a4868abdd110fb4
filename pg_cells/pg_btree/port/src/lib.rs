//! Port of pg_btree: B-tree indexes over memcomparable keys.
#![cfg_attr(not(test), no_std)]
