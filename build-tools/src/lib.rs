//! The host side of Mitos, one file per concern, so that the system tests can
//! use the same code as the command line.
//!
//! From sources to an image: [`graph`] finds the crates, [`compile`] builds
//! them with the flags of [`toolchain`], [`object`] turns each rlib into one
//! relocatable object, [`base`] links the boot image, [`fingerprint`] names
//! the interfaces ([`absent`], [`bodies`] and [`private`] say what is no part of them),
//! [`image`] packs and signs with the key of [`keys`].
//! [`pipeline`] runs these steps in order.
//!
//! Running it: [`qemu`] finds the emulator, [`machine`] is its command line,
//! [`vm`] is one QEMU process,
//! [`instance`] is where a running system is found, [`client`] talks to it,
//! [`running`] is what it runs, [`push`] chooses what it needs to be sent,
//! [`upgrade`] does so for a whole revision, which [`revision`] builds.
//! [`command`] is the command line; [`bench`] measures, [`trial`] puts promises
//! to the test.
#![forbid(unsafe_code)]

pub mod absent;
pub mod bench;
pub mod bodies;
pub mod client;
pub mod command;
pub mod compile;
pub mod fingerprint;
pub mod graph;
pub mod image;
pub mod instance;
pub mod keys;
pub mod link;
pub mod machine;
pub mod paths;
pub mod pipeline;
pub mod private;
pub mod progress;
pub mod push;
pub mod qemu;
pub mod revision;
pub mod run;
pub mod running;
mod timeline;
pub mod tokens;
pub mod toolchain;
pub mod trial;
pub mod upgrade;
pub mod vm;

pub use link::{base, object, unwind_index};
