//! Sorted runs on disk: [`Run`] is one, [`Merge`] gives the rows of many in
//! order. A record is its length (u32), then for each datum its type's id (u32,
//! zero for NULL) and its stored form; the sort keys come before the row.

use crate::sort_key::{KeyOrder, compare_keys};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_executor_port::{SpillFile, SpillStore};
use pg_types::{Datum, SqlError, SqlResult, SqlState, tuple};

/// Bytes that are written or read at a time.
const CHUNK: usize = 64 * 1024;

/// A run of rows in order.
pub struct Run {
    file: Box<dyn SpillFile>,
    /// Bytes written, then bytes read.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    used: usize,
    /// The present row, keys first.
    row: Vec<Datum>,
    live: bool,
}

impl Run {
    /// An empty run.
    ///
    /// # Errors
    /// As the store.
    pub fn new(store: &dyn SpillStore) -> SqlResult<Self> {
        Ok(Run {
            file: store.create()?,
            at: 0,
            end: 0,
            buffer: Vec::new(),
            used: 0,
            row: Vec::new(),
            live: false,
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    pub fn push(&mut self, keys: &[Datum], row: &[Datum]) -> SqlResult<()> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        for datum in keys.iter().chain(row) {
            let type_oid = if datum.is_null() {
                0
            } else {
                datum.natural_type()
            };
            self.buffer.extend_from_slice(&type_oid.to_le_bytes());
            if !datum.is_null() {
                tuple::put_value(&mut self.buffer, datum);
            }
        }
        let length = (self.buffer.len() - start - 4) as u32;
        self.buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
        if self.buffer.len() >= CHUNK {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> SqlResult<()> {
        self.file.append(&self.buffer)?;
        self.end += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Ends writing; what follows reads from the start.
    ///
    /// # Errors
    /// As [`Run::push`].
    pub fn rewind(&mut self) -> SqlResult<()> {
        self.flush()?;
        self.at = 0;
        self.used = 0;
        Ok(())
    }

    /// Makes sure that `wanted` unread bytes are in the buffer; false when the
    /// run has no more.
    fn fill(&mut self, wanted: usize) -> SqlResult<bool> {
        if self.buffer.len() - self.used >= wanted {
            return Ok(true);
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        while self.buffer.len() < wanted && self.at < self.end {
            let old = self.buffer.len();
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            self.buffer
                .resize(old + CHUNK.max(wanted - old).min(left), 0);
            let read = self.file.read_at(self.at, &mut self.buffer[old..])?;
            if read == 0 {
                return Err(damaged());
            }
            self.buffer.truncate(old + read);
            self.at += read as u64;
        }
        Ok(self.buffer.len() >= wanted)
    }

    /// Reads the next row.
    fn next(&mut self) -> SqlResult<()> {
        self.live = self.fill(4)?;
        if !self.live {
            return Ok(());
        }
        let head = self.buffer[self.used..]
            .first_chunk::<4>()
            .ok_or_else(damaged)?;
        let length = u32::from_le_bytes(*head) as usize;
        if !self.fill(4 + length)? {
            return Err(damaged());
        }
        let mut bytes = self
            .buffer
            .get(self.used + 4..self.used + 4 + length)
            .ok_or_else(damaged)?;
        self.used += 4 + length;
        self.row.clear();
        while let Some((type_oid, rest)) = bytes.split_first_chunk::<4>() {
            bytes = rest;
            self.row.push(match u32::from_le_bytes(*type_oid) {
                0 => Datum::Null,
                type_oid => tuple::take_value(&mut bytes, type_oid).map_err(|_| damaged())?,
            });
        }
        Ok(())
    }
}

#[cold]
fn damaged() -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, "a temporary file is damaged")
}

/// The rows of several runs in order.
pub struct Merge {
    orders: Vec<KeyOrder>,
    runs: Vec<Run>,
    /// The run of the present row; none before the first.
    present: Option<usize>,
}

impl Merge {
    /// Of runs that have been written.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn new(orders: &[KeyOrder], mut runs: Vec<Run>) -> SqlResult<Self> {
        for run in &mut runs {
            run.rewind()?;
            run.next()?;
        }
        Ok(Merge {
            orders: orders.to_vec(),
            runs,
            present: None,
        })
    }

    /// Moves to the next row; false at the end.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn advance(&mut self) -> SqlResult<bool> {
        if let Some(run) = self.present.and_then(|at| self.runs.get_mut(at)) {
            run.next()?;
        }
        let mut least: Option<usize> = None;
        for (at, run) in self.runs.iter().enumerate().filter(|(_, r)| r.live) {
            // Of equal rows the one of the earlier run came first.
            let less = least.is_none_or(|l| {
                compare_keys(&self.orders, &run.row, &self.runs[l].row) == Ordering::Less
            });
            if less {
                least = Some(at);
            }
        }
        self.present = least;
        Ok(least.is_some())
    }

    /// The present row.
    #[must_use]
    pub fn row(&self) -> &[Datum] {
        let run = self.present.and_then(|at| self.runs.get(at));
        run.and_then(|r| r.row.get(self.orders.len()..))
            .unwrap_or_default()
    }
}
