//! What a hash join has on disk: the tapes of both sides that wait to be joined,
//! the pair that is being joined, and those that are being written.

use crate::env::Env;
use crate::spill::partition::{DEEPEST, Partitions};
use crate::spill::tape::{Place, Tape};
use alloc::vec::Vec;
use pg_types::{Datum, SqlResult};

/// Two tapes with the same part of the hashes; none where a side has no rows.
struct Pair {
    right: Option<Tape>,
    left: Option<Tape>,
    level: u32,
    /// It was dealt in vain: all of it came to lie on one tape again.
    whole: bool,
}

/// A tape that is read once.
struct Reading(Tape, Place);

/// The tapes of a join.
#[derive(Default)]
pub struct Batches {
    /// Being written: the right side, the left one.
    dealing: Option<(Partitions, Partitions)>,
    /// How many rows of the right side are.
    dealt: u64,
    waiting: Vec<Pair>,
    right: Option<Reading>,
    left: Option<Reading>,
    /// The present pair cannot be made smaller.
    whole: bool,
    /// Pairs joined so far and waiting.
    count: u64,
    used: bool,
}

impl Batches {
    /// Whether the join has gone to disk: left rows come from tapes.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.used
    }

    /// Whether rows are to be pushed here.
    #[must_use]
    pub fn is_dealing(&self) -> bool {
        self.dealing.is_some()
    }

    /// Whether a side that is too large may be dealt for the `level`th time.
    #[must_use]
    pub fn may_deal(&self, level: u32, env: &Env<'_>) -> bool {
        env.spill.is_some() && level < DEEPEST && !self.whole
    }

    /// From here on rows are pushed here.
    pub fn begin_deal(&mut self, level: u32, env: &Env<'_>) {
        let right = Partitions::new(level, env);
        let left = right.beside();
        self.dealing = Some((right, left));
        self.dealt = 0;
        self.used = true;
    }

    /// Deals a right row.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    pub fn push_right(&mut self, hash: u64, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        self.dealt += 1;
        match &mut self.dealing {
            Some((right, _)) => right.push(hash, &[row], env),
            None => Ok(()),
        }
    }

    /// Deals a left row.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    pub fn push_left(&mut self, hash: u64, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        match &mut self.dealing {
            Some((_, left)) => left.push(hash, &[row], env),
            None => Ok(()),
        }
    }

    /// Both sides are dealt: their tapes wait.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    pub fn end_deal(&mut self) -> SqlResult<()> {
        let Some((right, left)) = self.dealing.take() else {
            return Ok(());
        };
        let level = right.level() + 1;
        for (right, left) in right.finish()?.into_iter().zip(left.finish()?) {
            if right.is_none() && left.is_none() {
                continue;
            }
            let whole = right.as_ref().is_some_and(|r| r.rows() == self.dealt);
            // Once may be chance; of other bits of the hash the same is not.
            self.waiting.push(Pair {
                whole: whole && level > 1,
                right,
                left,
                level,
            });
            self.count += 1;
        }
        Ok(())
    }

    /// Goes on with the next pair, and tells which deal its rows would need.
    pub fn next(&mut self) -> Option<u32> {
        let pair = self.waiting.pop()?;
        let reading = |tape| Reading(tape, Place::default());
        self.right = pair.right.map(reading);
        self.left = pair.left.map(reading);
        self.whole = pair.whole;
        Some(pair.level)
    }

    /// Takes the next row of the pair's right side.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn take_right(&mut self, row: &mut Vec<Datum>) -> SqlResult<bool> {
        take(&mut self.right, row)
    }

    /// Takes the next row of the pair's left side.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn take_left(&mut self, row: &mut Vec<Datum>) -> SqlResult<bool> {
        take(&mut self.left, row)
    }

    /// How many parts the join has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

fn take(reading: &mut Option<Reading>, row: &mut Vec<Datum>) -> SqlResult<bool> {
    let found = match reading {
        Some(Reading(tape, place)) => tape.take(place, row)?,
        None => false,
    };
    if !found {
        *reading = None;
    }
    Ok(found)
}
