//! What the tests of the loader share: what is tried on bytes, an ELF writer,
//! memory to run objects in, and the compiler.
#![allow(dead_code)]

pub mod attempt;
pub mod elf;
pub mod host;
pub mod rustc;
