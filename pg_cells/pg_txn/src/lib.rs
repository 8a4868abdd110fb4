//! Transaction ids, snapshots, commit log, locks.
#![cfg_attr(not(test), no_std)]
