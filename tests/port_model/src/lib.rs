//! The sources of `cells/port` and `cells/sync`, compiled once more over atomics,
//! locks and tasks that a model checker controls: `loom` runs a test in every
//! interleaving of its tasks, up to a number of preemptions.
//!
//! Nothing of the protocol is copied. The sources name their atomics
//! `crate::atomic`, and what they take from `cpu`, `sync` and `task_port` they
//! find here under the same names. The stand-ins are in `atomic.rs`, `lock.rs`
//! and `tasks.rs`; what they leave out is said there.

extern crate alloc;
extern crate self as cpu;
extern crate self as sync;
extern crate self as task_port;

pub mod atomic;
mod lock;
mod tasks;

#[path = "../../../cells/task/port/src/ledger.rs"]
mod ledger;

#[path = "../../../cells/sync/src/channel.rs"]
pub mod channel;
#[path = "../../../cells/sync/src/completion.rs"]
mod completion;
#[path = "../../../cells/sync/src/latch.rs"]
mod latch;
#[path = "../../../cells/sync/src/mutex.rs"]
mod mutex;
#[path = "../../../cells/sync/src/wait_queue.rs"]
mod wait_queue;

#[path = "../../../cells/port/src/cell.rs"]
mod cell;
#[path = "../../../cells/port/src/component.rs"]
mod component;
#[path = "../../../cells/port/src/crash.rs"]
mod crash;
#[path = "../../../cells/port/src/door.rs"]
mod door;
#[path = "../../../cells/port/src/entry.rs"]
mod entry;
#[path = "../../../cells/port/src/error.rs"]
mod error;
#[allow(dead_code)]
#[path = "../../../cells/port/src/state.rs"]
mod state;

pub use cell::{Birth, BirthError, Cell, CellCode, CellRef, DoorRef, Options, start};
pub use completion::{Completion, Outcome};
pub use component::Component;
pub use crash::{CrashKind, crash_here};
pub use door::{Door, Port};
pub use entry::Entered;
pub use error::{DoorStatus, PortError, SwapError};
pub use latch::RwLatch;
pub use ledger::{Ledger, LedgerMark};
pub use lock::{IrqLock, SpinLock};
pub use mutex::{Mutex, MutexGuard};
pub use state::{HandoverError, State};
pub use tasks::{
    MAX_CPUS, Task, TaskId, TaskRef, advance_clock, check, current, id, interleave, migrate, now,
    park, park_until, spawn, with_ledger,
};
pub use wait_queue::WaitQueue;

/// Code of a cell that is not there.
struct NoCode;

impl CellCode for NoCode {
    fn name(&self) -> &str {
        "model"
    }
    fn version(&self) -> &str {
        "0"
    }
    fn size(&self) -> usize {
        0
    }
}

/// Leaves a provider in the wings of a port that is no static.
pub fn stage<T: ?Sized + Component>(port: &Port<T>, provider: Box<T>) {
    port.stage(provider, CellRef(std::sync::Arc::new(NoCode)));
}
