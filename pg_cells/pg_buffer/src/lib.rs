//! The buffer pool: page table, replacement, read-ahead, checkpoints, space map.
#![cfg_attr(not(test), no_std)]
