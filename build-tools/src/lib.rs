//! The host side of Mitos, one file per concern, so that the system tests can
//! use the same code as the command line.
//!
//! From sources to an image: [`graph`] finds the crates, [`compile`] builds
//! them with the flags of [`toolchain`], [`object`] turns each rlib into one
//! relocatable object, [`base`] links the boot image, [`fingerprint`] names
//! the interfaces, [`image`] packs and signs with the key of [`keys`].
//! [`pipeline`] runs these steps in order.

pub mod base;
pub mod compile;
pub mod fingerprint;
pub mod graph;
pub mod image;
pub mod keys;
pub mod object;
pub mod paths;
pub mod pipeline;
pub mod progress;
pub mod run;
pub mod toolchain;
