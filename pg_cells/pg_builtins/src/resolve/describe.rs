//! Types in error messages.

use alloc::string::String;
use alloc::vec::Vec;
use pg_types::{Oid, format_type};

/// A type's name in a message.
pub fn describe_type(t: Oid) -> String {
    format_type(t, -1)
}

/// `integer, text`.
pub fn describe_args(args: &[Oid]) -> String {
    let names: Vec<String> = args.iter().map(|t| describe_type(*t)).collect();
    names.join(", ")
}
