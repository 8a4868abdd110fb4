//! Tasks in the system: the calls reach the `task` cell through what it has
//! installed here.

use crate::{Fault, Ledger, SpawnOptions, TaskId};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

/// A task: what everyone may look at, and the `task` cell's own fields.
pub struct TaskHeader {
    /// Its number.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub ledger: Ledger,
    /// How many gates it is behind; without one a fault is fatal.
    pub gates: AtomicU32,
    /// The innermost gate, for faults whose stack cannot be unwound: `unwind`'s.
    pub way_back: AtomicUsize,
    /// Nanoseconds of CPU time used up to its last switch.
    pub cpu_time: AtomicU64,
    /// The scheduler's fields.
    pub sched: Sched,
}

/// What the `task` cell keeps of a task.
pub struct Sched {
    /// Running, ready, parked or dead: the `task` cell's numbers.
    pub state: AtomicU8,
    /// An unpark that came before its park.
    pub token: AtomicBool,
    /// Its registers are not saved yet, or it runs.
    pub on_cpu: AtomicBool,
    /// The CPU it ran on last.
    pub cpu: AtomicU32,
    /// The stack pointer while it does not run.
    pub stack_pointer: AtomicU64,
    /// Lowest address of its stack and the address behind it, for reports.
    pub stack_range: (usize, usize),
    /// Its urgency.
    pub priority: crate::Priority,
    /// The only CPU it may run on.
    pub pinned: Option<usize>,
    /// Until when it waits at the longest (ns); `u64::MAX`: for ever, or it runs.
    pub wake_at: AtomicU64,
    /// The time of its entry among the sleepers of a CPU; `u64::MAX`: none.
    pub alarm: AtomicU64,
    /// The CPU that has the entry.
    pub alarm_cpu: AtomicU32,
    /// When it was switched in (ns).
    pub since: AtomicU64,
    /// The ledger's activity when the watchdog looked last.
    pub watched: AtomicU64,
    /// How many looks in a row saw no activity.
    pub silent: AtomicU32,
    /// How often it was switched in.
    pub switches: AtomicU64,
    /// The switch count when the watchdog looked at its wait last.
    pub waited: AtomicU64,
    /// How many looks in a row saw the same wait.
    pub waits: AtomicU32,
    /// Its wait ends in a fault.
    pub doomed: AtomicBool,
    /// Owns the stack.
    pub stack: spin::Mutex<Option<Box<dyn Any + Send>>>,
    /// What it is to run.
    pub body: spin::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl core::fmt::Debug for TaskHeader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "task {} ({})", self.id.0, self.name)
    }
}

impl core::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ledger")
    }
}

/// What the `task` cell does for everyone.
pub trait Tasks: Sync {
    /// Makes a task that runs `body`.
    ///
    /// # Errors
    /// When there is no memory for its stack.
    fn spawn(
        &self,
        options: SpawnOptions,
        body: Box<dyn FnOnce() + Send>,
    ) -> Result<TaskRef, SpawnError>;
    /// Blocks the running task until unparked or `deadline` (ns), if any.
    fn park(&self, deadline: Option<u64>);
    /// Lets the task's current or next park return. Callable from interrupt
    /// handlers.
    fn unpark(&self, task: &TaskRef);
    /// Lets others run.
    fn yield_now(&self);
    /// Monotonic nanoseconds.
    fn now(&self) -> u64;
    /// Microseconds since 1970.
    fn wall_clock_us(&self) -> i64;
    /// All tasks, by number.
    fn list(&self) -> alloc::vec::Vec<crate::TaskInfo>;
    /// Runs `body`; gives the fault if it unwound.
    ///
    /// # Errors
    /// The fault.
    fn catch(&self, body: &mut dyn FnMut()) -> Result<(), Fault>;
}

/// Where the reference to the `task` cell's provider is; null before it is up.
static TASKS: AtomicPtr<&'static dyn Tasks> = AtomicPtr::new(core::ptr::null_mut());

/// Called once by the `task` cell.
pub fn install(tasks: &'static dyn Tasks) {
    TASKS.store(Box::into_raw(Box::new(tasks)), Ordering::Release);
}

#[inline]
fn tasks() -> &'static dyn Tasks {
    // SAFETY: null, or from the box that `install` leaked.
    match unsafe { TASKS.load(Ordering::Acquire).as_ref() } {
        Some(tasks) => *tasks,
        None => panic!("the task cell is not up yet"),
    }
}

/// Bytes at the lower end of every stack that become writable only when it
/// overflows, for unwinding.
pub const STACK_RESERVE: usize = 32 * 1024;

/// Why a task could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpawnError {
    /// No memory for its stack.
    OutOfMemory,
}

/// A task, alive or ended. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TaskRef(pub Arc<TaskHeader>);

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

    /// Lets its current or next [`park`] return. Callable from interrupt
    /// handlers.
    pub fn unpark(&self) {
        tasks().unpark(self);
    }
}

/// The running task's header.
#[inline]
#[must_use]
pub fn header() -> &'static TaskHeader {
    let raw = cpu::current_raw().cast::<TaskHeader>();
    assert!(!raw.is_null(), "no task runs yet");
    // SAFETY: the `task` cell stores the header of the running task here, inside
    // an Arc that it holds while the task runs; the reference is used by that
    // task only.
    unsafe { &*raw }
}

/// The running task.
#[must_use]
pub fn current() -> TaskRef {
    let raw: *const TaskHeader = header();
    // SAFETY: `raw` is the pointer of the Arc that the `task` cell holds for the
    // running task; taking one more count of it is what `clone` does.
    unsafe {
        Arc::increment_strong_count(raw);
        TaskRef(Arc::from_raw(raw))
    }
}

/// Whether a task runs on this CPU (false early at boot).
#[inline]
#[must_use]
pub fn in_task() -> bool {
    !cpu::current_raw().is_null()
}

/// The running task's number.
#[inline]
#[must_use]
pub fn current_id() -> TaskId {
    header().id
}

/// Calls `f` with the running task's ledger. Before the first task runs there
/// is one for the boot itself.
#[inline]
pub fn with_ledger<R>(f: impl FnOnce(&Ledger) -> R) -> R {
    let raw = cpu::current_raw().cast::<TaskHeader>();
    // SAFETY: null, or as in `header`.
    let header: Option<&'static TaskHeader> = unsafe { raw.as_ref() };
    f(match header {
        Some(header) => &header.ledger,
        None => boot_ledger(),
    })
}

/// The ledger of the time before the first task. One CPU runs then.
#[cold]
#[inline(never)]
#[must_use]
pub fn boot_ledger() -> &'static Ledger {
    static BOOT: Ledger = Ledger::new();
    &BOOT
}

/// Waits for an unpark. May return without one.
pub fn park() {
    tasks().park(None);
}

/// Waits for an unpark or until the clock shows `deadline` (nanoseconds as
/// [`now`] counts them).
pub fn park_until(deadline: u64) {
    tasks().park(Some(deadline));
}

/// Lets others run.
pub fn yield_now() {
    tasks().yield_now();
}

/// Marks a place for simulations on the host; nothing here.
#[inline(always)]
pub fn interleave() {}

/// Nanoseconds since boot; never goes back.
#[must_use]
pub fn now() -> u64 {
    tasks().now()
}

/// Microseconds since 1970-01-01 00:00 UTC.
#[must_use]
pub fn wall_clock_us() -> i64 {
    tasks().wall_clock_us()
}

/// All tasks, by number.
#[must_use]
pub fn list() -> alloc::vec::Vec<crate::TaskInfo> {
    tasks().list()
}

/// Sleeps for `ns` nanoseconds at least.
pub fn sleep(ns: u64) {
    let until = now().saturating_add(ns);
    while now() < until {
        park_until(until);
    }
}

/// Starts a task that runs `body` behind a gate.
///
/// # Errors
/// When there is no memory for it.
pub fn spawn(
    options: SpawnOptions,
    body: impl FnOnce() + Send + 'static,
) -> Result<TaskRef, SpawnError> {
    tasks().spawn(options, Box::new(body))
}

/// Runs `body`; a panic or CPU fault in it comes back as a value. The gate's
/// lower half.
pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Fault> {
    let mut body = Some(body);
    let mut result = None;
    tasks().catch(&mut || {
        if let Some(body) = body.take() {
            result = Some(body());
        }
    })?;
    match result {
        Some(value) => Ok(value),
        None => unreachable!("catch returned Ok without running its body"),
    }
}
