//! The read-write latch of pages: a word of state and a queue of sleepers. It
//! protects no value of its own, so that a handle can carry it without a
//! borrow; the handle types of the buffer pool make it safe to use.

use crate::WaitQueue;
use crate::atomic::{AtomicU32, Ordering};

const WRITER: u32 = 1 << 31;
const WRITER_WAITS: u32 = 1 << 30;
const READERS: u32 = WRITER_WAITS - 1;

/// Many readers or one writer. A waiting writer keeps new readers out, so that
/// it is not starved; a task must therefore not read-latch twice.
#[derive(Debug, Default)]
pub struct RwLatch {
    state: AtomicU32,
    queue: WaitQueue,
}

impl RwLatch {
    /// A free latch.
    #[must_use]
    pub const fn new() -> Self {
        RwLatch {
            state: AtomicU32::new(0),
            queue: WaitQueue::new(),
        }
    }

    /// Whether somebody has it, for people and tests.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.state.load(Ordering::Relaxed) & (WRITER | READERS) != 0
    }

    /// Takes the latch for reading if no writer has it or waits for it.
    #[inline]
    pub fn try_read(&self) -> bool {
        task_port::interleave();
        let mut state = self.state.load(Ordering::Relaxed);
        while state & (WRITER | WRITER_WAITS) == 0 {
            match self.state.compare_exchange_weak(
                state,
                state + 1,
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Waits until it is free for reading.
    #[inline]
    pub fn read(&self) {
        if !self.try_read() {
            self.queue.wait_until(|| self.try_read().then_some(()));
        }
    }

    /// Takes the latch for writing if it is free.
    #[inline]
    pub fn try_write(&self) -> bool {
        task_port::interleave();
        let state = self.state.load(Ordering::Relaxed);
        state & (WRITER | READERS) == 0
            && self
                .state
                .compare_exchange(state, WRITER, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
    }

    /// Waits until it is free for writing.
    #[inline]
    pub fn write(&self) {
        if !self.try_write() {
            self.queue.wait_until(|| {
                if self.try_write() {
                    return Some(());
                }
                self.state.fetch_or(WRITER_WAITS, Ordering::SeqCst);
                // The holder may have left between the two.
                self.try_write().then_some(())
            });
        }
    }

    /// Gives back a read latch.
    #[inline]
    pub fn unread(&self) {
        let before = self.state.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(before & READERS > 0);
        // Readers wait for writers only; a writer says that it waits.
        if before & (READERS | WRITER_WAITS) == WRITER_WAITS | 1 {
            self.queue.wake_all();
        }
        task_port::interleave();
    }

    /// Gives back the write latch.
    #[inline]
    pub fn unwrite(&self) {
        let before = self.state.swap(0, Ordering::SeqCst);
        debug_assert!(before & WRITER != 0);
        self.queue.wake_all();
        task_port::interleave();
    }

    /// Turns the caller's read latch into the write latch if nobody else reads.
    #[inline]
    pub fn try_upgrade(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state & READERS == 1
            && self
                .state
                .compare_exchange(
                    state,
                    WRITER | (state & WRITER_WAITS),
                    Ordering::SeqCst,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Turns the caller's write latch into a read latch.
    #[inline]
    pub fn downgrade(&self) {
        let before = self.state.swap(1, Ordering::SeqCst);
        debug_assert!(before & WRITER != 0);
        self.queue.wake_all();
    }

    /// Whether anyone holds it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state.load(Ordering::SeqCst) & (WRITER | READERS) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU64;
    use std::sync::Arc;

    #[test]
    fn readers_never_see_a_half_done_write() {
        let shared = Arc::new((RwLatch::new(), AtomicU64::new(0), AtomicU64::new(0)));
        let mut threads = std::vec::Vec::new();
        for writer in [true, true, false, false] {
            let shared = Arc::clone(&shared);
            threads.push(std::thread::spawn(move || {
                let (latch, a, b) = &*shared;
                for _ in 0..5_000 {
                    if writer {
                        latch.write();
                        a.fetch_add(1, Ordering::Relaxed);
                        b.fetch_add(1, Ordering::Relaxed);
                        latch.unwrite();
                    } else {
                        latch.read();
                        assert_eq!(a.load(Ordering::Relaxed), b.load(Ordering::Relaxed));
                        latch.unread();
                    }
                }
            }));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.1.load(Ordering::Relaxed), 10_000);
        assert!(!shared.0.is_held());
    }
}
