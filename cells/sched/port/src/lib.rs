//! The scheduler's policy as the cell `task` sees it. It is asked with interrupts
//! off, so its door is a [`Leaf`].
//!
//! `task` owns queues, switches and timers; it asks whom to run, where and for how
//! long, and checks the answer. With nobody behind the door the answers are: the
//! most urgent, where it ran last, [`SLICE_NS`].
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

use port::{Component, Door, Leaf, Moves, NO_ANSWER};

/// The door of the policy.
pub static POLICY: Leaf<dyn Policy> = Leaf::new("sched");
/// The same, without its type.
pub static DOOR: &dyn Door = &POLICY;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: Moves = Moves::doors_only();

/// How long a task runs while others of its urgency wait, unless the policy says
/// otherwise.
pub const SLICE_NS: u64 = 5_000_000;

/// Urgencies, least first: background, normal, high.
pub const URGENCIES: usize = 3;

/// Where a woken task could go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The CPU it ran on last.
    pub last: usize,
    /// The CPU that wakes it.
    pub here: usize,
    /// How many CPUs there are.
    pub cpus: usize,
    /// Which of them have nothing to do: bit by number.
    pub idle: u64,
}

impl Choice {
    /// Whether that CPU has nothing to do.
    #[must_use]
    pub fn is_idle(&self, cpu: usize) -> bool {
        self.idle >> cpu & 1 == 1
    }
}

/// The urgency of nobody: the running task goes on.
pub const NOBODY: usize = URGENCIES;

/// The policy. Called with interrupts off.
pub trait Policy: Component {
    /// Of which urgency, at least `least`, the next task is, given how many wait
    /// of each; [`NOBODY`] for none.
    fn next(&self, waiting: &[usize; URGENCIES], least: usize) -> usize;
    /// The CPU that a woken task goes to.
    fn place(&self, choice: &Choice) -> usize;
    /// How long (ns) a task runs while others of its urgency wait.
    fn slice(&self) -> u64;
}

/// The urgency of the task to run next; one of which tasks wait, at least `least`.
#[must_use]
pub fn next(waiting: [usize; URGENCIES], least: usize) -> Option<usize> {
    let fits = |urgency: &usize| *urgency >= least && waiting.get(*urgency).is_some_and(|n| *n > 0);
    let asked = POLICY.with(|policy| policy.map(|policy| policy.next(&waiting, least)));
    match asked {
        Some(NOBODY) => None,
        Some(urgency) if fits(&urgency) => Some(urgency),
        _ => (0..URGENCIES).rev().find(fits),
    }
}

/// The CPU that a woken task goes to.
#[must_use]
pub fn place(choice: &Choice) -> usize {
    let asked = POLICY.with(|policy| policy.map(|policy| policy.place(choice)));
    asked
        .filter(|cpu| *cpu < choice.cpus)
        .unwrap_or(choice.last)
}

/// How long (ns) a task runs while others of its urgency wait: from 0.1 ms to a
/// second.
#[must_use]
pub fn slice() -> u64 {
    let asked = POLICY.with(|policy| policy.map(|policy| policy.slice()));
    let asked = asked.filter(|ns| *ns != NO_ANSWER);
    asked.map_or(SLICE_NS, |ns| ns.clamp(100_000, 1_000_000_000))
}
