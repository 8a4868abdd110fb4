//! [`Tape`]: rows on a temporary file, in the order in which they were written. A
//! record is its length (u32), then for each datum its type's id (u32, zero for
//! NULL) and its stored form.

use crate::env::{Env, Memory};
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_executor_port::{SpillFile, SpillStore};
use pg_types::{Datum, SqlError, SqlResult, SqlState, tuple};

/// Bytes that are read at a time.
const CHUNK: usize = 8 * 1024;
/// Bytes that are handed to the file at a time.
const PIECE: usize = 4 * 1024;

/// Rows on a temporary file.
pub struct Tape {
    file: Box<dyn SpillFile>,
    rows: u64,
    /// Bytes written.
    end: u64,
    /// Written, and not handed to the file yet.
    piece: Vec<u8>,
}

/// A place on a tape, with what was read from there on.
#[derive(Default)]
pub struct Place {
    /// The tape's bytes that were read in all.
    at: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Tape {
    /// An empty tape.
    ///
    /// # Errors
    /// 53200 when the session has no disk space to give.
    pub fn new(env: &mut Env<'_>) -> SqlResult<Self> {
        Tape::of(env.spill, &mut env.run.memory)
    }

    /// The same, from the parts of the environment that it takes.
    ///
    /// # Errors
    /// As [`Tape::new`].
    pub fn of(spill: Option<&dyn SpillStore>, memory: &mut Memory) -> SqlResult<Self> {
        let store = spill.ok_or_else(no_space)?;
        memory.spilled = true;
        Ok(Tape {
            file: store.create()?,
            rows: 0,
            end: 0,
            piece: Vec::new(),
        })
    }

    /// Rows written.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a row, which may come in parts. Gives where it begins.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    pub fn push(&mut self, parts: &[&[Datum]]) -> SqlResult<u64> {
        let start = self.piece.len();
        self.piece.extend_from_slice(&[0; 4]);
        for datum in parts.iter().copied().flatten() {
            let type_oid = if datum.is_null() {
                0
            } else {
                datum.natural_type()
            };
            self.piece.extend_from_slice(&type_oid.to_le_bytes());
            if !datum.is_null() {
                tuple::put_value(&mut self.piece, datum);
            }
        }
        let record = self.piece.len() - start;
        let length = u32::try_from(record - 4).map_err(|_| damaged())?;
        self.piece[start..start + 4].copy_from_slice(&length.to_le_bytes());
        let began = self.end;
        self.end += record as u64;
        self.rows += 1;
        if self.piece.len() >= PIECE {
            self.hand_over()?;
        }
        Ok(began)
    }

    fn hand_over(&mut self) -> SqlResult<()> {
        if !self.piece.is_empty() {
            self.file.append(&self.piece)?;
            self.piece.clear();
        }
        Ok(())
    }

    /// Ends writing: the memory for it is given back.
    ///
    /// # Errors
    /// As [`Tape::push`].
    pub fn finish(&mut self) -> SqlResult<()> {
        self.hand_over()?;
        self.piece = Vec::new();
        self.file.finish()
    }

    /// Nothing is read for a while: the memory for it is given back.
    pub fn rest(&mut self) {
        self.file.rest();
    }

    /// Reads the next row after what it was read up to, and gives the space
    /// behind back: for tapes that are read once.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn take(&mut self, place: &mut Place, row: &mut Vec<Datum>) -> SqlResult<bool> {
        let found = self.read(place, row)?;
        if found {
            self.file.forget_before(place.at - place.unread());
        }
        Ok(found)
    }

    /// Reads the row at a place and moves it on; false at the end.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn read(&mut self, place: &mut Place, row: &mut Vec<Datum>) -> SqlResult<bool> {
        if !self.fill(place, 4)? {
            return Ok(false);
        }
        let head = place.buffer[place.used..].first_chunk::<4>();
        let length = u32::from_le_bytes(*head.ok_or_else(damaged)?) as usize;
        if !self.fill(place, 4 + length)? {
            return Err(damaged());
        }
        let from = place.used + 4;
        let mut bytes = place.buffer.get(from..from + length).ok_or_else(damaged)?;
        place.used = from + length;
        row.clear();
        while let Some((type_oid, rest)) = bytes.split_first_chunk::<4>() {
            bytes = rest;
            row.push(match u32::from_le_bytes(*type_oid) {
                0 => Datum::Null,
                type_oid => tuple::take_value(&mut bytes, type_oid).map_err(|_| damaged())?,
            });
        }
        Ok(true)
    }

    /// Makes sure that `wanted` unread bytes are in the buffer; false when the
    /// tape has no more.
    fn fill(&mut self, place: &mut Place, wanted: usize) -> SqlResult<bool> {
        if place.buffer.len() - place.used >= wanted {
            return Ok(true);
        }
        if place.at == self.end && place.unread() == 0 {
            return Ok(false);
        }
        self.hand_over()?;
        place.buffer.drain(..place.used);
        place.used = 0;
        while place.buffer.len() < wanted && place.at < self.end {
            let old = place.buffer.len();
            let left = usize::try_from(self.end - place.at).unwrap_or(usize::MAX);
            let more = CHUNK.max(wanted - old).min(left);
            place.buffer.resize(old + more, 0);
            let read = self.file.read_at(place.at, &mut place.buffer[old..])?;
            place.buffer.truncate(old + read);
            if read == 0 {
                return Err(damaged());
            }
            place.at += read as u64;
        }
        Ok(place.buffer.len() >= wanted)
    }
}

impl Place {
    /// A place that a row begins at, as [`Tape::push`] told.
    #[must_use]
    pub fn at(start: u64) -> Self {
        Place {
            at: start,
            ..Place::default()
        }
    }

    fn unread(&self) -> u64 {
        (self.buffer.len() - self.used) as u64
    }
}

#[cold]
fn damaged() -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, "a temporary file is damaged")
}

#[cold]
fn no_space() -> SqlError {
    SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory")
        .with_detail("There is no temporary space to be had here.")
}
