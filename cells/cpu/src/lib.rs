//! What code may know of the CPU it runs on: its number, its per-CPU area, interrupt and preemption state.
#![cfg_attr(not(test), no_std)]
