//! Messages between tasks: many senders, one receiver, bounded.

use crate::atomic::{AtomicUsize, Ordering};
use crate::{SpinLock, WaitQueue};
use alloc::collections::VecDeque;
use alloc::sync::Arc;

struct Shared<T> {
    queue: SpinLock<VecDeque<T>>,
    capacity: usize,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    not_empty: WaitQueue,
    not_full: WaitQueue,
}

/// The sending end. Clone it for more senders.
pub struct Sender<T>(Arc<Shared<T>>);

/// The receiving end.
pub struct Receiver<T>(Arc<Shared<T>>);

/// The other end is gone. Gives back what could not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disconnected<T>(pub T);

/// A channel that holds up to `capacity` messages (at least one).
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        queue: SpinLock::new(VecDeque::new()),
        capacity: capacity.max(1),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
        not_empty: WaitQueue::new(),
        not_full: WaitQueue::new(),
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Sends, waiting for room.
    ///
    /// # Errors
    /// Gives the message back when the receiver is gone.
    pub fn send(&self, message: T) -> Result<(), Disconnected<T>> {
        let shared = &*self.0;
        let mut message = Some(message);
        shared.not_full.wait_until(|| {
            if shared.receivers.load(Ordering::SeqCst) == 0 {
                return Some(());
            }
            let mut queue = shared.queue.lock();
            if queue.len() < shared.capacity {
                queue.extend(message.take());
                return Some(());
            }
            None
        });
        match message {
            Some(message) => Err(Disconnected(message)),
            None => {
                shared.not_empty.wake_one();
                Ok(())
            }
        }
    }
}

impl<T> Receiver<T> {
    /// Receives, waiting for a message. `None` when all senders are gone and
    /// nothing is left.
    #[must_use]
    pub fn recv(&self) -> Option<T> {
        let shared = &*self.0;
        let got = shared.not_empty.wait_until(|| {
            if let Some(message) = shared.queue.lock().pop_front() {
                return Some(Some(message));
            }
            (shared.senders.load(Ordering::SeqCst) == 0).then_some(None)
        });
        // The last sender may have put one in just before it went.
        let got = got.or_else(|| shared.queue.lock().pop_front());
        if got.is_some() {
            shared.not_full.wake_one();
        }
        got
    }

    /// Receives what is there already.
    #[must_use]
    pub fn try_recv(&self) -> Option<T> {
        let got = self.0.queue.lock().pop_front();
        if got.is_some() {
            self.0.not_full.wake_one();
        }
        got
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::SeqCst);
        Sender(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.not_empty.wake_all();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.0.receivers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.not_full.wake_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_in_order_through_a_small_channel() {
        let (tx, rx) = bounded(3);
        let sender = std::thread::spawn(move || (0..10_000u32).for_each(|n| tx.send(n).unwrap()));
        for expected in 0..10_000 {
            assert_eq!(rx.recv(), Some(expected));
        }
        assert_eq!(rx.recv(), None);
        sender.join().unwrap();
    }

    #[test]
    fn sending_to_nobody_gives_the_message_back() {
        let (tx, rx) = bounded(1);
        drop(rx);
        assert_eq!(tx.send(7), Err(Disconnected(7)));
    }
}
