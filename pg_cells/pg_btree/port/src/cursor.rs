//! Where a scan stands, and the entries it brings.

use crate::{FileId, Tid};
use alloc::vec::Vec;
use core::ops::Bound;
use pg_txn_port::Reads;

/// A scan over a range of keys. Plain data: it may be kept, cloned and dropped
/// at will.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Where the range begins.
    pub lower: Bound<Vec<u8>>,
    /// Where it ends.
    pub upper: Bound<Vec<u8>>,
    /// From the end to the beginning.
    pub backward: bool,
    /// Whether batches carry the keys too (for index-only scans and merges).
    pub want_keys: bool,
    /// The table, when batches are to say of each entry whether everyone sees its
    /// row's page (for index-only scans).
    pub heap: Option<FileId>,
    /// Whom to tell which pages are read: a serializable transaction's
    /// (`Snapshot::reads`).
    pub reads: Option<Reads>,
    /// Where it stands; the cell's.
    pub place: Place,
}

/// Where a scan stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Place {
    /// Before its first entry.
    #[default]
    Start,
    /// Forward: all entries of pages left of this one have been given.
    Page(NextPage),
    /// Backward: all entries from this one on have been given.
    Before {
        /// Its key.
        key: Vec<u8>,
        /// Its tid; packed.
        tid: u64,
    },
    /// Behind its last entry.
    End,
}

/// The page with which a scan goes on, unless it has become another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextPage {
    /// Its number.
    pub block: u32,
    /// Where the log stood when the link to it was read.
    pub since: u64,
    /// The key at which it begins.
    pub low: Vec<u8>,
    /// The tid at which it begins; packed.
    pub tid: u64,
}

impl Cursor {
    /// A scan of the keys between two bounds.
    #[must_use]
    pub fn new(lower: Bound<Vec<u8>>, upper: Bound<Vec<u8>>, backward: bool) -> Self {
        Cursor {
            lower,
            upper,
            backward,
            want_keys: false,
            heap: None,
            reads: None,
            place: Place::Start,
        }
    }

    /// A scan of one key.
    #[must_use]
    pub fn point(key: Vec<u8>) -> Self {
        Cursor::new(Bound::Included(key.clone()), Bound::Included(key), false)
    }

    /// A scan of all keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: Vec<u8>, backward: bool) -> Self {
        let upper = match after_prefix(&prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Unbounded,
        };
        Cursor::new(Bound::Included(prefix), upper, backward)
    }

    /// The same with keys in its batches.
    #[must_use]
    pub fn with_keys(mut self) -> Self {
        self.want_keys = true;
        self
    }

    /// The same for a scan that need not look at rows of `heap` which everyone
    /// sees.
    #[must_use]
    pub fn index_only(mut self, heap: FileId) -> Self {
        self.heap = Some(heap);
        self.with_keys()
    }

    /// Back to the start.
    pub fn rewind(&mut self) {
        self.place = Place::Start;
    }
}

/// The least key above all keys that begin with `prefix`.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|b| *b != 0xFF)?;
    let mut after = prefix[..=keep].to_vec();
    after[keep] += 1;
    Some(after)
}

/// Entries of an index. Reuse it: its memory stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EntryBatch {
    /// The tids, in the scan's order.
    pub tids: Vec<Tid>,
    /// For each of them whether everyone sees all rows on its page, so that the
    /// key says all that there is to say; empty when the cursor names no table.
    pub all_visible: Vec<bool>,
    /// The page they were on, and where the log stood before; the cell's.
    pub page: Option<(u32, u64)>,
    bytes: Vec<u8>,
    /// The ends of the keys in `bytes`; empty when keys are not wanted.
    ends: Vec<u32>,
}

impl EntryBatch {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        EntryBatch {
            tids: Vec::new(),
            all_visible: Vec::new(),
            page: None,
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// How many entries.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.tids.len()
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tids.is_empty()
    }

    /// The key of the entry at `at`, if the cursor wants keys.
    #[must_use]
    pub fn key(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)?;
        let start = match at {
            0 => 0,
            _ => self.ends[at - 1],
        };
        self.bytes.get(start as usize..end as usize)
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.tids.clear();
        self.all_visible.clear();
        self.page = None;
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds an entry without its key.
    #[inline]
    pub fn push(&mut self, tid: Tid) {
        self.tids.push(tid);
    }

    /// Adds an entry with its key.
    #[inline]
    pub fn push_with_key(&mut self, tid: Tid, key: &[u8]) {
        self.tids.push(tid);
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(&[1, 0xFF, 0xFF]), Some(alloc::vec![2]));
        assert_eq!(after_prefix(&[0xFF]), None);
        assert_eq!(after_prefix(&[]), None);
    }
}
