//! Interrupt delivery: what ACPI says of CPUs and interrupt controllers, the
//! local and I/O APIC, and [`IrqLine`], the interrupt as drivers see it.
//!
//! No driver code runs in interrupt context: the handler of a line counts and
//! wakes whoever waits, so a driver can be replaced while its device interrupts.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

#[cfg(mitos)]
pub mod apic;
mod line;
#[cfg(mitos)]
pub mod platform;
#[cfg(mitos)]
mod vectors;

pub use line::{IrqError, IrqLine};
#[cfg(mitos)]
pub use vectors::{
    NMI, RESCHEDULE, SPURIOUS, TIMER, enable_cpu, finish, init, set_exit_hook, set_handler,
};
