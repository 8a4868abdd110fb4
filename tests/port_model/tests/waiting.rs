//! Models of what the port waits with: no wake-up is lost.

use loom::cell::UnsafeCell;
use port_model::channel::{Receiver, Sender, bounded};
use port_model::{Completion, Mutex, RwLatch, WaitQueue, advance_clock, check, spawn};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// A value that only the holder of a lock may touch: the checker complains if
/// two tasks do at once. Each access is a step of its own.
#[derive(Default)]
struct Guarded {
    memory: UnsafeCell<()>,
    writers: AtomicUsize,
}

// SAFETY: the checker runs one task at a time and watches the accesses.
unsafe impl Sync for Guarded {}
// SAFETY: as above.
unsafe impl Send for Guarded {}

/// Things to take one by one.
type Units = port_model::atomic::AtomicUsize;

fn take(units: &Units) -> Option<()> {
    let taken = units.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1));
    taken.ok().map(drop)
}

impl Guarded {
    fn write(&self) {
        self.memory.with_mut(|_| ());
        self.writers.fetch_add(1, Relaxed);
    }
    fn read(&self) {
        self.memory.with(|_| ());
    }
}

#[test]
fn a_completion_wakes_all_who_wait_for_it() {
    check(4, || {
        let done = Completion::new();
        let waiters: Vec<_> = (0..2)
            .map(|cpu| {
                let done = done.clone();
                spawn(cpu, move || done.wait())
            })
            .collect();
        done.complete(7);
        waiters
            .into_iter()
            .for_each(|w| assert_eq!(w.join().unwrap(), 7));
    });
}

#[test]
fn a_wait_with_a_deadline_ends_by_the_one_or_the_other() {
    check(4, || {
        let done = Completion::new();
        let waiter = {
            let done = done.clone();
            spawn(1, move || done.wait_deadline(5))
        };
        let clock = spawn(0, || advance_clock(5));
        done.complete(7);
        let _ = waiter.join().unwrap();
        clock.join().unwrap();
        assert_eq!(done.poll(), Some(7));
    });
}

#[test]
fn a_mutex_has_one_holder_and_forgets_nobody() {
    check(3, || {
        let shared = Arc::new((Mutex::new(()), Guarded::default()));
        let tasks: Vec<_> = (0..2)
            .map(|cpu| {
                let shared = Arc::clone(&shared);
                spawn(cpu, move || {
                    let _held = shared.0.lock();
                    shared.1.write();
                })
            })
            .collect();
        {
            let _held = shared.0.lock();
            shared.1.write();
        }
        tasks.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(shared.1.writers.load(Relaxed), 3);
    });
}

/// One who waits for a unit with a deadline may give up just when it is woken:
/// the unit then goes to the next.
#[test]
fn a_waiter_that_gives_up_does_not_take_the_wake_up_along() {
    check(4, || {
        let shared = Arc::new((WaitQueue::new(), Units::new(0)));
        let hasty = {
            let shared = Arc::clone(&shared);
            spawn(0, move || shared.0.wait_deadline(5, || take(&shared.1)))
        };
        let patient = {
            let shared = Arc::clone(&shared);
            spawn(1, move || shared.0.wait_until(|| take(&shared.1)))
        };
        shared.1.fetch_add(1, SeqCst);
        shared.0.wake_one();
        advance_clock(5);
        if hasty.join().unwrap().is_some() {
            shared.1.fetch_add(1, SeqCst);
            shared.0.wake_one();
        }
        patient.join().unwrap();
    });
}

/// One who finds a unit just as it queues up may still be in the queue when the
/// next unit is announced. The announcement is for the one behind it.
#[test]
fn a_waiter_that_needs_no_wake_up_passes_it_on() {
    check(4, || {
        let shared = Arc::new((WaitQueue::new(), Units::new(0)));
        let takers: Vec<_> = (0..2)
            .map(|cpu| {
                let shared = Arc::clone(&shared);
                spawn(cpu, move || shared.0.wait_until(|| take(&shared.1)))
            })
            .collect();
        for _ in 0..2 {
            shared.1.fetch_add(1, SeqCst);
            shared.0.wake_one();
        }
        takers.into_iter().for_each(|t| t.join().unwrap());
    });
}

#[test]
fn a_full_channel_forgets_no_sender() {
    check(2, || {
        let (tx, rx): (Sender<u32>, Receiver<u32>) = bounded(1);
        tx.send(0).unwrap();
        let sender = spawn(1, move || tx.send(1).unwrap());
        assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Some(0), Some(1), None));
        sender.join().unwrap();
    });
}

#[test]
fn a_latch_has_one_writer_or_readers_and_forgets_nobody() {
    check(3, || {
        let shared = Arc::new((RwLatch::new(), Guarded::default()));
        let writer = {
            let shared = Arc::clone(&shared);
            spawn(0, move || {
                shared.0.write();
                shared.1.write();
                shared.0.unwrite();
            })
        };
        let reader = {
            let shared = Arc::clone(&shared);
            spawn(1, move || {
                shared.0.read();
                shared.1.read();
                shared.0.unread();
            })
        };
        shared.0.write();
        shared.1.write();
        shared.0.downgrade();
        shared.1.read();
        shared.0.unread();
        writer.join().unwrap();
        reader.join().unwrap();
        assert!(!shared.0.is_held() && shared.0.try_read());
    });
}

#[test]
fn readers_that_upgrade_or_leave_let_a_waiting_writer_in() {
    check(3, || {
        let shared = Arc::new((RwLatch::new(), Guarded::default()));
        shared.0.read();
        let tasks: Vec<_> = (0..2)
            .map(|cpu| {
                let shared = Arc::clone(&shared);
                spawn(cpu, move || {
                    shared.0.write();
                    shared.1.write();
                    shared.0.unwrite();
                })
            })
            .collect();
        if shared.0.try_upgrade() {
            shared.1.write();
            shared.0.unwrite();
        } else {
            shared.1.read();
            shared.0.unread();
        }
        tasks.into_iter().for_each(|t| t.join().unwrap());
        assert!(shared.0.try_read());
    });
}
