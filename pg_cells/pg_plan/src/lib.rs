//! Typed expressions and plans as plain data, between planner and executor.
#![cfg_attr(not(test), no_std)]
