//! Monotonic and wall clock, and the timer of each CPU.
//!
//! The monotonic clock is the time stamp counter, scaled; its rate and that of
//! the local APIC timer are measured at boot against the ACPI timer. The wall
//! clock is the battery-backed clock read at boot plus the monotonic clock.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

#[cfg(mitos)]
mod calendar;
#[cfg(mitos)]
mod clock;

#[cfg(mitos)]
pub use clock::{CELL, init};
