//! A task that gives memory back that the heap has and nobody uses.

use task_port::{SpawnError, SpawnOptions};

/// How often it looks.
const ROUND_NS: u64 = 1_000_000_000;

/// Starts it, for ever.
///
/// # Errors
/// When there is no memory for a task.
pub fn start() -> Result<(), SpawnError> {
    task_port::spawn(SpawnOptions::new("reclaimer"), || {
        loop {
            task_port::sleep(ROUND_NS);
            memory::heap::reclaim();
        }
    })
    .map(drop)
}
