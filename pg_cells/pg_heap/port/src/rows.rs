//! Rows on their way out of the heap, and their addresses.

use alloc::vec::Vec;
use pg_buffer_port::Scan;

/// The address of a row's version: page and slot. Slots count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tid {
    /// The page.
    pub block: u32,
    /// The slot on it.
    pub slot: u16,
}

impl Tid {
    /// The version in `slot` of page `block`.
    #[inline]
    #[must_use]
    pub const fn new(block: u32, slot: u16) -> Self {
        Tid { block, slot }
    }

    /// As a number that sorts alike, below 2^48.
    #[inline]
    #[must_use]
    pub const fn pack(self) -> u64 {
        (self.block as u64) << 16 | self.slot as u64
    }

    /// From [`Tid::pack`]'s number.
    #[inline]
    #[must_use]
    pub const fn unpack(packed: u64) -> Self {
        Tid {
            block: (packed >> 16) as u32,
            slot: packed as u16,
        }
    }
}

impl core::fmt::Display for Tid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "({},{})", self.block, self.slot)
    }
}

/// One row's content. Reuse it: its memory stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowBuf {
    /// The bytes that were inserted.
    pub bytes: Vec<u8>,
}

impl RowBuf {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        RowBuf { bytes: Vec::new() }
    }

    /// Replaces the content.
    #[inline]
    pub fn set(&mut self, bytes: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }
}

/// The visible rows of a page. Reuse it: its memory stays, and who reads page after
/// page into it has the next ones read ahead.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowBatch {
    bytes: Vec<u8>,
    /// How far the reader is in the file.
    scan: Scan,
    /// Each row's tid, and where its bytes start and end.
    rows: Vec<(Tid, u32, u32)>,
}

impl RowBatch {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        RowBatch {
            bytes: Vec::new(),
            scan: Scan::new(),
            rows: Vec::new(),
        }
    }

    /// How many rows.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at `at`, below [`RowBatch::len`].
    #[inline]
    #[must_use]
    pub fn get(&self, at: usize) -> Option<(Tid, &[u8])> {
        let (tid, start, end) = *self.rows.get(at)?;
        Some((tid, self.bytes.get(start as usize..end as usize)?))
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = (Tid, &[u8])> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// Through this the heap reads the pages of a scan.
    pub fn scan(&mut self) -> &mut Scan {
        &mut self.scan
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, tid: Tid, row: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(row);
        self.rows.push((tid, start, self.bytes.len() as u32));
    }

    /// Replaces the content by rows that lie in `bytes`: each one's tid, and where it
    /// starts and ends. One copy for all of them.
    pub fn set(&mut self, bytes: &[u8], rows: impl Iterator<Item = (Tid, u32, u32)>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.rows.clear();
        self.rows.extend(rows);
    }
}

/// Tids of versions that are gone and that indexes may still hold; ascending.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeadTids {
    tids: Vec<Tid>,
}

impl DeadTids {
    /// From tids in any order.
    #[must_use]
    pub fn new(mut tids: Vec<Tid>) -> Self {
        tids.sort_unstable();
        tids.dedup();
        DeadTids { tids }
    }

    /// Whether `tid` is among them.
    #[inline]
    #[must_use]
    pub fn contains(&self, tid: Tid) -> bool {
        self.tids.binary_search(&tid).is_ok()
    }

    /// All, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[Tid] {
        &self.tids
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tids.is_empty()
    }
}
