//! The operator's shell as others see it: one line in, an answer out. Whoever
//! reads lines (the serial console, the control line) calls it.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use port::{Component, Door, Port};

/// The door of the shell.
pub static SHELL: Port<dyn Shell> = Port::new("shell");
/// The same, without its type.
pub static DOOR: &dyn Door = &SHELL;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: port::Moves = port::Moves::doors_only();

/// What a command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it did what it should.
    pub ok: bool,
    /// The text, lines ended by newlines.
    pub text: String,
}

/// The shell.
pub trait Shell: Component {
    /// Runs one command.
    fn run(&self, line: &str) -> Answer;
    /// Swaps the cells of an archive in, as one set.
    fn push(&self, archive: Vec<u8>) -> Answer;
}
