//! The serial ports as people and scripts use them.
//!
//! | file | what |
//! |---|---|
//! | `uart` | a 16550 with interrupts: bytes in and out |
//! | [`editor`] | a line being typed: editing keys and history, pure |
//! | `terminal` | COM1: the log, and the shell's prompt |
//! | `script` | COM2: the control line, framed by `control` |
#![cfg_attr(mitos, no_std)]

extern crate alloc;

pub mod editor;
#[cfg(mitos)]
mod script;
#[cfg(mitos)]
mod terminal;
#[cfg(mitos)]
mod uart;

#[cfg(mitos)]
pub use uart::start;
