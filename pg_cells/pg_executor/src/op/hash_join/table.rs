//! The table of a hash join: the rows of the right side, or of a part of it, by
//! their keys.

use crate::env::Memory;
use crate::rows::RowBuffer;
use crate::sort_key::{hash_row, same_group};
use alloc::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashTable};
use pg_types::{Datum, Oid, SqlResult};

/// No further row in a chain.
pub const END: u32 = u32::MAX;
/// Bytes of a row beside its values: its link, its place in the table.
const ROW_BYTES: usize = 10;

/// Rows by key.
pub struct Table {
    types: Vec<Oid>,
    rows: RowBuffer,
    keys: RowBuffer,
    /// The next row with the same keys.
    chain: Vec<u32>,
    /// Rows that found a partner, when that is noted.
    matched: Vec<bool>,
    /// First row of each chain.
    heads: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Table {
    /// An empty table for rows of `width` columns, with keys of these types.
    #[must_use]
    pub fn new(width: usize, types: Vec<Oid>) -> Self {
        Table {
            rows: RowBuffer::new(width),
            keys: RowBuffer::new(types.len()),
            types,
            chain: Vec::new(),
            matched: Vec::new(),
            heads: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Adds a row; one without a hash, whose keys are not all known, is never
    /// found.
    ///
    /// # Errors
    /// 53200 when the statement is out of memory.
    pub fn push(
        &mut self,
        row: &[Datum],
        key: &[Datum],
        hash: Option<u64>,
        note: bool,
        memory: &mut Memory,
    ) -> SqlResult<()> {
        let at = self.rows.len() as u32;
        self.rows.push(row, memory)?;
        self.keys.push(key, memory)?;
        self.chain.push(END);
        if note {
            self.matched.push(false);
        }
        if let Some(hash) = hash {
            self.link(at, hash);
        }
        Ok(())
    }

    /// Puts row `at` into the chain of its keys.
    fn link(&mut self, at: u32, hash: u64) {
        let Table {
            types,
            keys,
            chain,
            heads,
            hasher,
            ..
        } = self;
        let key = keys.row(at as usize);
        match heads.find_mut(hash, |h| same_group(types, keys.row(*h as usize), key)) {
            Some(head) => {
                // Behind the head, so that the table need not change.
                chain[at as usize] = chain[*head as usize];
                chain[*head as usize] = at;
            }
            None => {
                heads.insert_unique(hash, at, |h| hash_row(hasher, types, keys.row(*h as usize)));
            }
        }
    }

    /// The hash of keys.
    #[must_use]
    pub fn hash(&self, key: &[Datum]) -> u64 {
        hash_row(&self.hasher, &self.types, key)
    }

    /// The first row with these keys, or [`END`].
    #[must_use]
    pub fn find(&self, key: &[Datum]) -> u32 {
        let same = |h: &u32| same_group(&self.types, self.keys.row(*h as usize), key);
        self.heads
            .find(self.hash(key), same)
            .copied()
            .unwrap_or(END)
    }

    /// The next row with the same keys as row `at`, or [`END`].
    #[must_use]
    pub fn next(&self, at: u32) -> u32 {
        self.chain.get(at as usize).copied().unwrap_or(END)
    }

    /// Row `at`.
    #[must_use]
    pub fn row(&self, at: u32) -> &[Datum] {
        self.rows.row(at as usize)
    }

    /// Keys of row `at`.
    #[must_use]
    pub fn key(&self, at: u32) -> &[Datum] {
        self.keys.row(at as usize)
    }

    /// Notes that row `at` has a partner.
    pub fn mark(&mut self, at: u32) {
        if let Some(flag) = self.matched.get_mut(at as usize) {
            *flag = true;
        }
    }

    /// The first row from `from` on without a partner.
    #[must_use]
    pub fn unmatched(&self, from: usize) -> Option<usize> {
        (from..self.rows.len()).find(|i| !self.matched[*i])
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.keys.bytes() + self.rows.len() * ROW_BYTES
    }

    /// Places of the hash table.
    #[must_use]
    pub fn places(&self) -> usize {
        self.heads.capacity()
    }

    /// Drops all rows and gives their memory back.
    pub fn clear(&mut self, memory: &mut Memory) {
        if self.rows.len() > KEEP_ROWS {
            self.chain = Vec::new();
            self.matched = Vec::new();
            self.heads = HashTable::new();
        }
        self.rows.clear(memory);
        self.keys.clear(memory);
        self.chain.clear();
        self.matched.clear();
        self.heads.clear();
    }
}

/// A larger table's memory is not kept for the next rows.
const KEEP_ROWS: usize = 4096;
