//! The captain as others see it: who is told of faults, what becomes of a cell
//! that faults, how the system ends.
//!
//! The loop that acts on faults is here, and so is all that it remembers; what is
//! to be done is asked of the cell behind the port, which can be replaced like any
//! other. While nobody is behind it, a faulty cell is replaced by a fresh instance.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(mitos)]
mod reclaimer;
#[cfg(mitos)]
mod repairs;
#[cfg(mitos)]
mod watch;

#[cfg(mitos)]
pub use repairs::{Repair, faults, repairs};
#[cfg(mitos)]
pub use watch::{install, past, start};

use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use port::{Component, Door, Port};
use sync::SpinLock;
use task_port::Fault;

/// The door of the captain.
pub static CAPTAIN: Port<dyn Captain> = Port::new("captain");
/// The same, without its type.
pub static DOOR: &dyn Door = &CAPTAIN;

/// What happened to a cell lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Past {
    /// Replacements after faults, since it was calm for the last time.
    pub strikes: u32,
    /// Its last fault (ns); 0 for none.
    pub last: u64,
    /// Nothing is done about it any more until it was calm for a while.
    pub given_up: bool,
}

/// What to do about a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing: there is nothing to replace, or it does not help.
    Leave,
    /// Replace the cell by a fresh instance, or by its predecessor if it is on
    /// probation; after so many nanoseconds.
    Replace {
        /// How long to wait first.
        after: u64,
        /// Take the last good version rather than the present one.
        doubtful: bool,
    },
    /// Stop replacing it: it serves on as it is, each fault ending the call it
    /// hits.
    GiveUp,
}

/// The captain.
pub trait Captain: Component {
    /// What to do about a fault of a cell with that past, and its past from then
    /// on.
    fn judge(&self, fault: &Fault, past: Past, now: u64) -> (Action, Past);
    /// Ends what must not just be cut off.
    fn shut_down(&self, duties: &[Duty]);
    /// Looks for damage on the disk, while it is worked on. Takes as long as
    /// reading all of it.
    ///
    /// # Errors
    /// What was found, or why it could not be looked for.
    fn check(&self) -> Result<String, String>;
    /// What the database holds and has done, by name.
    fn counters(&self) -> Vec<(String, u64)>;
    /// What clients were served.
    fn pulse(&self) -> Pulse;
    /// Cells that serve and yet are not well, each with a few words.
    fn conditions(&self) -> Vec<(String, String)>;
}

/// What clients were served since the start, for those who watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pulse {
    /// Transactions that have committed.
    pub commits: u64,
    /// Transactions that have not.
    pub rollbacks: u64,
    /// Questions that were answered.
    pub exchanges: u64,
    /// What they took together (ns).
    pub time: u64,
    /// What the longest took since this was asked last (ns).
    pub longest: u64,
}

/// What must be ended before the power goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// The disk, which holds on to writes.
    Disk,
    /// The database, which makes a last checkpoint.
    Database,
}

static DUTIES: SpinLock<Vec<Duty>> = SpinLock::new(Vec::new());
static BOOTED: AtomicBool = AtomicBool::new(false);

/// Adds something to be ended; the latest comes first.
pub fn at_stop(duty: Duty) {
    DUTIES.lock().push(duty);
}

/// Ends all of it, once. Blocks.
pub fn shut_down() {
    let mut duties = core::mem::take(&mut *DUTIES.lock());
    duties.reverse();
    match task_port::gate(|| CAPTAIN.enter().map(|captain| captain.shut_down(&duties))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!("no orderly end: {error}"),
        Err(fault) => log::warn!("no orderly end: {}", fault.message),
    }
}

/// Says that the system boots; false when it was said before.
pub fn boots() -> bool {
    !BOOTED.swap(true, Ordering::SeqCst)
}
