//! What is done about a cell that faults: a fresh instance, the last good
//! version, a few more tries with growing pauses, then nothing until it was calm.
//!
//! A cell that is given up serves on: its faults end the calls they hit, which is
//! better than nobody behind its port. So there is no boot loop, and no statement
//! that faults whenever it is run takes the executor away from all others.

use captain_port::{Action, Past};

const MS: u64 = 1_000_000;

/// A cell that did not fault for so long starts with a clean past.
pub const CALM: u64 = 10_000 * MS;

/// What is done at each strike: how long to wait, and whether to take the last
/// good version. Beyond its end the cell is given up.
const LADDER: [(u64, bool); 6] = [
    (0, false),
    (0, true),
    (100 * MS, true),
    (400 * MS, false),
    (1600 * MS, true),
    (3200 * MS, false),
];

/// What to do about a fault of `cell` at `now`, and its past from then on.
#[must_use]
pub fn judge(cell: &str, past: Past, now: u64) -> (Action, Past) {
    if matches!(cell, "" | "?" | "nano_core") {
        return (Action::Leave, past);
    }
    let calm = past.last == 0 || now.saturating_sub(past.last) >= CALM;
    let strikes = if calm { 0 } else { past.strikes };
    let next = Past {
        strikes: strikes.saturating_add(1),
        last: now,
        given_up: strikes as usize >= LADDER.len(),
    };
    match LADDER.get(strikes as usize) {
        Some((after, doubtful)) => {
            let action = Action::Replace {
                after: *after,
                doubtful: *doubtful,
            };
            (action, next)
        }
        None => {
            let next = Past { strikes, ..next };
            (Action::GiveUp, next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_goes_on_faulting_is_given_up() {
        let mut past = Past::default();
        let mut now = 1000 * MS;
        let mut waits = Vec::new();
        for _ in 0..LADDER.len() {
            let (action, next) = judge("pg_heap", past, now);
            let Action::Replace { after, doubtful } = action else {
                panic!("{action:?}");
            };
            waits.push((after, doubtful));
            past = next;
            now += after + MS;
        }
        assert_eq!(waits[0], (0, false), "first a fresh instance, at once");
        assert!(waits[1].1, "then the last good version");
        assert!(waits.is_sorted_by_key(|w| w.0), "with growing pauses");
        for _ in 0..100 {
            now += MS;
            let (action, next) = judge("pg_heap", past, now);
            assert_eq!(action, Action::GiveUp);
            assert!(next.given_up);
            past = next;
        }
    }

    #[test]
    fn calm_wipes_the_slate() {
        let past = Past {
            strikes: 6,
            last: 5 * MS,
            given_up: true,
        };
        let (action, next) = judge("net", past, 5 * MS + CALM);
        assert!(matches!(action, Action::Replace { after: 0, .. }));
        assert_eq!((next.strikes, next.given_up), (1, false));
    }

    #[test]
    fn what_is_no_cell_is_left() {
        for name in ["", "?", "nano_core"] {
            assert_eq!(judge(name, Past::default(), 1).0, Action::Leave);
        }
    }
}
