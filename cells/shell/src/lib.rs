//! The operator's shell: line editing, history and the commands.
#![cfg_attr(not(test), no_std)]
