//! Rows that a transaction has changed, by table: what that means for the live and
//! dead rows is added up when the transaction, or its savepoint, ends.

use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Counters, RowChanges};

/// See the module.
#[derive(Default, Debug)]
pub struct Touched {
    tables: Vec<(Arc<Counters>, RowChanges)>,
    /// How many there were when each open savepoint began.
    marks: Vec<usize>,
}

impl Touched {
    /// A statement has changed rows.
    pub fn add(&mut self, counters: &Arc<Counters>, more: RowChanges) {
        let from = self.marks.last().copied().unwrap_or(0);
        let known = self.tables.iter_mut().skip(from);
        let mut known = known.filter(|(c, _)| Arc::ptr_eq(c, counters));
        match known.next() {
            Some((_, changes)) => {
                changes.inserted += more.inserted;
                changes.updated += more.updated;
                changes.deleted += more.deleted;
            }
            None => self.tables.push((counters.clone(), more)),
        }
    }

    /// A savepoint begins.
    pub fn mark(&mut self) {
        self.marks.push(self.tables.len());
    }

    /// Of the savepoints only the outermost `depth` stay.
    pub fn release(&mut self, depth: usize) {
        self.marks.truncate(depth);
    }

    /// The savepoint number `depth`, counted from one, is gone back to, and stays.
    pub fn roll_back(&mut self, depth: usize) {
        let Some(from) = self.marks.get(depth.max(1) - 1).copied() else {
            return;
        };
        self.marks.truncate(depth);
        for (counters, changes) in self.tables.drain(from..) {
            counters.settle(&changes, false);
        }
    }

    /// The transaction has ended.
    #[inline]
    pub fn settle(&mut self, committed: bool) {
        self.marks.clear();
        for (counters, changes) in self.tables.drain(..) {
            counters.settle(&changes, committed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_savepoint_took_back_is_dead() {
        let counters = Arc::new(Counters::default());
        let inserted = |n| RowChanges {
            inserted: n,
            ..RowChanges::default()
        };
        let mut touched = Touched::default();
        touched.add(&counters, inserted(1));
        touched.mark();
        touched.add(&counters, inserted(10));
        touched.mark();
        touched.add(&counters, inserted(100));
        touched.release(1);
        touched.roll_back(1);
        assert_eq!(counters.read().dead, 110);
        touched.add(&counters, inserted(1000));
        touched.settle(true);
        assert_eq!((counters.read().live, counters.read().dead), (1001, 110));
    }
}
