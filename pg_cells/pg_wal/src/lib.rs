//! Write-ahead log: records, group commit, checkpoint position, redo.
#![cfg_attr(not(test), no_std)]
