//! [`Partitions`]: rows dealt to tapes by a hash of their keys, so that rows with
//! equal keys come to lie on one tape. A tape that is still too large is dealt
//! again by other bits of the hash: what lies on it has these in common.

use super::TAPE_BYTES;
use super::tape::Tape;
use crate::env::Env;
use alloc::vec::Vec;
use pg_types::{Datum, SqlResult};

/// Bits of the hash that one deal uses, at most and at least.
const MOST_BITS: u32 = 6;
const LEAST_BITS: u32 = 2;
/// Deals after which rows are not dealt again: what still lies together then has
/// equal keys, near enough.
pub const DEEPEST: u32 = 8;

/// Tapes by hash.
pub struct Partitions {
    tapes: Vec<Option<Tape>>,
    bits: u32,
    level: u32,
}

impl Partitions {
    /// For the `level`th deal, as many as the memory for a hash table allows.
    #[must_use]
    pub fn new(level: u32, env: &Env<'_>) -> Self {
        let fit = (env.run.memory.hash / (2 * TAPE_BYTES)).max(1);
        Partitions::of_bits(level, fit.ilog2().clamp(LEAST_BITS, MOST_BITS))
    }

    fn of_bits(level: u32, bits: u32) -> Self {
        Partitions {
            tapes: (0..1 << bits).map(|_| None).collect(),
            bits,
            level,
        }
    }

    /// Tapes for the other side of a join, dealt alike.
    #[must_use]
    pub fn beside(&self) -> Self {
        Partitions::of_bits(self.level, self.bits)
    }

    /// The deal's number.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Puts a row, which may come in parts, where its hash says.
    ///
    /// # Errors
    /// 53100 when the disk is full; 53200 when there is no disk space to be had.
    pub fn push(&mut self, hash: u64, parts: &[&[Datum]], env: &mut Env<'_>) -> SqlResult<()> {
        // The table's own bits are the lowest and the highest: these are between,
        // and other ones at each deal.
        let mixed = hash.rotate_right(7 + self.level * MOST_BITS);
        let at = (mixed & ((1 << self.bits) - 1)) as usize;
        let tape = match &mut self.tapes[at] {
            Some(tape) => tape,
            empty => empty.insert(Tape::new(env)?),
        };
        tape.push(parts)?;
        Ok(())
    }

    /// The tapes, in the order of their numbers; none where there is no row.
    ///
    /// # Errors
    /// As [`Partitions::push`].
    pub fn finish(mut self) -> SqlResult<Vec<Option<Tape>>> {
        for tape in self.tapes.iter_mut().flatten() {
            tape.finish()?;
        }
        Ok(self.tapes)
    }
}
