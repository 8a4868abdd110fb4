//! Preemptive tasks on all CPUs.
//!
//! | file | what |
//! |---|---|
//! | `switch` | from one stack to another |
//! | `queue` | each CPU's run queue; which CPU gets a woken task |
//! | `schedule` | who runs next, and what is due after a switch |
//! | `park` | blocking and waking |
//! | `alarm` | waking at a time |
//! | `preempt` | taking the CPU away from a running task |
//! | `spawn` | birth and end of tasks |
//! | `watchdog` | tasks that compute without a sign of life |
//! | `cpus` | every CPU's start and idle loop |
//!
//! A task's life: ready (in one run queue), running (on one CPU), parked (in
//! nobody's queue), dead. A woken task may be chosen by one CPU while another is
//! still saving its registers; `on_cpu` makes the chooser wait for that. Locks
//! are taken in the order: sleepers, then run queue; never two run queues.
#![cfg_attr(mitos, no_std)]

extern crate alloc;
// Read here under the name of the thing.
#[cfg(mitos)]
extern crate time_port as time;

#[cfg(mitos)]
mod alarm;
#[cfg(mitos)]
mod cpus;
#[cfg(mitos)]
mod park;
#[cfg(mitos)]
mod preempt;
#[cfg(mitos)]
mod queue;
#[cfg(mitos)]
mod schedule;
#[cfg(mitos)]
mod spawn;
#[cfg(mitos)]
mod switch;
#[cfg(mitos)]
mod watchdog;

#[cfg(mitos)]
pub use cpus::{init, start_other_cpus};
