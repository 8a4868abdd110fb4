//! [`LockRows`]: SELECT ... FOR UPDATE and its kin. Each row is locked when it
//! is asked for, so LIMIT locks no more than it gives.
//!
//! When a row turns out to have been changed since the snapshot, the input is
//! run again under a new snapshot, with the rows given so far left out: they are
//! locked, so they cannot have changed. That gives the newest version of the
//! row, if it still satisfies the conditions, for any shape of the input.

use super::{Input, Operator};
use crate::env::Env;
use crate::store::{Changed, Tid, WaitPolicy, tid_of};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashSet;
use pg_plan::{LockStrength, Relation};
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// What to do about rows that others have locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Wait for them.
    Wait,
    /// Fail (NOWAIT).
    Fail,
    /// Leave them out (SKIP LOCKED).
    Skip,
}

impl Policy {
    /// From the words of the clause.
    #[must_use]
    pub fn new(nowait: bool, skip_locked: bool) -> Self {
        match (nowait, skip_locked) {
            (true, _) => Policy::Fail,
            (false, true) => Policy::Skip,
            (false, false) => Policy::Wait,
        }
    }
}

/// Locks the rows it gives.
pub struct LockRows {
    input: Input,
    targets: Vec<Target>,
    strength: LockStrength,
    policy: Policy,
    /// The row ids of rows given so far.
    given: HashSet<Vec<Option<Tid>>>,
    ids: Vec<Option<Tid>>,
}

struct Target {
    file: u32,
    name: String,
    column: usize,
}

enum Outcome {
    Locked,
    LeaveOut,
    Again,
}

impl LockRows {
    /// Over an input whose rows carry the ids of the tables' rows.
    pub fn new(
        input: Input,
        targets: &[(Arc<Relation>, usize)],
        strength: LockStrength,
        policy: Policy,
    ) -> Self {
        let target = |(relation, column): &(Arc<Relation>, usize)| Target {
            file: relation.file,
            name: relation.name.clone(),
            column: *column,
        };
        LockRows {
            input,
            targets: targets.iter().map(target).collect(),
            strength,
            policy,
            given: HashSet::new(),
            ids: Vec::new(),
        }
    }

    /// Locks the present row in all tables.
    fn lock(&mut self, env: &mut Env<'_>) -> SqlResult<Outcome> {
        // NOWAIT fails below; the error's text names the table.
        let wait = if self.policy == Policy::Wait {
            WaitPolicy::Wait
        } else {
            WaitPolicy::Skip
        };
        for (target, id) in self.targets.iter().zip(&self.ids) {
            // The outer side of a join may have no row.
            let Some(id) = *id else { continue };
            match env.store.lock_row(target.file, id, self.strength, wait)? {
                Changed::Done { .. } | Changed::SelfModified => {}
                Changed::Deleted => return Ok(Outcome::LeaveOut),
                Changed::Concurrent { .. } => return Ok(Outcome::Again),
                Changed::Skipped if self.policy == Policy::Skip => return Ok(Outcome::LeaveOut),
                Changed::Skipped => {
                    return Err(SqlError::new(
                        SqlState::LOCK_NOT_AVAILABLE,
                        format!(
                            "could not obtain lock on row in relation \"{}\"",
                            target.name
                        ),
                    ));
                }
            }
        }
        Ok(Outcome::Locked)
    }
}

impl Operator for LockRows {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        while self.input.next(env)? {
            env.tick()?;
            let row = self.input.row();
            self.ids.clear();
            self.ids.extend(
                self.targets
                    .iter()
                    .map(|t| row.get(t.column).and_then(tid_of)),
            );
            if self.given.contains(&self.ids) {
                continue;
            }
            match self.lock(env)? {
                Outcome::Locked => {
                    self.given.insert(self.ids.clone());
                    return Ok(true);
                }
                Outcome::LeaveOut => {}
                Outcome::Again => {
                    env.store.refresh()?;
                    // What was computed once under the old snapshot is stale.
                    env.run.epoch += 1;
                    self.input.reset(env)?;
                }
            }
        }
        Ok(false)
    }

    fn row(&self) -> &[Datum] {
        self.input.row()
    }

    fn width(&self) -> usize {
        self.input.width()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.given.clear();
        self.input.reset(env)
    }
}
