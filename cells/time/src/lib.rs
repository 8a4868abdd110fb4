//! Monotonic and wall clock, and the timer interrupt.
#![cfg_attr(not(test), no_std)]
