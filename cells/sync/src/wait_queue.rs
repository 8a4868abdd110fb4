//! Tasks that wait for a condition.

use crate::IrqLock;
use crate::atomic::{AtomicUsize, Ordering, fence};
use alloc::collections::VecDeque;
use task_port::TaskRef;

/// Tasks that wait until a condition holds. Whoever makes the condition true
/// wakes them; may be done from an interrupt handler.
#[derive(Debug, Default)]
pub struct WaitQueue {
    /// How many wait, so that waking nobody costs one load.
    waiting: AtomicUsize,
    tasks: IrqLock<VecDeque<TaskRef>>,
}

/// A task's place in a queue, until dropped; also when the condition panics.
struct Place<'a> {
    queue: &'a WaitQueue,
    me: TaskRef,
    /// Whether it slept: a wake-up made it look at the condition again.
    asleep: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Who is woken but has what it wanted already passes the wake-up on: it
        // was for the next in the queue.
        if !self.queue.remove(&self.me) && !self.asleep {
            self.queue.wake_one();
        }
    }
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

    fn enqueue(&self) -> Place<'_> {
        let me = task_port::current();
        let mut tasks = self.tasks.lock();
        tasks.push_back(me.clone());
        self.waiting.store(tasks.len(), Ordering::SeqCst);
        Place {
            queue: self,
            me,
            asleep: false,
        }
    }

    /// Takes a task out; false if it was not in the queue any more.
    fn remove(&self, me: &TaskRef) -> bool {
        let mut tasks = self.tasks.lock();
        let id = me.id();
        let Some(at) = tasks.iter().position(|t| t.id() == id) else {
            return false;
        };
        tasks.remove(at);
        self.waiting.store(tasks.len(), Ordering::SeqCst);
        true
    }

    /// Blocks until `condition` gives a value. It is called with no lock held,
    /// at least once, and again after each wake. If it sleeps itself, it must
    /// look at what is waited for after that.
    pub fn wait_until<R>(&self, mut condition: impl FnMut() -> Option<R>) -> R {
        loop {
            if let Some(value) = condition() {
                return value;
            }
            let mut place = self.enqueue();
            // Once more: it may have come true before we stood in the queue.
            if let Some(value) = condition() {
                return value;
            }
            place.asleep = true;
            task_port::park();
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
            let mut place = self.enqueue();
            if let Some(value) = condition() {
                return Some(value);
            }
            place.asleep = true;
            task_port::park_until(deadline);
        }
    }

    /// Wakes the task that has waited longest.
    #[inline]
    pub fn wake_one(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) != 0 {
            self.wake_first();
        }
    }

    #[inline(never)]
    fn wake_first(&self) {
        let task = self.pop(&mut self.tasks.lock());
        if let Some(task) = task {
            task.unpark();
        }
    }

    fn pop(&self, tasks: &mut VecDeque<TaskRef>) -> Option<TaskRef> {
        let task = tasks.pop_front();
        self.waiting.store(tasks.len(), Ordering::SeqCst);
        task
    }

    /// Wakes all.
    #[inline]
    pub fn wake_all(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) != 0 {
            self.wake_each();
        }
    }

    /// Wakes as many as there are now: those who come back meanwhile stand behind
    /// them. One by one, as that takes no memory.
    #[inline(never)]
    fn wake_each(&self) {
        let mut left = self.waiting.load(Ordering::SeqCst);
        while left > 0 {
            let task = self.pop(&mut self.tasks.lock());
            let Some(task) = task else { return };
            task.unpark();
            left -= 1;
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
