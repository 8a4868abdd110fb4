//! ON CONFLICT.
//!
//! The arbiter indexes are asked before the row is stored. Between that and the
//! index entry another transaction may be faster: then the row just stored is
//! removed again and all starts over, until the row is in, or the one in the way
//! has been dealt with.

use super::indexes::Entry;
use super::target::{NewRow, Target};
use crate::env::Env;
use crate::expr::{Code, compile_option};
use crate::op::Builder;
use crate::op::decode::Decoder;
use crate::store::{Changed, RowBuf, Tid, WaitPolicy};
use alloc::vec::Vec;
use pg_plan::{Index, LockStrength, OnConflict, Relation};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

/// What to do about a row in the way.
pub struct Conflict {
    /// The index that arbitrates; none: any.
    arbiter: Option<Oid>,
    /// DO UPDATE.
    update: Option<Update>,
}

struct Update {
    values: NewRow,
    changed: Vec<usize>,
    condition: Option<Code>,
    decoder: Decoder,
    bytes: RowBuf,
    /// The row in the way, then the one proposed.
    both: Vec<Datum>,
    old: Vec<Datum>,
    /// The last row proposed became an update of `old`.
    replaced: bool,
}

/// What became of a row in the way.
enum Settled {
    /// It was updated; the new row is shown.
    Updated,
    /// It stays as it is.
    LeftAlone,
    /// It is gone: try again.
    Gone,
}

impl Conflict {
    /// Compiles the clause.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(
        clause: &OnConflict,
        relation: &Relation,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let update = match &clause.update {
            Some(values) => Some(Update {
                values: NewRow::compile(values, builder)?,
                changed: clause.changed.clone(),
                condition: compile_option(clause.condition.as_ref(), builder)?,
                decoder: Decoder::all(relation, false),
                bytes: RowBuf::new(),
                both: Vec::new(),
                old: Vec::new(),
                replaced: false,
            }),
            None => None,
        };
        Ok(Conflict {
            arbiter: clause.arbiter.as_ref().map(|i| i.oid),
            update,
        })
    }

    /// Inserts the row checked last, or settles the conflict; false when nothing
    /// was changed. After DO UPDATE `new` is the updated row.
    ///
    /// # Errors
    /// 23505 of other indexes; 21000 when a row would be updated twice.
    pub fn insert(
        &mut self,
        target: &mut Target,
        values: &NewRow,
        new: &mut Vec<Datum>,
        env: &mut Env<'_>,
    ) -> SqlResult<bool> {
        if let Some(update) = &mut self.update {
            update.replaced = false;
        }
        loop {
            env.tick()?;
            let in_the_way = match self.ask(target, new, env)? {
                Some(id) => id,
                None => {
                    let id = target.insert(env)?;
                    let Some((at, other)) = target.index_row(new, id, env)? else {
                        return Ok(true);
                    };
                    if !self.arbitrates(target.indexes[at].index.oid) {
                        return Err(target.duplicate(at, env));
                    }
                    // Faster than us: take our row back.
                    env.store.delete(target.relation.file, id)?;
                    other
                }
            };
            let Some(update) = &mut self.update else {
                let file = target.relation.file;
                env.store.require_seen(file, in_the_way, None)?;
                return Ok(false);
            };
            match update.settle(in_the_way, target, new, env)? {
                Settled::Updated => return Ok(true),
                Settled::LeftAlone => return Ok(false),
                // `settle` may have encoded another row meanwhile.
                Settled::Gone => target.check(values, new, env)?,
            }
        }
    }

    /// The row that the last one replaced, if it became an update.
    #[must_use]
    pub fn replaced(&self) -> Option<&[Datum]> {
        self.update
            .as_ref()
            .filter(|u| u.replaced)
            .map(|u| u.old.as_slice())
    }

    fn arbitrates(&self, index: Oid) -> bool {
        self.arbiter.is_none_or(|a| a == index)
    }

    /// A row that the arbiters have in the way of `new`.
    fn ask(&self, target: &mut Target, new: &[Datum], env: &mut Env<'_>) -> SqlResult<Option<Tid>> {
        let file = target.relation.file;
        for writer in &mut target.indexes {
            if self.arbiter.is_some_and(|a| a != writer.index.oid) {
                continue;
            }
            if writer.index.unique && writer.index.deferral.deferrable {
                return Err(late_arbiter(&target.relation, &writer.index));
            }
            if writer.compute(new, env)? == Entry::Unique
                && let Some(id) =
                    env.store
                        .index_conflict(writer.index.file, file, writer.key_alone())?
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

impl Update {
    fn settle(
        &mut self,
        mut id: Tid,
        target: &mut Target,
        new: &mut Vec<Datum>,
        env: &mut Env<'_>,
    ) -> SqlResult<Settled> {
        let file = target.relation.file;
        let root = id;
        // The entry leads to the first version of a chain; the newest counts.
        match env.store.fetch_latest(file, id, &mut self.bytes)? {
            Some(newest) => id = newest,
            None => return Ok(Settled::Gone),
        }
        loop {
            env.tick()?;
            match env
                .store
                .lock_row(file, id, LockStrength::Update, WaitPolicy::Wait)?
            {
                Changed::Done { tid, .. } => id = tid,
                Changed::Concurrent { newest } => {
                    id = newest;
                    continue;
                }
                Changed::SelfModified => return Err(twice()),
                Changed::Deleted | Changed::Skipped => return Ok(Settled::Gone),
            }
            env.store.require_seen(file, root, Some(id))?;
            if !env.store.fetch_version(file, id, &mut self.bytes)? {
                return Ok(Settled::Gone);
            }
            self.decoder.decode(&self.bytes.bytes, id, &mut self.old)?;
            self.both.clear();
            self.both.extend_from_slice(&self.old);
            self.both.extend_from_slice(new);
            if let Some(condition) = &mut self.condition
                && !condition.is_true(&self.both, env)?
            {
                return Ok(Settled::LeftAlone);
            }
            let mut updated = Vec::new();
            self.values.compute(&self.both, env, &mut updated)?;
            target.check(&self.values, &updated, env)?;
            match target.update(id, &self.old, &updated, &self.changed, env)? {
                Changed::Done { .. } => {
                    *new = updated;
                    self.replaced = true;
                    return Ok(Settled::Updated);
                }
                Changed::SelfModified => return Err(twice()),
                Changed::Concurrent { newest } => id = newest,
                Changed::Deleted | Changed::Skipped => return Ok(Settled::Gone),
            }
        }
    }
}

/// 55000: an index that is checked later cannot tell what to do now.
#[cold]
fn late_arbiter(table: &Relation, index: &Index) -> SqlError {
    SqlError::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters",
    )
    .with_table(table.schema.clone(), table.name.clone())
    .with_constraint(index.name.clone())
}

fn twice() -> SqlError {
    SqlError::new(
        SqlState::CARDINALITY_VIOLATION,
        "ON CONFLICT DO UPDATE command cannot affect row a second time",
    )
    .with_hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
}
