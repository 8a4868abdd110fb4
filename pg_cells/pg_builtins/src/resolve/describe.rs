//! Types in error messages.

use alloc::string::String;
use alloc::vec::Vec;
use pg_types::{Oid, type_name};

/// A type's name in a message.
pub fn describe_type(t: Oid) -> String {
    type_name(t)
}

/// `integer, text`.
pub fn describe_args(args: &[Oid]) -> String {
    let names: Vec<String> = args.iter().map(|t| describe_type(*t)).collect();
    names.join(", ")
}
