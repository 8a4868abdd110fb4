//! Tasks on the host: threads of the standard library.

use crate::{Fault, FaultKind, Ledger, SpawnOptions, TaskId};
use std::boxed::Box;
use std::cell::RefCell;
use std::string::{String, ToString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

static NEXT: AtomicU64 = AtomicU64::new(1);
static START: OnceLock<Instant> = OnceLock::new();

struct Inner {
    id: TaskId,
    name: String,
    thread: std::thread::Thread,
}

/// A task, alive or ended. Cheap to clone.
#[derive(Clone)]
pub struct TaskRef(Arc<Inner>);

impl core::fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "task {} ({})", self.0.id.0, self.0.name)
    }
}

std::thread_local! {
    static CURRENT: RefCell<Option<TaskRef>> = const { RefCell::new(None) };
    static LEDGER: Ledger = const { Ledger::new() };
}

impl TaskRef {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.0.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Lets its current or next [`park`] return.
    pub fn unpark(&self) {
        self.0.thread.unpark();
    }
}

/// The running task.
#[must_use]
pub fn current() -> TaskRef {
    CURRENT.with(|c| {
        c.borrow_mut()
            .get_or_insert_with(|| {
                let thread = std::thread::current();
                let name = thread.name().unwrap_or("host").to_string();
                TaskRef(Arc::new(Inner {
                    id: TaskId(NEXT.fetch_add(1, Ordering::Relaxed)),
                    name,
                    thread,
                }))
            })
            .clone()
    })
}

/// The running task's number.
#[must_use]
pub fn current_id() -> TaskId {
    current().id()
}

/// Calls `f` with the running task's ledger.
pub fn with_ledger<R>(f: impl FnOnce(&Ledger) -> R) -> R {
    LEDGER.with(f)
}

/// Waits for an unpark. May return without one.
pub fn park() {
    std::thread::park();
}

/// Waits for an unpark or until the clock shows `deadline` (nanoseconds as
/// [`now`] counts them).
pub fn park_until(deadline: u64) {
    let left = deadline.saturating_sub(now());
    if left > 0 {
        std::thread::park_timeout(Duration::from_nanos(left));
    }
}

/// Lets others run.
pub fn yield_now() {
    std::thread::yield_now();
}

/// Nanoseconds since some moment before the first call; never goes back.
#[must_use]
pub fn now() -> u64 {
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Microseconds since 1970-01-01 00:00 UTC.
#[must_use]
pub fn wall_clock_us() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// All tasks; the host does not keep a list.
#[must_use]
pub fn list() -> std::vec::Vec<crate::TaskInfo> {
    std::vec::Vec::new()
}

/// Sleeps for `ns` nanoseconds at least.
pub fn sleep(ns: u64) {
    std::thread::sleep(Duration::from_nanos(ns));
}

/// Why a task could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpawnError {
    /// No memory for its stack.
    OutOfMemory,
}

/// Starts a task that runs `body` behind a gate.
///
/// # Errors
/// When there is no memory for it.
pub fn spawn(
    options: SpawnOptions,
    body: impl FnOnce() + Send + 'static,
) -> Result<TaskRef, SpawnError> {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name(options.name)
        .stack_size(options.stack.max(2 << 20))
        .spawn(move || {
            let _ = tx.send(current());
            if let Err(fault) = crate::gate(body) {
                std::eprintln!("task {}: {}", current().name(), fault.message);
            }
        })
        .map_err(|_| SpawnError::OutOfMemory)?;
    rx.recv().map_err(|_| SpawnError::OutOfMemory)
}

/// Runs `body`; a panic in it comes back as a fault. The gate's lower half.
pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Fault> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).map_err(
        |payload: Box<dyn core::any::Any + Send>| {
            let message = payload
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| String::from("panic"));
            Fault {
                kind: FaultKind::Panic,
                cell: String::new(),
                message,
                released: 0,
            }
        },
    )
}
