//! Stack unwinding: panics, backtraces with cell and function names, CPU faults turned into unwinds.
#![cfg_attr(not(test), no_std)]
