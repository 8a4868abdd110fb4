//! [`Spool`]: rows kept in the order in which they came, and read again from any
//! place: the first of them in memory, the rest on a tape when they are many.

use super::tape::{Place, Tape};
use crate::env::Memory;
use crate::rows::RowBuffer;
use alloc::vec::Vec;
use pg_executor_port::SpillStore;
use pg_types::{Datum, SqlResult};

/// One row in so many on the tape is remembered by its place.
const STRIDE: usize = 64;

/// Rows, read again and again.
pub struct Spool {
    memory: RowBuffer,
    tape: Option<Tape>,
    marks: Vec<u64>,
}

/// Where somebody reads a spool.
#[derive(Default)]
pub struct Reader {
    at: usize,
    /// Where the tape's row number `at` begins, once it was read up to there.
    place: Option<(usize, Place)>,
}

impl Spool {
    /// An empty spool for rows of `width` columns.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Spool {
            memory: RowBuffer::new(width),
            tape: None,
            marks: Vec::new(),
        }
    }

    /// Columns per row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.memory.width()
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        let on_tape = self.tape.as_ref().map_or(0, Tape::rows);
        self.memory.len() + usize::try_from(on_tape).unwrap_or(usize::MAX)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    /// Appends a copy of `row`.
    ///
    /// # Errors
    /// 53100 when the disk is full; 53200 when there is none and the statement is
    /// out of memory.
    pub fn push(
        &mut self,
        row: &[Datum],
        spill: Option<&dyn SpillStore>,
        memory: &mut Memory,
    ) -> SqlResult<()> {
        if self.tape.is_none() {
            let fits = self.memory.bytes() < memory.work;
            if fits || spill.is_none() {
                return self.memory.push(row, memory);
            }
            self.tape = Some(Tape::of(spill, memory)?);
        }
        if let Some(tape) = &mut self.tape {
            let number = usize::try_from(tape.rows()).unwrap_or(usize::MAX);
            let start = tape.push(&[row])?;
            if number.is_multiple_of(STRIDE) {
                self.marks.push(start);
            }
        }
        Ok(())
    }

    /// Moves to the next row, and copies it; false at the end.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn next(&mut self, reader: &mut Reader, row: &mut Vec<Datum>) -> SqlResult<bool> {
        if reader.at < self.memory.len() {
            row.clear();
            row.extend_from_slice(self.memory.row(reader.at));
            reader.at += 1;
            return Ok(true);
        }
        let Some(tape) = &mut self.tape else {
            return Ok(false);
        };
        let wanted = reader.at - self.memory.len();
        if wanted as u64 >= tape.rows() {
            return Ok(false);
        }
        let known = reader.place.take().filter(|(at, _)| *at == wanted);
        let mut place = match known {
            Some((_, place)) => place,
            None => {
                let mark = wanted / STRIDE;
                let mut place = Place::at(self.marks.get(mark).copied().unwrap_or(0));
                for _ in mark * STRIDE..wanted {
                    tape.read(&mut place, row)?;
                }
                place
            }
        };
        let found = tape.read(&mut place, row)?;
        reader.place = Some((wanted + 1, place));
        reader.at += usize::from(found);
        Ok(found)
    }

    /// Ends writing for now: memory for it is given back.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    pub fn rest(&mut self) -> SqlResult<()> {
        match &mut self.tape {
            Some(tape) => tape.finish(),
            None => Ok(()),
        }
    }

    /// Drops all rows and gives their memory and space back.
    pub fn clear(&mut self, memory: &mut Memory) {
        self.memory.clear(memory);
        self.tape = None;
        self.marks.clear();
    }
}

impl Reader {
    /// A reader in front of row number `at`.
    #[must_use]
    pub fn before(at: usize) -> Self {
        Reader { at, place: None }
    }

    /// Leaves the next row out.
    pub fn skip(&mut self) {
        self.at += 1;
    }

    /// The number of the next row.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}
