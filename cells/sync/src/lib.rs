//! Locks and queues for tasks.
//!
//! | type | waits by | use it for |
//! |---|---|---|
//! | [`SpinLock`] | spinning, preemption off | a few instructions, never across a call that may block |
//! | [`IrqLock`] | spinning, interrupts off | data shared with an interrupt handler |
//! | [`Mutex`] | sleeping | longer sections |
//! | [`FaultLock`] | sleeping | sections whose holder may fault: the next one is told |
//! | [`RwLatch`] | sleeping | pages: many readers or one writer |
//! | [`WaitQueue`] | sleeping | "until this condition holds" |
//! | [`Completion`] | sleeping | the end of one piece of work: the wait token of ports |
//! | [`channel`] | sleeping | messages between tasks |
//!
//! All of them work unchanged on the host, where tasks are threads. They mark
//! the places where a simulation lets another task run.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

mod atomic;
pub mod channel;
mod completion;
mod fault_lock;
mod latch;
mod mutex;
mod spinlock;
mod wait_queue;

pub use completion::{Completion, Outcome};
pub use fault_lock::FaultLock;
pub use latch::RwLatch;
pub use mutex::{Mutex, MutexGuard};
pub use spinlock::{IrqLock, IrqLockGuard, SpinLock, SpinLockGuard, spins};
#[cfg(mitos)]
pub use spinlock::{set_free, tear};
pub use wait_queue::WaitQueue;
