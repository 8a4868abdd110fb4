//! The boot plan and the supervision of cells: which cell starts when, and what is done about a fault.
#![cfg_attr(not(test), no_std)]
