//! Tasks on the host: threads of the standard library, in real time, or as a
//! simulation has them ([`crate::simulate`]).

use crate::simulate;
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
    kind: Kind,
}

enum Kind {
    Thread(std::thread::Thread),
    /// Its place in the simulation.
    Simulated(usize),
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
        match &self.0.kind {
            Kind::Thread(thread) => thread.unpark(),
            Kind::Simulated(place) => simulate::unpark(*place),
        }
    }

    fn new(name: String, kind: Kind) -> Self {
        TaskRef(Arc::new(Inner {
            id: TaskId(NEXT.fetch_add(1, Ordering::Relaxed)),
            name,
            kind,
        }))
    }

    pub(crate) fn place(&self) -> Option<usize> {
        match &self.0.kind {
            Kind::Thread(_) => None,
            Kind::Simulated(place) => Some(*place),
        }
    }
}

/// The running task.
#[must_use]
pub fn current() -> TaskRef {
    let simulated = simulate::me();
    CURRENT.with(|c| {
        let mut current = c.borrow_mut();
        match &*current {
            Some(task) if task.place() == simulated => task.clone(),
            _ => {
                let thread = std::thread::current();
                let name = thread.name().unwrap_or("host").to_string();
                let kind = simulated.map_or(Kind::Thread(thread), Kind::Simulated);
                current.insert(TaskRef::new(name, kind)).clone()
            }
        }
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
    match simulate::me() {
        Some(me) => simulate::park(me, None),
        None => std::thread::park(),
    }
}

/// Waits for an unpark or until the clock shows `deadline` (nanoseconds as
/// [`now`] counts them).
pub fn park_until(deadline: u64) {
    if let Some(me) = simulate::me() {
        return simulate::park(me, Some(deadline));
    }
    let left = deadline.saturating_sub(now());
    if left > 0 {
        std::thread::park_timeout(Duration::from_nanos(left));
    }
}

/// Lets others run.
pub fn yield_now() {
    match simulate::me() {
        Some(me) => simulate::yield_now(me),
        None => std::thread::yield_now(),
    }
}

/// A place where, in a simulation, another task may run. Does nothing otherwise.
#[inline]
pub fn interleave() {
    if let Some(me) = simulate::me() {
        simulate::interleave(me);
    }
}

/// Nanoseconds since some moment before the first call; never goes back.
#[must_use]
pub fn now() -> u64 {
    if simulate::me().is_some() {
        return simulate::now();
    }
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Microseconds since 1970-01-01 00:00 UTC.
#[must_use]
pub fn wall_clock_us() -> i64 {
    if simulate::me().is_some() {
        return simulate::wall_clock_us();
    }
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
    match simulate::me() {
        Some(me) => simulate::sleep(me, ns),
        None => std::thread::sleep(Duration::from_nanos(ns)),
    }
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
    if simulate::is_running() {
        return spawn_simulated(options, body);
    }
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

fn spawn_simulated(
    options: SpawnOptions,
    body: impl FnOnce() + Send + 'static,
) -> Result<TaskRef, SpawnError> {
    let place = simulate::add(&options.name).ok_or(SpawnError::OutOfMemory)?;
    let task = TaskRef::new(options.name.clone(), Kind::Simulated(place));
    let mine = task.clone();
    std::thread::Builder::new()
        .name(options.name)
        .stack_size(options.stack.max(2 << 20))
        .spawn(move || {
            CURRENT.with(|c| *c.borrow_mut() = Some(mine));
            simulate::enter(place);
            if let Err(fault) = crate::gate(body) {
                std::eprintln!("task {}: {}", current().name(), fault.message);
            }
            simulate::leave(place);
        })
        .map_err(|_| SpawnError::OutOfMemory)?;
    interleave();
    Ok(task)
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
            Fault::new(FaultKind::Panic, String::new(), message)
        },
    )
}
