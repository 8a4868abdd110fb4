//! The atomics of this crate. Its sources name them by this module, because the
//! model checker (`tests/port_model`) compiles the same sources with its own.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering,
};
