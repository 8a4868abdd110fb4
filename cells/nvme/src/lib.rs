//! NVMe driver: a queue pair per CPU, batched submission, flush.
#![cfg_attr(not(test), no_std)]
