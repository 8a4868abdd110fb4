//! The pause of a swap: the moment at which the doors are closed, and where the time
//! goes until they are open.
//!
//! Calls into doors with state are short, so most moments find nobody inside. One of
//! those is waited for with the doors open, and then nobody has to be waited for with
//! the doors closed. From there on this task keeps its CPU.

use crate::steps::close_and_drain;
use crate::transaction::DRAIN_NS;
use cpu::PreemptGuard;
use port::SwapError;
use swap_port::{Passage, Steps, SwapFailure};

/// How long a look at the open doors lasts: longer than most calls.
const LOOK_NS: u64 = 200_000;
/// How long a look at closed ones lasts. Who is inside longer waits for a CPU, perhaps
/// for this one.
const GLANCE_NS: u64 = 60_000;

/// Looks until nobody is inside, or the clock shows `until` (ns), each time with this
/// task's time slice just begun. Gives the time it took.
pub(crate) fn lull(closing: &[Passage], until: u64) -> u64 {
    let started = task_port::now();
    if closing.is_empty() {
        return 0;
    }
    loop {
        // Who is inside may wait for this CPU.
        task_port::yield_now();
        if are_left(closing, LOOK_NS) || task_port::now() >= until {
            return task_port::now() - started;
        }
    }
}

/// Whether everybody leaves within `patience` (ns), without giving the CPU away.
fn are_left(closing: &[Passage], patience: u64) -> bool {
    let until = task_port::now() + patience;
    loop {
        if closing.iter().all(|p| p.serving().inside() == 0) {
            return true;
        }
        if task_port::now() >= until {
            return false;
        }
        cpu::relax();
    }
}

/// Somebody is inside.
fn busy(closing: &[Passage]) -> SwapFailure {
    let inside = closing.iter().find(|p| p.serving().inside() > 0);
    SwapFailure::Port(SwapError::Busy {
        port: inside.map_or("", |p| p.serving().name()),
        inflight: inside.map_or(0, |p| p.serving().inside()),
    })
}

/// The pause under way.
pub(crate) struct Pause<'a> {
    steps: &'a mut Steps,
    /// When it began (ns).
    pub(crate) started: u64,
    /// When its last step ended (ns).
    last: u64,
    /// What the states are handed over to is staged already.
    pub(crate) ahead: bool,
    /// It is not tried again.
    last_try: bool,
    stay: Option<PreemptGuard>,
}

impl<'a> Pause<'a> {
    pub(crate) fn begin(steps: &'a mut Steps, ahead: bool, last_try: bool) -> Self {
        // Where nothing is left to do but to flip, others may not come in between.
        let stay = ahead.then(PreemptGuard::new);
        let started = task_port::now();
        Pause {
            steps,
            started,
            last: started,
            ahead,
            last_try,
            stay,
        }
    }

    /// The time since the last step.
    fn lap(&mut self) -> u64 {
        let before = core::mem::replace(&mut self.last, task_port::now());
        self.last - before
    }

    /// Closes the doors and waits until those inside have left: for a moment, with this
    /// task's CPU; if it is not tried again also for long, without it.
    pub(crate) fn close_and_drain(&mut self, closing: &[Passage]) -> Result<(), SwapFailure> {
        let drained = self.glance(closing).unwrap_or_else(|| self.wait(closing));
        self.steps.drain = self.lap();
        drained
    }

    /// All doors at once: everybody leaves, or it is tried again; none where they have
    /// to be waited for.
    fn glance(&self, closing: &[Passage]) -> Option<Result<(), SwapFailure>> {
        self.stay.as_ref()?;
        closing.iter().for_each(|passage| passage.serving().close());
        if are_left(closing, GLANCE_NS) {
            return Some(Ok(()));
        }
        let failure = busy(closing);
        // Who is inside one of them may have to pass the next.
        closing.iter().for_each(|passage| passage.serving().open());
        (!self.last_try).then_some(Err(failure))
    }

    fn wait(&mut self, closing: &[Passage]) -> Result<(), SwapFailure> {
        self.stay = None;
        close_and_drain(closing, task_port::now() + DRAIN_NS)?;
        self.stay = self.ahead.then(PreemptGuard::new);
        Ok(())
    }

    /// What was handed over ahead is not what will be used: births may wait.
    pub(crate) fn was_in_vain(&mut self) {
        self.ahead = false;
        self.stay = None;
    }

    pub(crate) fn handed_over(&mut self) {
        self.steps.hand_over = self.lap();
    }

    pub(crate) fn flipped(&mut self) {
        self.steps.flip = self.lap();
    }

    /// The doors are open: gives how long the pause was, and lets others run.
    pub(crate) fn opened(mut self) -> u64 {
        self.steps.open = self.lap();
        self.last - self.started
    }
}
