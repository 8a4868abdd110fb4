//! Birth and end of tasks.

use crate::alarm::{self, NEVER};
use crate::queue::{DEAD, READY, enqueue};
use crate::schedule::{finish_switch, schedule};
use crate::switch::first_frame;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use memory::{MappedPages, Protection};
use sync::IrqLock;
use task_port::{Ledger, Sched, SpawnError, SpawnOptions, TaskHeader, TaskId, TaskInfo, TaskRef};

static NEXT: AtomicU64 = AtomicU64::new(1);
/// Every task that is not dead and buried.
static TASKS: IrqLock<BTreeMap<TaskId, TaskRef>> = IrqLock::new(BTreeMap::new());
/// Stacks of the usual size, for the next tasks.
static STACKS: IrqLock<Vec<Stack>> = IrqLock::new(Vec::new());
const KEEP_STACKS: usize = 32;
/// The lowest pages of a stack are not writable until it overflows; unwinding
/// then runs on them.
const RESERVE: usize = task_port::STACK_RESERVE;

/// A task's stack.
pub(crate) struct Stack {
    reserve: MappedPages,
    rest: MappedPages,
}

impl Stack {
    fn allocate(len: usize) -> Result<Self, memory::OutOfMemory> {
        let mut reserve = MappedPages::allocate(RESERVE + len)?;
        let rest = reserve.split_off(RESERVE);
        reserve.protect(Protection::Read);
        Ok(Stack { reserve, rest })
    }

    /// From the lowest address to the one behind the highest.
    fn range(&self) -> (usize, usize) {
        (self.reserve.start(), self.rest.start() + self.rest.len())
    }
}

/// No stack is smaller: an interrupt's way out and a log line need room.
const SMALLEST_STACK: usize = 16 * 1024;

pub(crate) fn header(options: SpawnOptions, stack: Option<Stack>) -> TaskHeader {
    let range = stack.as_ref().map_or((0, 0), Stack::range);
    TaskHeader {
        id: TaskId(NEXT.fetch_add(1, Ordering::Relaxed)),
        name: options.name,
        ledger: Ledger::new(),
        gates: AtomicU32::new(0),
        way_back: AtomicUsize::new(0),
        cpu_time: AtomicU64::new(0),
        sched: Sched {
            state: AtomicU8::new(READY),
            token: AtomicBool::new(false),
            on_cpu: AtomicBool::new(false),
            cpu: AtomicU32::new(cpu::id() as u32),
            stack_pointer: AtomicU64::new(0),
            stack_range: range,
            priority: options.priority,
            pinned: options.pinned,
            wake_at: AtomicU64::new(NEVER),
            alarm: AtomicU64::new(NEVER),
            alarm_cpu: AtomicU32::new(0),
            since: AtomicU64::new(0),
            watched: AtomicU64::new(0),
            silent: AtomicU32::new(0),
            switches: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            waits: AtomicU32::new(0),
            doomed: AtomicBool::new(false),
            stack: spin_mutex(stack.map(|s| Box::new(s) as Box<_>)),
            body: spin_mutex(None),
        },
    }
}

fn spin_mutex<T>(value: T) -> spin::Mutex<T> {
    spin::Mutex::new(value)
}

fn stack(len: usize) -> Result<Stack, SpawnError> {
    let len = len.max(SMALLEST_STACK).next_multiple_of(memory::PAGE_SIZE);
    let mut stacks = STACKS.lock();
    if let Some(at) = stacks.iter().position(|s| s.rest.len() == len) {
        return Ok(stacks.swap_remove(at));
    }
    drop(stacks);
    Stack::allocate(len).map_err(|_| SpawnError::OutOfMemory)
}

/// Makes a task and lets it run.
pub(crate) fn spawn(
    options: SpawnOptions,
    body: Box<dyn FnOnce() + Send>,
) -> Result<TaskRef, SpawnError> {
    let stack = stack(options.stack)?;
    let top = stack.range().1;
    let header = header(options, Some(stack));
    // SAFETY: the new stack is mapped and nobody runs on it.
    let first = unsafe { first_frame(top, task_main) };
    header.sched.stack_pointer.store(first, Ordering::Relaxed);
    *header.sched.body.lock() = Some(body);
    let task = TaskRef(Arc::new(header));
    TASKS.lock().insert(task.id(), task.clone());
    enqueue(task.clone());
    Ok(task)
}

/// The first code of every task.
extern "C" fn task_main() -> ! {
    finish_switch();
    cpu::irq_enable();
    let header = task_port::header();
    let body = header.sched.body.lock().take();
    if let Some(body) = body
        && let Err(fault) = task_port::gate(body)
    {
        log::error!(
            "task {} ended by a fault in {}: {}",
            header.name,
            fault.cell,
            fault.message
        );
    }
    let _ = cpu::irq_disable();
    header.sched.state.store(DEAD, Ordering::SeqCst);
    loop {
        schedule();
    }
}

/// Forgets a dead task whose stack nobody runs on any more.
pub(crate) fn bury(id: TaskId) {
    let Some(task) = TASKS.lock().remove(&id) else {
        return;
    };
    alarm::end(&task.0);
    let stack = task.0.sched.stack.lock().take();
    if let Some(stack) = stack.and_then(|s| s.downcast::<Stack>().ok()) {
        let mut stacks = STACKS.lock();
        if stacks.len() < KEEP_STACKS {
            stacks.push(*stack);
        }
    }
}

/// All tasks, by number.
pub(crate) fn all() -> Vec<TaskRef> {
    TASKS.lock().values().cloned().collect()
}

/// All tasks, as lists show them.
pub(crate) fn list() -> Vec<TaskInfo> {
    let tasks = all();
    let info = |t: &TaskRef| {
        let sched = &t.0.sched;
        TaskInfo {
            id: t.id().0,
            name: t.name().into(),
            state: ["running", "ready", "parked", "dead"]
                .get(usize::from(sched.state.load(Ordering::Relaxed)))
                .copied()
                .unwrap_or("?"),
            cpu: sched.cpu.load(Ordering::Relaxed),
            priority: sched.priority,
            cpu_time: t.0.cpu_time.load(Ordering::Relaxed),
            switches: sched.switches.load(Ordering::Relaxed),
            stack: sched.stack_range.1 - sched.stack_range.0,
            holds: t.0.ledger.len(),
        }
    };
    tasks.iter().map(info).collect()
}
