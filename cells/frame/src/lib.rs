//! Page frames and the other device-reachable bytes of the storage engine, with
//! handles that make them safe to use.
//!
//! | type | what it is |
//! |---|---|
//! | [`Arena`] | the frames of a buffer pool: page bytes, a pin count, a latch, words for the pool |
//! | [`Pin`], [`ReadGuard`] | handles of running tasks, in the task's ledger: a fault gives them back |
//! | [`Exclusive`], [`KeptPin`] | the right to change a page, and a pin; not in the ledger, so keep them inside a `task_port::Held` |
//! | [`IoBuffer`] | a piece of memory for one transfer |
//! | [`Ring`] | the log's memory: appended at one end, written out and released at the other |
//! | [`StaticRef`] | a replaceable reference to something that lives for ever |
//!
//! The database cells forbid unsafe code; all of their access to bytes that a
//! device or another task may reach goes through here. Which frame holds which
//! page, and when one is replaced, is not known here.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

mod arena;
mod handle;
mod io;
mod ring;
mod static_ref;

pub use arena::{Arena, FRAME_SIZE, Frame, NO_TAG};
pub use handle::{Exclusive, KeptPin, Pin, ReadGuard, TryRead};
pub use io::IoBuffer;
pub use ring::Ring;
pub use static_ref::StaticRef;

/// The bytes of one frame.
pub type Bytes = [u8; FRAME_SIZE];
