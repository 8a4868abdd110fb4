//! Tasks, CPUs and the clock of one execution of a model.
//!
//! A task is a thread of the checker, and parks by a token as `task_port` says.
//! The clock stands still until a test moves it, at any moment the checker
//! likes; that wakes the sleepers whose time has come, as the timer does. A task
//! is on a CPU of its own until it migrates.

use crate::Ledger;
use loom::sync::atomic::AtomicUsize as Slot;
use loom::sync::{Condvar, Mutex, MutexGuard};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two CPUs show all that more would.
pub const MAX_CPUS: usize = 2;

/// Slots and locks of one execution: more than any model uses.
const SLOTS: usize = 48;

/// The checker's objects of one execution. Made before its tasks, because what
/// the checker's objects are made by must have happened before their use.
struct Execution {
    slots: Vec<Slot>,
    mutexes: Vec<Mutex<()>>,
    used_slots: Cell<usize>,
    used_mutexes: Cell<usize>,
    tasks: Cell<usize>,
    now: Cell<u64>,
    clock: Slot,
    sleepers: RefCell<Vec<(u64, TaskRef)>>,
}

std::thread_local! {
    /// All tasks of an execution run on the test's own thread.
    static EXECUTION: RefCell<Option<Rc<Execution>>> = const { RefCell::new(None) };
}

loom::thread_local! {
    static ME: Task = Task::new();
    static LEDGER: Ledger = Ledger::new();
}

fn execution() -> Rc<Execution> {
    EXECUTION.with(|e| Rc::clone(e.borrow().as_ref().expect("inside check()")))
}

fn place(place: &AtomicUsize, used: &Cell<usize>) -> usize {
    if place.load(Ordering::Relaxed) == 0 {
        used.set(used.get() + 1);
        place.store(used.get(), Ordering::Relaxed);
    }
    place.load(Ordering::Relaxed) - 1
}

/// Calls `act` with the slot of the atomic that keeps its place in `at`; not when
/// a failed model unwinds, as the checker takes no more steps then.
pub(crate) fn slot(at: &AtomicUsize, act: impl FnOnce(&Slot)) {
    if !std::thread::panicking() {
        let execution = execution();
        act(&execution.slots[place(at, &execution.used_slots)]);
    }
}

/// Locks the mutex of the lock that keeps its place in `at`.
pub(crate) fn mutex(at: &AtomicUsize) -> MutexGuard<'_, ()> {
    let execution = execution();
    let mutex = &raw const execution.mutexes[place(at, &execution.used_mutexes)];
    // SAFETY: the execution's objects live until the next execution of the same
    // model begins, when no task of this one is left.
    unsafe { &*mutex }
        .lock()
        .expect("no task panics with a lock held")
}

/// Runs `model` in every interleaving of its tasks with at most `preemptions`
/// switches away from a task that could go on.
pub fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let execution = Execution {
            slots: (0..SLOTS).map(|_| Slot::new(0)).collect(),
            mutexes: (0..SLOTS).map(|_| Mutex::new(())).collect(),
            used_slots: Cell::new(0),
            used_mutexes: Cell::new(0),
            tasks: Cell::new(0),
            now: Cell::new(0),
            clock: Slot::new(0),
            sleepers: RefCell::new(Vec::new()),
        };
        EXECUTION.with(|e| *e.borrow_mut() = Some(Rc::new(execution)));
        model();
    });
    println!("{} executions", runs.load(Ordering::Relaxed));
}

/// A task's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskId(pub u64);

#[derive(Debug)]
struct Inner {
    id: TaskId,
    token: Mutex<bool>,
    unparked: Condvar,
}

/// A task.
#[derive(Clone, Debug)]
pub struct TaskRef(Arc<Inner>);

impl TaskRef {
    /// Its number.
    pub fn id(&self) -> TaskId {
        self.0.id
    }

    /// Lets its current or next [`park`] return.
    pub fn unpark(&self) {
        *self.0.token.lock().expect("not poisoned") = true;
        self.0.unparked.notify_one();
    }
}

/// What a task knows of itself.
pub struct Task {
    me: TaskRef,
    cpu: Cell<usize>,
}

impl Task {
    fn new() -> Self {
        let execution = execution();
        let number = execution.tasks.get();
        execution.tasks.set(number + 1);
        Task {
            me: TaskRef(Arc::new(Inner {
                id: TaskId(number as u64),
                token: Mutex::new(false),
                unparked: Condvar::new(),
            })),
            cpu: Cell::new(number % MAX_CPUS),
        }
    }
}

/// Starts a task on `cpu`.
pub fn spawn<R: 'static>(
    cpu: usize,
    body: impl FnOnce() -> R + 'static,
) -> loom::thread::JoinHandle<R> {
    loom::thread::spawn(move || {
        migrate(cpu);
        body()
    })
}

/// The running task.
pub fn current() -> TaskRef {
    ME.with(|task| task.me.clone())
}

/// The CPU the running task is on.
pub fn id() -> usize {
    ME.with(|task| task.cpu.get())
}

/// Moves the running task to another CPU.
pub fn migrate(cpu: usize) {
    ME.with(|task| task.cpu.set(cpu));
}

/// Calls `f` with the running task's ledger.
pub fn with_ledger<R>(f: impl FnOnce(&Ledger) -> R) -> R {
    LEDGER.with(f)
}

/// Waits for an unpark.
pub fn park() {
    let me = current();
    let mut token = me.0.token.lock().expect("not poisoned");
    while !*token {
        token = me.0.unparked.wait(token).expect("not poisoned");
    }
    *token = false;
}

/// Waits for an unpark, or until the clock is at `deadline`.
pub fn park_until(deadline: u64) {
    let me = current();
    let execution = execution();
    execution.sleepers.borrow_mut().push((deadline, me.clone()));
    // The clock moves before it looks for sleepers.
    if now() < deadline {
        park();
    }
    execution
        .sleepers
        .borrow_mut()
        .retain(|(_, t)| t.id() != me.id());
}

/// The clock.
pub fn now() -> u64 {
    let execution = execution();
    execution.clock.fetch_add(1, Ordering::AcqRel);
    execution.now.get()
}

/// Moves the clock, and wakes those whose time has come.
pub fn advance_clock(to: u64) {
    let execution = execution();
    execution.clock.fetch_add(1, Ordering::AcqRel);
    execution.now.set(to);
    let due: Vec<TaskRef> = execution
        .sleepers
        .borrow()
        .iter()
        .filter(|(deadline, _)| *deadline <= to)
        .map(|(_, task)| task.clone())
        .collect();
    due.iter().for_each(TaskRef::unpark);
}

/// A place where another task may run: the checker has its own.
pub fn interleave() {}
