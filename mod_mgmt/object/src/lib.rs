//! A cell's object as it travels and as it is linked.
//!
//! The compiler's ELF object is *packed* on the host: sections, stubs and slots
//! get their places, and everything that is relative within the cell is computed
//! there once and for all. What remains is little: the bytes of its memory,
//! compressed; the places that hold addresses of its own; and the imports by
//! name. The system links that with one pass over each.
//!
//! | file | what |
//! |---|---|
//! | `format` | the bytes |
//! | `read` | [`Packed`]: checks them, and links a cell into memory |
//! | `names` | [`FunctionNames`]: from an offset to the function's name, for reports |
//! | `elf` (feature `write`) | reads an ELF object: sections, symbols, relocations, checked |
//! | `layout` (feature `write`) | places sections, stubs and slots |
//! | `fix` (feature `write`) | computes what is relative, lists what is not |
//! | `pack` (feature `write`) | writes the packed bytes |
//!
//! All of it is total: any bytes give an object or an [`ObjectError`]. What does
//! not belong here: whose import is whose (`mod_mgmt`), and signatures
//! (`cell_archive`).
#![cfg_attr(not(any(test, feature = "write")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "write")]
pub mod elf;
mod error;
#[cfg(feature = "write")]
pub mod fix;
mod format;
#[cfg(feature = "write")]
pub mod layout;
mod names;
#[cfg(feature = "write")]
pub mod pack;
mod read;

pub use error::ObjectError;
pub use names::FunctionNames;
pub use read::{Import, Packed, Resolver};

/// Bytes of a page: the three pieces of a cell start on pages of their own.
pub const PAGE_SIZE: usize = 4096;
/// A cell takes no more memory than this, and so does none of its sections.
pub const LARGEST: usize = 256 << 20;
