//! Port of pg_heap: Heap tables: tuples, versions, visibility, free space.
#![cfg_attr(not(test), no_std)]
