//! Serial console: output, line input, the log's sink.
#![cfg_attr(not(test), no_std)]
