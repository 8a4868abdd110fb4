//! Requests done by a thread, in an order chosen by seed.

use crate::Random;
use nvme_port::Request;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The requests that wait.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Vec<Request>>,
    some: Condvar,
}

impl Queue {
    /// Starts the thread; it ends when nobody else knows the queue.
    pub(crate) fn start(seed: u64, perform: impl Fn(Request) + Send + 'static) -> Arc<Self> {
        let queue = Arc::new(Queue {
            waiting: Mutex::new(Vec::new()),
            some: Condvar::new(),
        });
        let mine = Arc::downgrade(&queue);
        std::thread::spawn(move || {
            let mut random = Random::new(seed);
            while let Some(queue) = mine.upgrade() {
                if let Some(request) = queue.pick(&mut random) {
                    perform(request);
                }
            }
        });
        queue
    }

    /// Starts a thread that takes everything, waits, and does it.
    pub(crate) fn start_slow(
        latency: std::time::Duration,
        perform: impl Fn(Request) + Send + 'static,
    ) -> Arc<Self> {
        let queue = Arc::new(Queue {
            waiting: Mutex::new(Vec::new()),
            some: Condvar::new(),
        });
        let mine = Arc::downgrade(&queue);
        std::thread::spawn(move || {
            while let Some(queue) = mine.upgrade() {
                let all = core::mem::take(&mut *queue.some());
                if !all.is_empty() {
                    std::thread::sleep(latency);
                }
                all.into_iter().for_each(&perform);
            }
        });
        queue
    }

    pub(crate) fn push(&self, request: Request) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(request);
        self.some.notify_one();
    }

    /// The requests, once there are any or some time has passed.
    fn some(&self) -> MutexGuard<'_, Vec<Request>> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = std::time::Duration::from_millis(50);
        let (waiting, _) = self
            .some
            .wait_timeout_while(waiting, limit, |w| w.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        waiting
    }

    fn pick(&self, random: &mut Random) -> Option<Request> {
        let mut waiting = self.some();
        if waiting.is_empty() {
            return None;
        }
        let at = random.below(waiting.len() as u64) as usize;
        Some(waiting.swap_remove(at))
    }
}
