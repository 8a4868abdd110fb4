//! Tasks that wait for a condition.

use crate::IrqLock;
use crate::atomic::{AtomicUsize, Ordering, fence};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use task_port::TaskRef;

/// Tasks that wait until a condition holds. Whoever makes the condition true
/// wakes them; may be done from an interrupt handler.
#[derive(Debug, Default)]
pub struct WaitQueue {
    /// How many wait, so that waking nobody costs one load.
    waiting: AtomicUsize,
    tasks: IrqLock<VecDeque<TaskRef>>,
}

impl WaitQueue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        WaitQueue {
            waiting: AtomicUsize::new(0),
            tasks: IrqLock::new(VecDeque::new()),
        }
    }

    fn enqueue(&self, me: &TaskRef) {
        let mut tasks = self.tasks.lock();
        tasks.push_back(me.clone());
        self.waiting.store(tasks.len(), Ordering::SeqCst);
    }

    fn remove(&self, me: &TaskRef) {
        let mut tasks = self.tasks.lock();
        let id = me.id();
        if let Some(at) = tasks.iter().position(|t| t.id() == id) {
            tasks.remove(at);
            self.waiting.store(tasks.len(), Ordering::SeqCst);
        }
    }

    /// Blocks until `condition` gives a value. It is called with no lock held,
    /// at least once, and again after each wake.
    pub fn wait_until<R>(&self, mut condition: impl FnMut() -> Option<R>) -> R {
        loop {
            if let Some(value) = condition() {
                return value;
            }
            let me = task_port::current();
            self.enqueue(&me);
            // Once more: it may have come true before we stood in the queue.
            if let Some(value) = condition() {
                self.remove(&me);
                return value;
            }
            task_port::park();
            self.remove(&me);
        }
    }

    /// The same, but gives up with `None` once the clock shows `deadline`
    /// (nanoseconds as [`task_port::now`] counts them).
    pub fn wait_deadline<R>(
        &self,
        deadline: u64,
        mut condition: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        loop {
            if let Some(value) = condition() {
                return Some(value);
            }
            if task_port::now() >= deadline {
                return None;
            }
            let me = task_port::current();
            self.enqueue(&me);
            if let Some(value) = condition() {
                self.remove(&me);
                return Some(value);
            }
            task_port::park_until(deadline);
            self.remove(&me);
        }
    }

    /// Wakes the task that has waited longest.
    pub fn wake_one(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let task = {
            let mut tasks = self.tasks.lock();
            let task = tasks.pop_front();
            self.waiting.store(tasks.len(), Ordering::SeqCst);
            task
        };
        if let Some(task) = task {
            task.unpark();
        }
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let tasks: Vec<TaskRef> = {
            let mut tasks = self.tasks.lock();
            self.waiting.store(0, Ordering::SeqCst);
            tasks.drain(..).collect()
        };
        for task in tasks {
            task.unpark();
        }
    }

    /// How many tasks wait now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
