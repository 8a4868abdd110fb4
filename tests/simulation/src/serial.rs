//! Whether serializable transactions could have run one after the other.
//!
//! Each tells what it has seen: of a row, how many of its versions. What it has
//! looked for and not found it has seen, too: a row of a range that has no version
//! yet. Versions of a row come one after the other, so this gives the graph of A.
//! Adya ("Weak Consistency", 1999): who wrote a version comes before who saw it, who
//! saw it before who replaced it, who wrote it before who wrote the next. A cycle of
//! serializable transactions is what must not be.

use crate::model::{Key, Model, TxnNo};
use std::collections::{BTreeMap, BTreeSet};

/// What a serializable transaction has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Rows, with the number of versions that were there; none when what was found
    /// fits several numbers, as a row that is missing before its first version and
    /// again behind its last.
    rows: BTreeMap<Key, Option<usize>>,
    /// Tables and ranges of ids that were looked through: all other rows of them
    /// had no version.
    ranges: Vec<(u32, std::ops::Range<u32>)>,
}

impl Seen {
    /// So many versions of a row were there, if that is sure.
    pub fn row(&mut self, key: Key, versions: Option<usize>) {
        let known = self.rows.entry(key).or_default();
        *known = versions.or(*known);
    }

    /// All rows of a table with these ids were looked for.
    pub fn range(&mut self, table: u32, ids: std::ops::Range<u32>) {
        self.ranges.push((table, ids));
    }

    fn covers(&self, key: Key) -> bool {
        let within =
            |(table, ids): &(u32, std::ops::Range<u32>)| *table == key.0 && ids.contains(&key.1);
        self.ranges.iter().any(within)
    }
}

/// A cycle among the committed serializable transactions, if there is one.
#[must_use]
pub fn cycle(model: &Model, seen: &BTreeMap<TxnNo, Seen>) -> Option<Vec<TxnNo>> {
    let mut after: BTreeMap<TxnNo, BTreeSet<TxnNo>> = BTreeMap::new();
    let mut edge = |from: TxnNo, to: TxnNo| {
        if from != to && seen.contains_key(&from) && seen.contains_key(&to) {
            after.entry(from).or_default().insert(to);
        }
    };
    for (key, writers) in model.writers() {
        let serial: Vec<TxnNo> = (writers.iter().copied())
            .filter(|no| seen.contains_key(no))
            .collect();
        serial.windows(2).for_each(|pair| edge(pair[0], pair[1]));
        for (reader, saw) in seen {
            let versions = match saw.rows.get(&key) {
                Some(Some(versions)) => *versions,
                None if saw.covers(key) => 0,
                Some(None) | None => continue,
            };
            if let Some(writer) = versions.checked_sub(1).and_then(|at| writers.get(at)) {
                edge(*writer, *reader);
            }
            if let Some(writer) = writers.get(versions) {
                edge(*reader, *writer);
            }
        }
    }
    find(&after)
}

/// A cycle of a graph: nodes without an edge to others are taken away until none is
/// left, or only cycles and what leads to them.
fn find(after: &BTreeMap<TxnNo, BTreeSet<TxnNo>>) -> Option<Vec<TxnNo>> {
    let mut left = after.clone();
    loop {
        let nodes: BTreeSet<TxnNo> = left.keys().copied().collect();
        let before = nodes.len();
        for next in left.values_mut() {
            next.retain(|no| nodes.contains(no));
        }
        left.retain(|_, next| !next.is_empty());
        if left.len() == before {
            break;
        }
    }
    let mut at = *left.keys().next()?;
    let mut way = Vec::new();
    loop {
        if let Some(from) = way.iter().position(|no| *no == at) {
            return Some(way.split_off(from));
        }
        way.push(at);
        at = *left.get(&at)?.first()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, Changes};

    fn write(model: &mut Model, id: u32, before: u64, tag: u64) -> TxnNo {
        let row = Some(crate::row::make(id, tag, before, 0, 0));
        let changes = Changes::from([((8, id), Change { before, tag, row })]);
        let no = model.ask(changes).unwrap();
        model.committed(no, None).unwrap();
        no
    }

    #[test]
    fn two_that_do_not_see_each_other_are_a_cycle() {
        let mut model = Model::default();
        write(&mut model, 1, 0, 1);
        write(&mut model, 2, 0, 2);
        let (first, second) = (write(&mut model, 1, 1, 3), write(&mut model, 2, 2, 4));
        let mut saw = [Seen::default(), Seen::default()];
        // Each has read the row that the other has changed, as it was before.
        saw[0].row((8, 2), Some(1));
        saw[1].row((8, 1), Some(1));
        let [one, two] = saw;
        let mut seen = BTreeMap::from([(first, one), (second, two)]);
        let found = cycle(&model, &seen).unwrap();
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 2);
        // One of them saw the other's change.
        seen.get_mut(&second).unwrap().row((8, 1), Some(2));
        assert_eq!(cycle(&model, &seen), None);
    }

    #[test]
    fn what_was_looked_for_and_not_there_counts() {
        let mut model = Model::default();
        let (first, second) = (write(&mut model, 1, 0, 1), write(&mut model, 2, 0, 2));
        let mut saw = Seen::default();
        saw.range(8, 0..10);
        saw.row((8, 1), Some(0));
        let seen = BTreeMap::from([(first, saw.clone()), (second, saw)]);
        assert!(cycle(&model, &seen).is_some());
        let seen = BTreeMap::from([(first, Seen::default()), (second, Seen::default())]);
        assert_eq!(cycle(&model, &seen), None);
    }

    #[test]
    fn a_missing_row_that_fits_two_moments_says_nothing() {
        let mut model = Model::default();
        let first = write(&mut model, 1, 0, 1);
        let gone = Change {
            before: 1,
            tag: 2,
            row: None,
        };
        let last = model.ask(Changes::from([((8, 1), gone)])).unwrap();
        model.committed(last, None).unwrap();
        let reader = write(&mut model, 2, 0, 3);
        // It came after the row was gone, as far as the other transaction tells.
        let mut saw = Seen::default();
        saw.range(8, 0..10);
        saw.row((8, 1), None);
        let mut writer = Seen::default();
        writer.row((8, 2), Some(0));
        let seen = BTreeMap::from([(first, writer), (reader, saw.clone())]);
        assert_eq!(cycle(&model, &seen), None);
        // Had it looked before, there would be one.
        saw.row((8, 1), Some(0));
        let mut writer = Seen::default();
        writer.row((8, 2), Some(0));
        let seen = BTreeMap::from([(first, writer), (reader, saw)]);
        assert!(cycle(&model, &seen).is_some());
    }
}
