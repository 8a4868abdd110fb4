//! The echo cell: gives back what came. The loops are `echo_port`'s.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use echo_port::{ECHO, Echo};
use port::{Birth, BirthError, Component, CrashKind};

/// The cell's descriptor.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&echo_port::DOOR],
    birth,
};

struct Same;

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let provider: Box<dyn Echo> = Box::new(Same);
    birth.provide(&ECHO, provider);
    Ok(())
}

impl Component for Same {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Echo for Same {
    fn answer(&self, _bytes: &mut [u8]) {}
}
