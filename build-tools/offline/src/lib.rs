//! The storage cells in a process of the host, over a disk file or a disk made up
//! in memory: the same code that runs in the system, linked instead of loaded.
//!
//! - [`device`]: the disk, with a layer of memory over it that takes all writes
//! - [`database`]: bringing the cells up on it; recovery happens in that layer
//! - [`place`]: where a page lies on a disk
//! - [`check`]: `cargo run -- check FILE`
//! - [`power`]: `cargo run -- power`, power cuts by the thousand
//!
//! It is a program of its own, so that the command line need not be built anew
//! with every change of a storage cell. The ports are one per process: one
//! database at a time.
#![forbid(unsafe_code)]

pub mod check;
pub mod database;
pub mod device;
pub mod place;
pub mod power;
