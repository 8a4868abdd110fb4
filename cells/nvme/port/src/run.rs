//! The loops around the driver: they wait for interrupts outside the cell and
//! enter it for a moment on each round, so that a swap never waits for them.

use crate::{DISK, Look};
use alloc::format;
use alloc::vec::Vec;
use task_port::{Priority, SpawnError, SpawnOptions, TaskRef};

/// How long a loop waits before it looks whether a driver is there again.
const ABSENT_NS: u64 = 5_000_000;
/// How often a shutdown looks whether the device is done.
const SHUTDOWN_NS: u64 = 1_000_000;

/// Looks after queue `queue` of whatever driver stands behind the port: returns
/// only when the driver has no such queue.
pub fn run(queue: usize) {
    loop {
        match task_port::gate(|| DISK.enter().map(|disk| disk.poll_queue(queue))) {
            Ok(Ok(Some(Look { line, seen, again }))) => {
                line.wait_deadline(seen, again);
            }
            Ok(Ok(None)) => return,
            Ok(Err(_)) => task_port::sleep(ABSENT_NS),
            Err(fault) => {
                log::error!("nvme: queue {queue}: {}", fault.message);
                task_port::sleep(ABSENT_NS);
            }
        }
    }
}

/// Starts a task for each queue of the driver, on the queue's CPU.
///
/// # Errors
/// When there is no memory for a task.
pub fn start_loops() -> Result<Vec<TaskRef>, SpawnError> {
    let queues = DISK.enter().map_or(0, |disk| disk.queues());
    let cpus = cpu::count().max(1);
    let start = |queue: usize| {
        let options = SpawnOptions::new(&format!("nvme {queue}"))
            .priority(Priority::High)
            .pinned(queue % cpus);
        task_port::spawn(options, move || run(queue))
    };
    (0..queues).map(start).collect()
}

/// Tells the device that power will go, after the last request has completed.
/// Blocks until it is ready for that or the clock shows `deadline` (ns); says
/// which of the two.
#[must_use]
pub fn shut_down(deadline: u64) -> bool {
    loop {
        if DISK.enter().is_ok_and(|disk| disk.shut_down()) {
            return true;
        }
        if task_port::now() >= deadline {
            return false;
        }
        task_port::sleep(SHUTDOWN_NS);
    }
}
