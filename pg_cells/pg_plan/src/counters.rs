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
}

impl Counters {
    /// The transaction that has changed rows has ended: what that means for live and
    /// dead ones.
    pub fn settle(&self, rows: &RowChanges, committed: bool) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let (inserted, updated, deleted) = (
            signed(rows.inserted),
            signed(rows.updated),
            signed(rows.deleted),
        );
        let (live, dead) = match committed {
            true => (inserted - deleted, updated + deleted),
            false => (0, inserted + updated),
        };
        if live != 0 {
            self.live.fetch_add(live, Ordering::Relaxed);
        }
        if dead != 0 {
            self.dead.fetch_add(dead, Ordering::Relaxed);
        }
        if rows.inserted != 0 {
            self.fresh.fetch_add(rows.inserted, Ordering::Relaxed);
        }
        if committed {
            let changed = rows.inserted + rows.updated + rows.deleted;
            self.changed.fetch_add(changed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_aborted_transaction_are_dead() {
        let rows = RowChanges {
            inserted: 5,
            updated: 3,
            deleted: 2,
        };
        let counters = Counters::default();
        counters.settle(&rows, true);
        let now = counters.read();
        assert_eq!((now.live, now.dead, now.changed, now.fresh), (3, 5, 10, 5));
        counters.settle(&rows, false);
        let now = counters.read();
        assert_eq!(
            (now.live, now.dead, now.changed, now.fresh),
            (3, 13, 10, 10)
        );
    }
}
