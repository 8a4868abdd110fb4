//! [`Distinct`]: which rows are seen for the first time. Rows that are new when
//! the memory is used up are dealt to tapes, and told from each other later, a
//! tape at a time.

use super::partition::{DEEPEST, Partitions};
use super::tape::{Place, Tape};
use crate::env::Env;
use crate::groups::Groups;
use alloc::vec::Vec;
use pg_types::{Datum, Oid, SqlResult};

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It is seen for the first time.
    New,
    /// It was seen before.
    Known,
    /// It will turn out in [`Distinct::later`].
    Later,
}

/// Tells rows seen for the first time.
pub struct Distinct {
    groups: Groups,
    /// Where new rows go while the memory is used up.
    overflow: Option<Partitions>,
    /// Tapes that wait, with the number of the deal they came of.
    waiting: Vec<(Tape, u32)>,
    /// The tape that is gone through.
    present: Option<(Tape, Place, u32)>,
    row: Vec<Datum>,
}

impl Distinct {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(types: &[Oid]) -> Self {
        Distinct {
            groups: Groups::new(types),
            overflow: None,
            waiting: Vec::new(),
            present: None,
            row: Vec::new(),
        }
    }

    /// Looks at a row.
    ///
    /// # Errors
    /// 53100 when the disk is full; 53200 when there is no disk space to be had.
    pub fn enter(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Seen> {
        if let Some(overflow) = &mut self.overflow {
            if self.groups.find(row).is_some() {
                return Ok(Seen::Known);
            }
            overflow.push(self.groups.hash(row), &[row], env)?;
            return Ok(Seen::Later);
        }
        let new = self.groups.enter(row, &mut env.run.memory)?.1;
        let level = self.present.as_ref().map_or(0, |p| p.2);
        if new
            && self.groups.bytes() > env.run.memory.hash
            && env.spill.is_some()
            && level < DEEPEST
        {
            self.overflow = Some(Partitions::new(level, env));
        }
        Ok(if new { Seen::New } else { Seen::Known })
    }

    /// After the last row: moves to the next one of those put off that is seen
    /// for the first time; false when there is none.
    ///
    /// # Errors
    /// As [`Distinct::enter`]; 58030.
    pub fn later(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let mut row = core::mem::take(&mut self.row);
        let found = self.search(&mut row, env);
        self.row = row;
        found
    }

    fn search(&mut self, row: &mut Vec<Datum>, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            env.tick()?;
            let more = match &mut self.present {
                Some((tape, place, _)) => tape.take(place, row)?,
                None => false,
            };
            if more {
                if self.enter(row, env)? == Seen::New {
                    return Ok(true);
                }
            } else if !self.next_tape(env)? {
                return Ok(false);
            }
        }
    }

    /// Goes on with the next tape; false when none waits.
    fn next_tape(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        self.present = None;
        if let Some(overflow) = self.overflow.take() {
            let level = overflow.level() + 1;
            let tapes = overflow.finish()?.into_iter().flatten();
            self.waiting.extend(tapes.map(|t| (t, level)));
        }
        let Some((tape, level)) = self.waiting.pop() else {
            return Ok(false);
        };
        self.groups.clear(&mut env.run.memory);
        self.present = Some((tape, Place::default(), level));
        Ok(true)
    }

    /// The row that [`Distinct::later`] moved to.
    #[must_use]
    pub fn row(&self) -> &[Datum] {
        &self.row
    }

    /// Forgets all rows.
    pub fn clear(&mut self, env: &mut Env<'_>) {
        self.groups.clear(&mut env.run.memory);
        self.overflow = None;
        self.waiting.clear();
        self.present = None;
    }
}
