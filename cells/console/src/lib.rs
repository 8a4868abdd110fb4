//! The serial ports as people and scripts use them.
//!
//! | file | what |
//! |---|---|
//! | `uart` | a 16550: set up, bytes in and out |
//! | `terminal` | COM1: the shell's prompt; the log is printed there too |
//! | `script` | COM2: the control line, framed by `control` |
#![cfg_attr(mitos, no_std)]

extern crate alloc;

#[cfg(mitos)]
mod script;
#[cfg(mitos)]
mod terminal;
#[cfg(mitos)]
mod uart;

#[cfg(mitos)]
pub use uart::CELL;
