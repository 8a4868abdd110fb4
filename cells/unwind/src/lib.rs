//! Stack unwinding: what happens after a panic or a CPU fault.
//!
//! A panic unwinds to the nearest gate (`task_port::gate`), running destructors.
//! A CPU exception in a task behind a gate becomes an unwind too: the handler
//! computes the caller of the faulting function from its unwind table and lets
//! the task continue as if that caller had called [`raise`]. The faulting frame's
//! own landing pads are skipped (its state is not to be trusted, and its tables
//! do not describe the faulting instruction); the ledger gives back what it held.
//!
//! Where the stack cannot be unwound, because its tables are damaged or a destructor
//! faults as well, the task goes back to the gate at once (`way_back`).
//!
//! A fault in the clock or in the scheduler's policy, which are called with interrupts
//! off, has no gate either: the call returns without an answer (`leaf`).
//!
//! Otherwise, without a gate, a fault is fatal: report, event ring, power off.
#![cfg_attr(mitos, no_std)]
#![cfg_attr(mitos, feature(panic_can_unwind))]
#![cfg_attr(mitos, allow(internal_features))]

#[cfg(mitos)]
extern crate alloc;

#[cfg(mitos)]
mod backtrace;
#[cfg(mitos)]
mod events;
#[cfg(mitos)]
mod fault;
#[cfg(mitos)]
mod finder;
#[cfg(mitos)]
mod hang;
#[cfg(mitos)]
mod leaf;
#[cfg(mitos)]
mod report;
#[cfg(mitos)]
mod step;
#[cfg(mitos)]
mod way_back;

#[cfg(mitos)]
pub use backtrace::backtrace;
#[cfg(mitos)]
pub use events::event;
#[cfg(mitos)]
pub use fault::{catch, exception, out_of_memory, panic, unexpected};
#[cfg(mitos)]
pub use finder::init;
#[cfg(mitos)]
pub use hang::{Place, hang, hang_here, place, waits_in};
#[cfg(mitos)]
pub use report::{exit, fatal, set_console};
#[cfg(mitos)]
pub use step::Registers;

/// What a gate saves: general registers, the vector and error code, and what the
/// CPU pushed. Handlers may change it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    pub vector: u64,
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}
