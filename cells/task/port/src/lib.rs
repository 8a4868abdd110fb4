//! The running task as others see it: identity, park and unpark, spawn, clock,
//! and the ledger of what the task holds.
//!
//! In the system these calls reach the `task` cell, which [`install`]s itself
//! here at boot: switching stacks is mechanism that every other part stands on,
//! so it is linked, not swapped. On the host, threads stand for tasks and
//! nothing needs to be installed; a test can have them scheduled, and time pass,
//! by a seed (`simulate`).
//!
//! Parking is a token, as in `std::thread::park`: an [`TaskRef::unpark`] before
//! the [`park`] is not lost, and a park may return without one, so every wait
//! is a loop around a condition.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

mod gate;
mod held;
mod ledger;

#[cfg(not(mitos))]
#[path = "host.rs"]
mod imp;
#[cfg(mitos)]
#[path = "kernel.rs"]
mod imp;
#[cfg(not(mitos))]
pub mod simulate;

pub use gate::{Fault, FaultKind, gate, gate_unreported, report, set_fault_hook};
pub use held::Held;
pub use imp::*;
pub use ledger::{Ledger, LedgerMark};

use alloc::string::String;

/// A task's number. Never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskId(pub u64);

/// How urgent a task is. Higher ones run first; equal ones take turns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Priority {
    /// Runs when nothing else wants the CPU.
    Background,
    /// Connections and queries.
    #[default]
    Normal,
    /// Completion work that others wait for: log writer, network poll.
    High,
}

/// What a new task is like.
#[derive(Clone, Debug)]
pub struct SpawnOptions {
    /// Shown in `tasks` and in reports.
    pub name: String,
    /// Bytes of stack, rounded up to pages. Guarded below.
    pub stack: usize,
    /// Its urgency.
    pub priority: Priority,
    /// The only CPU it may run on, if any.
    pub pinned: Option<usize>,
}

impl SpawnOptions {
    /// Options for a task called `name`, with a stack of 256 KiB.
    #[must_use]
    pub fn new(name: &str) -> Self {
        SpawnOptions {
            name: String::from(name),
            stack: 256 * 1024,
            priority: Priority::Normal,
            pinned: None,
        }
    }

    /// The same with `stack` bytes of stack.
    #[must_use]
    pub fn stack(mut self, stack: usize) -> Self {
        self.stack = stack;
        self
    }

    /// The same with another priority.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The same, bound to one CPU.
    #[must_use]
    pub fn pinned(mut self, cpu: usize) -> Self {
        self.pinned = Some(cpu);
        self
    }
}

/// A task as `tasks` shows it.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `running`, `ready`, `parked` or `dead`.
    pub state: &'static str,
    /// The CPU it runs or ran on.
    pub cpu: u32,
    /// Its urgency.
    pub priority: Priority,
    /// Nanoseconds of CPU time.
    pub cpu_time: u64,
    /// How often it was switched in.
    pub switches: u64,
    /// Bytes of stack.
    pub stack: usize,
    /// Ledger entries: what it holds.
    pub holds: usize,
}
