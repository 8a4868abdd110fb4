//! The running task as others see it: identity, park and unpark, spawn, clock, ledger.
#![cfg_attr(not(test), no_std)]
