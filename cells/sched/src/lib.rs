//! The scheduler's policy: the most urgent first; a woken task goes where its data
//! is, if that CPU is free or is the one that wakes it, else to any that is free.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use port::{Birth, BirthError, Component, CrashKind};
use sched_port::{Choice, NOBODY, POLICY, Policy, SLICE_NS, URGENCIES};

/// The cell's description.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&sched_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide_leaf(&POLICY, Box::new(Urgency) as Box<dyn Policy>);
    Ok(())
}

struct Urgency;

impl Component for Urgency {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Policy for Urgency {
    fn next(&self, waiting: &[usize; URGENCIES], least: usize) -> usize {
        let mut urgencies = (least..URGENCIES).rev();
        urgencies
            .find(|urgency| waiting[*urgency] > 0)
            .unwrap_or(NOBODY)
    }

    fn place(&self, choice: &Choice) -> usize {
        if choice.last == choice.here || choice.is_idle(choice.last) {
            return choice.last;
        }
        let free = (0..choice.cpus).find(|cpu| choice.is_idle(*cpu));
        free.unwrap_or(choice.last)
    }

    fn slice(&self) -> u64 {
        SLICE_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_goes_first_and_none_below_the_least() {
        assert_eq!(Urgency.next(&[3, 1, 0], 0), 1);
        assert_eq!(Urgency.next(&[3, 0, 0], 1), NOBODY);
        assert_eq!(Urgency.next(&[0, 0, 2], 2), 2);
    }

    #[test]
    fn a_task_stays_near_its_data_unless_another_cpu_is_free() {
        let choice = Choice {
            last: 1,
            here: 0,
            cpus: 4,
            idle: 0b1010,
        };
        assert_eq!(Urgency.place(&choice), 1);
        assert_eq!(
            Urgency.place(&Choice {
                idle: 0b1000,
                ..choice
            }),
            3
        );
        assert_eq!(Urgency.place(&Choice { idle: 0, ..choice }), 1);
    }
}
