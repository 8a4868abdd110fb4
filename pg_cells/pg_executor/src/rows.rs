//! [`RowBuffer`]: many rows of one width in one flat vector; what sorts, hash
//! tables, windows and common table expressions keep.

use crate::env::Memory;
use alloc::vec::Vec;
use pg_types::{Datum, SqlResult};

/// A buffer that was larger is not kept for the next rows.
const KEEP_BYTES: usize = 256 * 1024;

/// Rows of equal width.
#[derive(Default, Debug)]
pub struct RowBuffer {
    width: usize,
    count: usize,
    data: Vec<Datum>,
    bytes: usize,
}

impl RowBuffer {
    /// An empty buffer for rows of `width` columns.
    #[must_use]
    pub fn new(width: usize) -> Self {
        RowBuffer {
            width,
            count: 0,
            data: Vec::new(),
            bytes: 0,
        }
    }

    /// Columns per row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes it has taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a copy of `row`.
    ///
    /// # Errors
    /// 53200 when the statement is out of memory.
    pub fn push(&mut self, row: &[Datum], memory: &mut Memory) -> SqlResult<()> {
        debug_assert_eq!(row.len(), self.width);
        let size = row.iter().map(datum_size).sum::<usize>() + 8;
        memory.take(size)?;
        self.bytes += size;
        self.count += 1;
        self.data.extend_from_slice(row);
        Ok(())
    }

    /// Appends the datums of `row`, leaving it empty.
    ///
    /// # Errors
    /// 53200 when the statement is out of memory.
    pub fn push_owned(&mut self, row: &mut Vec<Datum>, memory: &mut Memory) -> SqlResult<()> {
        debug_assert_eq!(row.len(), self.width);
        let size = row.iter().map(datum_size).sum::<usize>() + 8;
        memory.take(size)?;
        self.bytes += size;
        self.count += 1;
        self.data.append(row);
        Ok(())
    }

    /// Row number `at`.
    #[inline]
    #[must_use]
    pub fn row(&self, at: usize) -> &[Datum] {
        let start = at * self.width;
        &self.data[start..start + self.width]
    }

    /// Row number `at`, to change.
    #[must_use]
    pub fn row_mut(&mut self, at: usize) -> &mut [Datum] {
        let start = at * self.width;
        &mut self.data[start..start + self.width]
    }

    /// Drops all rows and gives their memory back.
    pub fn clear(&mut self, memory: &mut Memory) {
        memory.give(self.bytes);
        if self.bytes > KEEP_BYTES {
            self.data = Vec::new();
        }
        self.bytes = 0;
        self.count = 0;
        self.data.clear();
    }

    /// Drops all rows but the first `count`.
    pub fn truncate(&mut self, count: usize, memory: &mut Memory) {
        if count >= self.count {
            return;
        }
        let dropped: usize = (count..self.count)
            .map(|i| self.row(i).iter().map(datum_size).sum::<usize>() + 8)
            .sum();
        memory.give(dropped);
        self.bytes = self.bytes.saturating_sub(dropped);
        self.count = count;
        self.data.truncate(count * self.width);
    }
}

/// About how many bytes a datum takes in memory.
#[must_use]
pub fn datum_size(datum: &Datum) -> usize {
    const INLINE: usize = core::mem::size_of::<Datum>();
    INLINE
        + match datum {
            Datum::Text(s) => {
                let len = s.as_bytes().len();
                if len > pg_types::text::INLINE {
                    len + 16
                } else {
                    0
                }
            }
            Datum::Bytea(b) => b.len() + 16,
            Datum::Array(a) => 64 + a.items.iter().map(datum_size).sum::<usize>(),
            Datum::Record(r) => 80 + r.fields.iter().map(datum_size).sum::<usize>(),
            _ => 0,
        }
}
