//! Counts of what is done with a table or an index, for the statistics views.
//!
//! Operators count for themselves and add up once a statement, so a row costs
//! nothing here. The counters of a relation are shared by all its descriptors.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident: $atomic:ty = $plain:ty,)*) => {
        /// See the module. All are of the time since the system has started.
        #[derive(Default, Debug)]
        pub struct Counters {
            $($(#[$doc])* pub $name: $atomic,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct Counts {
            $($(#[$doc])* pub $name: $plain,)*
        }

        impl Counters {
            /// What they say now.
            #[must_use]
            pub fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }

            /// Adds up; what is zero costs a comparison.
            pub fn add(&self, more: &Counts) {
                $(if more.$name != 0 {
                    self.$name.fetch_add(more.$name, Ordering::Relaxed);
                })*
            }
        }
    };
}

counters! {
    /// Scans begun: of all rows, or through the index.
    scans: AtomicU64 = u64,
    /// Rows that scans of all rows have read; entries that an index gave.
    read: AtomicU64 = u64,
    /// Scans through indexes, of a table.
    index_scans: AtomicU64 = u64,
    /// Rows found through indexes.
    fetched: AtomicU64 = u64,
    /// Rows inserted, by whatever became of the transaction.
    inserted: AtomicU64 = u64,
    /// Rows updated.
    updated: AtomicU64 = u64,
    /// Those of them that needed no new index entries.
    hot_updated: AtomicU64 = u64,
    /// Rows deleted.
    deleted: AtomicU64 = u64,
    /// Live rows, as estimated.
    live: AtomicI64 = i64,
    /// Dead versions, as estimated.
    dead: AtomicI64 = i64,
    /// Rows changed since the last ANALYZE.
    changed: AtomicU64 = u64,
    /// Rows inserted since the last VACUUM.
    fresh: AtomicU64 = u64,
    /// Times of the last VACUUM, microseconds since 2000; zero for never.
    vacuumed: AtomicI64 = i64,
    /// The same of those that nobody had asked for.
    autovacuumed: AtomicI64 = i64,
    /// Times of the last ANALYZE.
    analyzed: AtomicI64 = i64,
    /// The same of those that nobody had asked for.
    autoanalyzed: AtomicI64 = i64,
    /// How many VACUUMs.
    vacuums: AtomicU64 = u64,
    /// How many that nobody had asked for.
    autovacuums: AtomicU64 = u64,
    /// How many ANALYZEs.
    analyzes: AtomicU64 = u64,
    /// How many that nobody had asked for.
    autoanalyzes: AtomicU64 = u64,
}

/// Rows that a transaction has changed, of one table: what becomes of them is
/// known when it ends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RowChanges {
    /// Inserted.
    pub inserted: u64,
    /// Updated.
    pub updated: u64,
    /// Deleted.
    pub deleted: u64,
}

impl RowChanges {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == RowChanges::default()
    }

    /// What they mean for the table's live and dead rows.
    #[must_use]
    pub fn outcome(&self, committed: bool) -> Counts {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let (inserted, updated, deleted) = (
            signed(self.inserted),
            signed(self.updated),
            signed(self.deleted),
        );
        let (live, dead) = match committed {
            true => (inserted - deleted, updated + deleted),
            false => (0, inserted + updated),
        };
        Counts {
            live,
            dead,
            changed: match committed {
                true => self.inserted + self.updated + self.deleted,
                false => 0,
            },
            fresh: self.inserted,
            ..Counts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_aborted_transaction_are_dead() {
        let changes = RowChanges {
            inserted: 5,
            updated: 3,
            deleted: 2,
        };
        let (done, undone) = (changes.outcome(true), changes.outcome(false));
        assert_eq!((done.live, done.dead, done.changed), (3, 5, 10));
        assert_eq!((undone.live, undone.dead, undone.changed), (0, 8, 0));
        let counters = Counters::default();
        counters.add(&done);
        counters.add(&undone);
        assert_eq!((counters.read().live, counters.read().dead), (3, 13));
    }
}
