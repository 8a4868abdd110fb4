//! What the system says of itself: faults and repairs (`cells --repairs`), and what is
//! held (`counters`, `cells`).

use std::collections::BTreeMap;

/// What the system says of faults and repairs.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) faults: u64,
    pub(super) repairs: BTreeMap<String, Times>,
}

/// A repair: when the fault was, and the times since (µs).
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) at: String,
    pub(super) caught: Option<u64>,
    pub(super) served: Option<u64>,
    pub(super) replaced: Option<u64>,
}

impl State {
    /// The answer of `cells --repairs`.
    pub(super) fn read(answer: &str) -> Option<Self> {
        let mut lines = answer.lines();
        let faults = lines.next()?.strip_prefix("faults ")?.parse().ok()?;
        let repair = |line: &str| {
            let (cell, rest) = line.split_once(' ')?;
            let words: Vec<&str> = rest.split([' ', ',']).collect();
            let after = |word: &str| {
                let at = words.iter().position(|w| *w == word)?;
                words.get(at + 1).copied()
            };
            let time = |word: &str| after(word)?.parse().ok();
            let times = Times {
                at: after("at")?.to_string(),
                caught: time("caught"),
                served: time("served"),
                replaced: time("replaced"),
            };
            Some((cell.to_string(), times))
        };
        Some(Self {
            faults,
            repairs: lines.filter_map(repair).collect(),
        })
    }

    /// The repair of this cell that `before` does not know.
    pub(super) fn repair_since(&self, cell: &str, before: &Self) -> Option<&Times> {
        let earlier = before.repairs.get(cell).map(|times| &times.at);
        let repair = self.repairs.get(cell)?;
        (Some(&repair.at) != earlier).then_some(repair)
    }

    /// Whether every one of these cells that faulted since `before` has been replaced.
    pub(super) fn is_mended_since(&self, before: &Self, cells: &[String]) -> bool {
        let cells = cells.iter();
        let mut fresh = cells.filter_map(|cell| self.repair_since(cell, before));
        fresh.all(|repair| repair.replaced.is_some())
    }
}

/// What `counters` and `cells` say is held, but for nothing.
pub(super) fn held(counters: &str, cells: &str) -> Vec<(u64, String)> {
    const NAMES: [&str; 11] = [
        "pool.pins",
        "pool.latched",
        "pool.claimed",
        "disk.in_flight",
        "disk.waiting",
        "txn.open",
        "txn.locks",
        "txn.running",
        "txn.waiting",
        "txn.row_holders",
        "txn.predicate_locks",
    ];
    let counted = counters.lines().filter_map(|line| {
        let (name, count) = line.split_once(' ')?;
        let count = count.parse().ok()?;
        NAMES.contains(&name).then(|| (count, name.to_string()))
    });
    // The command itself is a call in the shell, from the console's loop.
    let calls = cells.lines().filter_map(|line| {
        let cell = line.split_whitespace().next()?;
        let (_, rest) = line.split_once("in flight ")?;
        let count = rest.split_whitespace().next()?.parse().ok()?;
        let own = ["shell", "console", "captain", "swap"].contains(&cell);
        (!own).then(|| (count, format!("calls in {cell}")))
    });
    counted
        .chain(calls)
        .filter(|(count, _)| *count > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_are_read() {
        let answer = "faults 3\npg_wal           Panic at 12.345678 s, caught 300 us, \
                      served 900 us, replaced -, gave back 2, torn 0\n";
        let state = State::read(answer).unwrap();
        let repair = &state.repairs["pg_wal"];
        assert_eq!((state.faults, repair.at.as_str()), (3, "12.345678"));
        assert_eq!((repair.caught, repair.served), (Some(300), Some(900)));
        assert_eq!(repair.replaced, None);
        let cells = ["net".to_string(), "pg_wal".to_string()];
        assert!(!state.is_mended_since(&State::default(), &cells));
        assert!(state.is_mended_since(&State::default(), &cells[..1]));
        assert!(state.is_mended_since(&state, &cells));
        assert!(state.repair_since("pg_wal", &State::default()).is_some());
        assert!(state.repair_since("net", &State::default()).is_none());
        assert!(State::read("nonsense").is_none());
    }

    #[test]
    fn what_is_held_is_named() {
        let cells = "pg_wal 0.1.0 generation 2 9 KiB  in flight 3    swaps 1 faults 2\n\
                     shell  0.1.0 generation 1 9 KiB  in flight 1    swaps 0 faults 0\n";
        let held = held("pool.pins 2\npool.reads 9\ntxn.locks 0\n", cells);
        let wanted = [
            (2, "pool.pins".to_string()),
            (3, "calls in pg_wal".to_string()),
        ];
        assert_eq!(held, wanted);
    }
}
