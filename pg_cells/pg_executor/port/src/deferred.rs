//! Checks of constraints that wait: [`Deferred`] belongs to a transaction, is kept
//! by its session and crosses statements.
//!
//! A check is remembered by values, not by rows: the key that must exist, the key
//! that went, the key that must be alone. When its time has come it is looked
//! whether a row still depends on the answer, so what a transaction has mended
//! meanwhile fails nothing.
//!
//! A savepoint remembers how far the list had come, and which checks were made
//! since: rolled back, the list is what it was.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use pg_plan::Deferral;
use pg_types::{Datum, Oid};

/// A check that waits.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// The `pg_constraint` id.
    pub constraint: Oid,
    /// The constraint's table.
    pub table: Oid,
    /// What is checked.
    pub kind: CheckKind,
    /// The key's values, in the order of the constraint's columns.
    pub values: Vec<Datum>,
}

/// What is checked.
#[derive(Clone, PartialEq, Debug)]
pub enum CheckKind {
    /// A row of the table wants a partner with this key.
    Wanted,
    /// The referenced table has lost this key: no row of the table may have it.
    Gone,
    /// No two rows of the table may have this key, as bytes, in the index.
    Alone {
        /// The index.
        index: Oid,
        /// The key.
        key: Vec<u8>,
    },
}

/// What SET CONSTRAINTS has said.
#[derive(Clone, Default, Debug)]
struct Modes {
    /// Of all constraints.
    all: Option<bool>,
    /// Of single ones, later than that.
    single: BTreeMap<Oid, bool>,
}

/// An open savepoint.
#[derive(Debug)]
struct Mark {
    /// Checks that were there.
    checks: usize,
    /// Places of those that were made since.
    done: Vec<usize>,
    modes: Modes,
}

/// The checks that wait in a transaction.
#[derive(Default, Debug)]
pub struct Deferred {
    modes: Modes,
    checks: Vec<(Check, bool)>,
    /// Checks that are not done.
    waiting: usize,
    marks: Vec<Mark>,
}

impl Deferred {
    /// Whether a constraint is checked at the end of the transaction.
    #[must_use]
    pub fn waits(&self, constraint: Oid, deferral: Deferral) -> bool {
        if !deferral.deferrable {
            return false;
        }
        let said = self.modes.single.get(&constraint).copied();
        said.or(self.modes.all).unwrap_or(deferral.deferred)
    }

    /// Remembers a check; the one before it is not repeated.
    pub fn push(&mut self, check: Check) {
        if self
            .checks
            .last()
            .is_some_and(|(last, done)| !done && *last == check)
        {
            return;
        }
        self.checks.push((check, false));
        self.waiting += 1;
    }

    /// Whether no check waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether a check of this table's constraints waits.
    #[must_use]
    pub fn concerns(&self, table: Oid) -> bool {
        self.waiting > 0
            && self
                .checks
                .iter()
                .any(|(c, done)| !done && c.table == table)
    }

    /// SET CONSTRAINTS: of these, or of all.
    pub fn set(&mut self, constraints: Option<&[Oid]>, deferred: bool) {
        match constraints {
            None => {
                self.modes.all = Some(deferred);
                self.modes.single.clear();
            }
            Some(list) => {
                let said = list.iter().map(|oid| (*oid, deferred));
                self.modes.single.extend(said);
            }
        }
    }

    /// The waiting checks, of these constraints or of all; they count as made.
    pub fn take(&mut self, constraints: Option<&[Oid]>) -> Vec<Check> {
        let mut taken = Vec::new();
        for (at, (check, done)) in self.checks.iter_mut().enumerate() {
            if *done || constraints.is_some_and(|list| !list.contains(&check.constraint)) {
                continue;
            }
            *done = true;
            taken.push(check.clone());
            if let Some(mark) = self.marks.last_mut() {
                mark.done.push(at);
            }
        }
        self.waiting -= taken.len();
        if self.marks.is_empty() {
            self.checks.retain(|(_, done)| !done);
        }
        taken
    }

    /// A savepoint begins.
    pub fn mark(&mut self) {
        self.marks.push(Mark {
            checks: self.checks.len(),
            done: Vec::new(),
            modes: self.modes.clone(),
        });
    }

    /// Of the savepoints only the outermost `depth` stay; what was done in the
    /// others stays done.
    pub fn release(&mut self, depth: usize) {
        while self.marks.len() > depth {
            let Some(gone) = self.marks.pop() else { return };
            if let Some(outer) = self.marks.last_mut() {
                outer.done.extend(gone.done);
            }
        }
    }

    /// The savepoint number `depth`, counted from one, is gone back to, and stays.
    pub fn roll_back(&mut self, depth: usize) {
        while self.marks.len() >= depth.max(1) {
            let Some(gone) = self.marks.pop() else { return };
            for at in gone.done {
                if let Some((_, done)) = self.checks.get_mut(at) {
                    *done = false;
                }
            }
            self.checks.truncate(gone.checks);
            self.modes = gone.modes;
        }
        self.waiting = self.checks.iter().filter(|(_, done)| !done).count();
        self.mark();
    }

    /// The transaction has ended.
    #[inline]
    pub fn clear(&mut self) {
        let unused = self.checks.is_empty() && self.marks.is_empty();
        if unused && self.modes.all.is_none() && self.modes.single.is_empty() {
            return;
        }
        *self = Deferred::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(constraint: Oid, value: i32) -> Check {
        Check {
            constraint,
            table: 1,
            kind: CheckKind::Wanted,
            values: alloc::vec![Datum::Int4(value)],
        }
    }

    const DEFERRABLE: Deferral = Deferral {
        deferrable: true,
        deferred: false,
    };

    #[test]
    fn modes_are_of_the_transaction_and_of_its_savepoints() {
        let mut d = Deferred::default();
        assert!(!d.waits(7, DEFERRABLE) && !d.waits(7, Deferral::default()));
        d.set(None, true);
        assert!(d.waits(7, DEFERRABLE) && !d.waits(7, Deferral::default()));
        d.mark();
        d.set(Some(&[7]), false);
        assert!(!d.waits(7, DEFERRABLE) && d.waits(8, DEFERRABLE));
        d.roll_back(1);
        assert!(d.waits(7, DEFERRABLE));
        d.clear();
        assert!(!d.waits(7, DEFERRABLE));
    }

    #[test]
    fn what_a_savepoint_has_checked_waits_again_when_it_is_rolled_back() {
        let mut d = Deferred::default();
        d.push(check(7, 1));
        d.push(check(7, 1));
        d.mark();
        d.push(check(8, 2));
        d.mark();
        assert_eq!(d.take(Some(&[7])), [check(7, 1)]);
        d.release(1);
        assert_eq!(d.take(None), [check(8, 2)]);
        assert!(d.is_empty());
        d.roll_back(1);
        assert_eq!(d.take(None), [check(7, 1)]);
        d.roll_back(1);
        d.release(0);
        assert_eq!(d.take(None), [check(7, 1)]);
        assert!(d.is_empty() && d.checks.is_empty());
    }
}
