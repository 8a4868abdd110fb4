//! [`Groups`]: a set of distinct rows, each with a number; what grouping,
//! DISTINCT, set operations and recursive unions look rows up in.

use crate::env::Memory;
use crate::rows::RowBuffer;
use crate::sort_key::{hash_row, same_group};
use alloc::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashTable};
use pg_types::{Datum, Oid, SqlResult};

/// A table with more places is not kept for the next rows.
const KEEP_PLACES: usize = 4096;
/// Bytes of a place in the hash table.
const TABLE_BYTES: usize = 5;

/// Distinct rows, numbered in the order of their first appearance. NULLs are
/// equal to each other.
pub struct Groups {
    types: Vec<Oid>,
    keys: RowBuffer,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Groups {
    /// No rows yet, of columns of these types.
    #[must_use]
    pub fn new(types: &[Oid]) -> Self {
        Groups {
            types: types.to_vec(),
            keys: RowBuffer::new(types.len()),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// The row's number and whether it is new.
    ///
    /// # Errors
    /// 53200 when the statement is out of memory.
    pub fn enter(&mut self, row: &[Datum], memory: &mut Memory) -> SqlResult<(usize, bool)> {
        let Groups {
            types,
            keys,
            table,
            hasher,
        } = self;
        let hash = hash_row(hasher, types, row);
        if let Some(at) = table.find(hash, |i| same_group(types, keys.row(*i as usize), row)) {
            return Ok((*at as usize, false));
        }
        let at = keys.len();
        keys.push(row, memory)?;
        table.insert_unique(hash, at as u32, |i| {
            hash_row(hasher, types, keys.row(*i as usize))
        });
        Ok((at, true))
    }

    /// The row's number, if it is known.
    #[must_use]
    pub fn find(&self, row: &[Datum]) -> Option<usize> {
        let hash = hash_row(&self.hasher, &self.types, row);
        let same = |i: &u32| same_group(&self.types, self.keys.row(*i as usize), row);
        self.table.find(hash, same).map(|i| *i as usize)
    }

    /// The row's hash, which equal rows have in common.
    #[must_use]
    pub fn hash(&self, row: &[Datum]) -> u64 {
        hash_row(&self.hasher, &self.types, row)
    }

    /// Bytes that the rows and the table take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.table.capacity() * TABLE_BYTES
    }

    /// Row number `at`.
    #[must_use]
    pub fn row(&self, at: usize) -> &[Datum] {
        self.keys.row(at)
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Forgets all rows.
    pub fn clear(&mut self, memory: &mut Memory) {
        self.keys.clear(memory);
        if self.table.capacity() > KEEP_PLACES {
            self.table = HashTable::new();
        }
        self.table.clear();
    }
}
