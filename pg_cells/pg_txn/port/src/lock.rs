//! Lock modes: of tables, with PostgreSQL's table of conflicts, and of rows.

use crate::{Locked, Xid};

/// Table lock modes, weakest first (PostgreSQL 15, "Explicit Locking").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum LockMode {
    /// SELECT.
    AccessShare = 0,
    /// SELECT FOR UPDATE and its kind.
    RowShare = 1,
    /// INSERT, UPDATE, DELETE.
    RowExclusive = 2,
    /// VACUUM, ANALYZE, CREATE INDEX CONCURRENTLY.
    ShareUpdateExclusive = 3,
    /// CREATE INDEX.
    Share = 4,
    /// CREATE TRIGGER.
    ShareRowExclusive = 5,
    /// REFRESH MATERIALIZED VIEW CONCURRENTLY.
    Exclusive = 6,
    /// ALTER TABLE, DROP TABLE, TRUNCATE.
    AccessExclusive = 7,
}

impl LockMode {
    /// All modes, weakest first.
    pub const ALL: [LockMode; 8] = [
        LockMode::AccessShare,
        LockMode::RowShare,
        LockMode::RowExclusive,
        LockMode::ShareUpdateExclusive,
        LockMode::Share,
        LockMode::ShareRowExclusive,
        LockMode::Exclusive,
        LockMode::AccessExclusive,
    ];

    /// The mode's bit in a set of modes.
    #[inline]
    #[must_use]
    pub fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The set of modes that it conflicts with.
    #[inline]
    #[must_use]
    pub fn conflicts(self) -> u8 {
        match self {
            LockMode::AccessShare => 0b1000_0000,
            LockMode::RowShare => 0b1100_0000,
            LockMode::RowExclusive => 0b1111_0000,
            LockMode::ShareUpdateExclusive => 0b1111_1000,
            LockMode::Share => 0b1110_1100,
            LockMode::ShareRowExclusive => 0b1111_1100,
            LockMode::Exclusive => 0b1111_1110,
            LockMode::AccessExclusive => 0b1111_1111,
        }
    }

    /// Whether it conflicts with no mode that is weak itself. Weak locks of a
    /// table that nobody locks strongly are noted with their holder alone.
    #[inline]
    #[must_use]
    pub fn is_weak(self) -> bool {
        self <= LockMode::RowExclusive
    }
}

/// What a table-style lock is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LockTarget {
    kind: Kind,
    key: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Kind {
    Relation,
    Row,
    Advisory,
    AdvisoryPair,
}

impl LockTarget {
    /// A relation, by its object id.
    #[must_use]
    pub const fn relation(oid: u32) -> Self {
        LockTarget {
            kind: Kind::Relation,
            key: oid as u64,
        }
    }

    /// An application's own key (advisory locks).
    #[must_use]
    pub const fn advisory(key: u64) -> Self {
        LockTarget {
            kind: Kind::Advisory,
            key,
        }
    }

    /// An application's own pair of keys, none of which is a single one.
    #[must_use]
    pub const fn advisory_pair(first: u32, second: u32) -> Self {
        LockTarget {
            kind: Kind::AdvisoryPair,
            key: (first as u64) << 32 | second as u64,
        }
    }

    /// What it is on.
    #[must_use]
    pub fn what(self) -> Locked {
        match self.kind {
            Kind::Relation => Locked::Relation(self.key as u32),
            Kind::Row => Locked::Row,
            Kind::Advisory => Locked::Advisory(self.key),
            Kind::AdvisoryPair => Locked::AdvisoryPair((self.key >> 32) as u32, self.key as u32),
        }
    }

    /// Its key as a number.
    pub(crate) fn bits(self) -> u64 {
        self.key
    }

    /// The queue of those who wait for a row. Two rows may share one, which
    /// makes some wait longer, but rarely.
    #[must_use]
    pub fn row(row: RowKey) -> Self {
        let place = u64::from(row.block) << 16 | u64::from(row.slot);
        LockTarget {
            kind: Kind::Row,
            key: place ^ u64::from(row.file).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        }
    }
}

/// Row lock strengths, weakest first (SELECT FOR ...).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RowLock {
    /// Keeps the row and its key from changing: foreign keys.
    KeyShare = 0,
    /// Keeps the row from changing.
    Share = 1,
    /// What an UPDATE takes that changes no key.
    NoKeyUpdate = 2,
    /// What a DELETE takes, or an UPDATE that changes a key.
    Update = 3,
}

impl RowLock {
    /// The strength with this number; numbers above 3 are the strongest.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => RowLock::KeyShare,
            1 => RowLock::Share,
            2 => RowLock::NoKeyUpdate,
            _ => RowLock::Update,
        }
    }

    /// Whether two transactions cannot hold these on one row at once.
    #[must_use]
    pub fn conflicts(self, other: RowLock) -> bool {
        let (weak, strong) = (self.min(other), self.max(other));
        match weak {
            RowLock::KeyShare => strong == RowLock::Update,
            RowLock::Share => strong >= RowLock::NoKeyUpdate,
            RowLock::NoKeyUpdate | RowLock::Update => true,
        }
    }
}

/// A row version's address as the lock table knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey {
    /// The relation's file number.
    pub file: u32,
    /// The page.
    pub block: u32,
    /// The slot on it.
    pub slot: u16,
}

/// One of several holders of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowHolder {
    /// Who.
    pub xid: Xid,
    /// How strongly.
    pub lock: RowLock,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_mutual() {
        for a in LockMode::ALL {
            for b in LockMode::ALL {
                let there = a.conflicts() & b.bit() != 0;
                assert_eq!(there, b.conflicts() & a.bit() != 0, "{a:?} {b:?}");
                assert!(!(a.is_weak() && b.is_weak() && there));
            }
        }
    }

    #[test]
    fn row_locks_conflict_as_in_the_manual() {
        use RowLock::{KeyShare, NoKeyUpdate, Share, Update};
        let all = [KeyShare, Share, NoKeyUpdate, Update];
        let table = [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]];
        for (a, row) in all.iter().zip(table) {
            for (b, expected) in all.iter().zip(row) {
                assert_eq!(a.conflicts(*b), expected == 1, "{a:?} {b:?}");
            }
        }
    }
}
