//! Which fault comes next: each follows from the seed and its number alone.
//!
//! Cells take turns, in an order that differs from round to round, so that none faults
//! again while the captain still remembers its last fault. Kinds are drawn; those that
//! cost seconds by nature (the watchdog's) less often than others.

use super::random::Random;

/// Damage, done by `inject`; everything else is a word of `crash`.
pub(super) const DAMAGE: [&str; 5] = ["text", "skip", "data", "word", "state"];
/// The kinds, each with how often it comes.
const KINDS: [(&str, u64); 16] = [
    ("text", 4),
    ("skip", 4),
    ("data", 3),
    ("word", 3),
    ("state", 3),
    ("panic", 2),
    ("null", 2),
    ("wild", 2),
    ("divide", 2),
    ("opcode", 2),
    ("execute", 2),
    ("stack", 2),
    ("relock", 2),
    ("memory", 2),
    ("loop", 1),
    ("wait", 1),
];
/// Cells that run with interrupts off. They are not damaged: a clock that answers
/// wrongly is no fault that anybody could see. And they cannot wait.
const LEAVES: [&str; 2] = ["sched", "time"];

/// Whether a kind damages a place that can be chosen.
pub(super) fn aims(kind: &str) -> bool {
    matches!(kind, "text" | "skip" | "data" | "word")
}

/// What is chosen from.
pub(super) struct Choice {
    seed: u64,
    cells: Vec<String>,
    kinds: Vec<(String, u64)>,
}

impl Choice {
    /// From all kinds, or those that were named.
    pub(super) fn new(seed: u64, cells: Vec<String>, named: &[String]) -> Self {
        let usual = KINDS.iter().map(|(kind, often)| (kind.to_string(), *often));
        let kinds = match named {
            [] => usual.collect(),
            named => named.iter().map(|kind| (kind.clone(), 1)).collect(),
        };
        Self { seed, cells, kinds }
    }

    /// Whether any of the kinds damages a place that can be chosen.
    pub(super) fn aims(&self) -> bool {
        self.kinds.iter().any(|(kind, _)| aims(kind))
    }

    /// Cell and kind of the fault of this number, counted from one, and where its other
    /// numbers come from.
    pub(super) fn of(&self, number: usize) -> (String, String, Random) {
        let (round, turn) = (number / self.cells.len(), number % self.cells.len());
        let cell = &self.order(round as u64)[turn];
        let mut random = Random::new(self.seed ^ (number as u64) << 32);
        let kind = self.kind(cell, &mut random);
        (cell.to_string(), kind, random)
    }

    /// The cells of a round. Who came late in the round before comes late again.
    fn order(&self, round: u64) -> Vec<&String> {
        let mut cells: Vec<&String> = self.cells.iter().collect();
        Random::new(self.seed).shuffle(&mut cells);
        let half = cells.len() / 2;
        let (early, late) = cells.split_at_mut(half);
        let mut random = Random::new(self.seed ^ round.wrapping_add(1) << 20);
        random.shuffle(early);
        random.shuffle(late);
        cells
    }

    fn kind(&self, cell: &str, random: &mut Random) -> String {
        let fits = |kind: &str| !(is_leaf(cell) && (DAMAGE.contains(&kind) || kind == "wait"));
        let fitting: Vec<&(String, u64)> = self.kinds.iter().filter(|(k, _)| fits(k)).collect();
        // With none but kinds that do not fit there is nothing else.
        let among = if fitting.is_empty() {
            self.kinds.iter().collect()
        } else {
            fitting
        };
        let mut left = random.below(among.iter().map(|(_, often)| often).sum());
        for (kind, often) in &among {
            match left.checked_sub(*often) {
                Some(rest) => left = rest,
                None => return kind.clone(),
            }
        }
        among[0].0.clone()
    }
}

fn is_leaf(cell: &str) -> bool {
    LEAVES.contains(&cell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn choice() -> Choice {
        let cells = ["a", "b", "c", "d", "e", "sched"].map(String::from);
        Choice::new(7, cells.to_vec(), &[])
    }

    #[test]
    fn a_seed_and_a_number_decide() {
        let of = |number| {
            let (cell, kind, mut random) = choice().of(number);
            (cell, kind, random.next())
        };
        assert_eq!(of(11), of(11));
        assert_ne!(of(11), of(12));
    }

    #[test]
    fn cells_take_turns() {
        let (choice, mut last) = (choice(), BTreeMap::new());
        for number in 1..=600 {
            let (cell, kind, _) = choice.of(number);
            if let Some(earlier) = last.insert(cell.clone(), number) {
                assert!(number - earlier >= 4, "{cell} at {earlier} and {number}");
            }
            assert!(cell != "sched" || !DAMAGE.contains(&kind.as_str()));
        }
        assert_eq!(last.len(), 6);
        assert!(last.values().all(|number| *number > 590));
    }

    #[test]
    fn every_kind_comes() {
        let choice = choice();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for number in 1..=2000 {
            *counts.entry(choice.of(number).1).or_default() += 1;
        }
        assert_eq!(counts.len(), KINDS.len());
        assert!(counts["loop"] < counts["panic"], "{counts:?}");
    }
}
