//! A bound on the number of guests, across test programs: locked files.

use std::fs::File;
use std::time::{Duration, Instant};

use mitos::paths::Paths;

/// So many guests run at once.
pub const MAX_GUESTS: usize = 2;
/// A test waits this long for its turn.
const TURN: Duration = Duration::from_secs(1800);

/// The right to run one guest.
pub struct Slot {
    _lock: File,
}

impl Slot {
    /// Waits for a free slot.
    ///
    /// # Errors
    /// When the slots' folder cannot be written.
    pub fn take(paths: &Paths) -> std::io::Result<Self> {
        std::fs::create_dir_all(paths.run())?;
        let deadline = Instant::now() + TURN;
        loop {
            for number in 0..MAX_GUESTS {
                let lock = File::create(paths.run().join(format!("slot-{number}")))?;
                if lock.try_lock().is_ok() {
                    return Ok(Self { _lock: lock });
                }
            }
            assert!(Instant::now() < deadline, "no turn for a guest in {TURN:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
