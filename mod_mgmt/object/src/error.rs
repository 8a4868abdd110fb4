//! Why an object was refused. Every variant names the check that failed.

use alloc::string::String;
use core::fmt;

/// Why bytes are no object, or one that cannot be linked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ObjectError {
    /// Not an object of the expected kind; says what is wrong.
    Format(&'static str),
    /// Something lies outside of the object or of its memory.
    Truncated(&'static str),
    /// A relocation type that nobody serves.
    Relocation(u32),
    /// A relocation's value does not fit its field, by symbol name.
    Overflow(String),
    /// An import that nobody exports.
    MissingSymbol(String),
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectError::Format(what) => write!(f, "not a cell object: {what}"),
            ObjectError::Truncated(what) => write!(f, "the object is truncated: {what}"),
            ObjectError::Relocation(kind) => write!(f, "relocation type {kind} is not supported"),
            ObjectError::Overflow(name) => write!(f, "a relocation against `{name}` does not fit"),
            ObjectError::MissingSymbol(name) => {
                write!(f, "nobody exports `{:#}`", rustc_demangle::demangle(name))
            }
        }
    }
}

impl core::error::Error for ObjectError {}
