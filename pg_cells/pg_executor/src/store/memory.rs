//! [`MemoryStore`]: a row store for tests of operators. No transactions; what
//! others do meanwhile is told in advance ([`MemoryStore::interfere`]).

use super::{Changed, Cursor, EntryBatch, RowBatch, RowBuf, RowStore, Tid, WaitPolicy};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use pg_plan::{LockStrength, Relation};
use pg_types::{Datum, Oid, SqlResult};

/// Rows of a page.
const PER_PAGE: usize = 4;

/// Files of rows and of index entries.
#[derive(Default)]
pub struct MemoryStore {
    /// Rows by file; a version that is gone is `None`.
    pub tables: BTreeMap<u32, Vec<Option<Vec<u8>>>>,
    /// Index entries by file.
    pub indexes: BTreeMap<u32, BTreeMap<(Vec<u8>, Tid), ()>>,
    /// What the next change of a row meets instead of being done.
    interference: BTreeMap<(u32, Tid), Vec<u8>>,
    /// Updates that needed no index entries.
    pub hot_updates: usize,
    /// Rows that were locked.
    pub locked: Vec<Tid>,
    /// Descriptors of tables.
    pub relations: Vec<Arc<Relation>>,
    /// How often a new snapshot was taken.
    pub refreshed: usize,
}

fn place(tid: Tid) -> usize {
    tid.block as usize * PER_PAGE + usize::from(tid.slot) - 1
}

fn tid(place: usize) -> Tid {
    Tid::new((place / PER_PAGE) as u32, (place % PER_PAGE) as u16 + 1)
}

impl MemoryStore {
    /// Another transaction will have replaced the row by `newer` when it is
    /// changed next.
    pub fn interfere(&mut self, file: u32, tid: Tid, newer: Vec<u8>) {
        self.interference.insert((file, tid), newer);
    }

    fn met(&mut self, file: u32, at: Tid) -> Option<Changed> {
        let newer = self.interference.remove(&(file, at))?;
        let rows = self.tables.entry(file).or_default();
        rows[place(at)] = None;
        rows.push(Some(newer));
        Some(Changed::Concurrent {
            newest: tid(rows.len() - 1),
        })
    }

    fn alive(&self, file: u32, at: Tid) -> Option<&Vec<u8>> {
        self.tables.get(&file)?.get(place(at))?.as_ref()
    }
}

impl RowStore for MemoryStore {
    fn blocks(&mut self, file: u32) -> SqlResult<u32> {
        Ok(self
            .tables
            .get(&file)
            .map_or(0, |t| t.len().div_ceil(PER_PAGE)) as u32)
    }

    fn scan_block(&mut self, file: u32, block: u32, batch: &mut RowBatch) -> SqlResult<()> {
        batch.clear();
        for i in 0..PER_PAGE {
            let at = tid(block as usize * PER_PAGE + i);
            if let Some(bytes) = self.alive(file, at) {
                batch.push(at, bytes);
            }
        }
        Ok(())
    }

    fn scan_roots(
        &mut self,
        file: u32,
        block: u32,
        batch: &mut RowBatch,
        roots: &mut Vec<u16>,
    ) -> SqlResult<()> {
        self.scan_block(file, block, batch)?;
        roots.clear();
        roots.extend(batch.iter().map(|(tid, _)| tid.slot));
        Ok(())
    }

    fn fetch(&mut self, file: u32, root: Tid, row: &mut RowBuf) -> SqlResult<Option<Tid>> {
        Ok(self.alive(file, root).map(|bytes| {
            row.set(bytes);
            root
        }))
    }

    fn fetch_latest(&mut self, file: u32, root: Tid, row: &mut RowBuf) -> SqlResult<Option<Tid>> {
        self.fetch(file, root, row)
    }

    fn fetch_version(&mut self, file: u32, tid: Tid, row: &mut RowBuf) -> SqlResult<bool> {
        Ok(self.fetch(file, tid, row)?.is_some())
    }

    fn require_seen(&mut self, _file: u32, _root: Tid, _version: Option<Tid>) -> SqlResult<()> {
        Ok(())
    }

    fn refresh(&mut self) -> SqlResult<()> {
        self.refreshed += 1;
        Ok(())
    }

    fn look_now(&mut self, _on: bool) -> SqlResult<()> {
        Ok(())
    }

    fn relation(&mut self, oid: Oid, _write: bool) -> SqlResult<Option<Arc<Relation>>> {
        Ok(self.relations.iter().find(|r| r.oid == oid).cloned())
    }

    fn virtual_rows(&mut self, relation: &Relation) -> SqlResult<Vec<Vec<Datum>>> {
        Err(pg_types::SqlError::unsupported(relation.name.as_str()))
    }

    fn insert(&mut self, file: u32, row: &[u8]) -> SqlResult<Tid> {
        let rows = self.tables.entry(file).or_default();
        rows.push(Some(row.to_vec()));
        Ok(tid(rows.len() - 1))
    }

    fn insert_many(&mut self, file: u32, rows: &[&[u8]], tids: &mut Vec<Tid>) -> SqlResult<()> {
        for row in rows {
            tids.push(self.insert(file, row)?);
        }
        Ok(())
    }

    fn update(&mut self, file: u32, at: Tid, row: &[u8], keep_keys: bool) -> SqlResult<Changed> {
        if let Some(met) = self.met(file, at) {
            return Ok(met);
        }
        if self.alive(file, at).is_none() {
            return Ok(Changed::SelfModified);
        }
        self.hot_updates += usize::from(keep_keys);
        let rows = self.tables.entry(file).or_default();
        if keep_keys {
            // In place: the entries go on leading to it.
            rows[place(at)] = Some(row.to_vec());
            return Ok(Changed::Done { tid: at, hot: true });
        }
        rows[place(at)] = None;
        rows.push(Some(row.to_vec()));
        Ok(Changed::Done {
            tid: tid(rows.len() - 1),
            hot: false,
        })
    }

    fn delete(&mut self, file: u32, at: Tid) -> SqlResult<Changed> {
        if let Some(met) = self.met(file, at) {
            return Ok(met);
        }
        if self.alive(file, at).is_none() {
            return Ok(Changed::SelfModified);
        }
        self.tables.entry(file).or_default()[place(at)] = None;
        Ok(Changed::Done {
            tid: at,
            hot: false,
        })
    }

    fn lock_row(
        &mut self,
        file: u32,
        at: Tid,
        _strength: LockStrength,
        policy: WaitPolicy,
    ) -> SqlResult<Changed> {
        if policy == WaitPolicy::Skip && self.interference.contains_key(&(file, at)) {
            return Ok(Changed::Skipped);
        }
        if let Some(met) = self.met(file, at) {
            return Ok(met);
        }
        self.locked.push(at);
        Ok(Changed::Done {
            tid: at,
            hot: false,
        })
    }

    fn index_batch(
        &mut self,
        index: u32,
        cursor: &mut Cursor,
        batch: &mut EntryBatch,
    ) -> SqlResult<bool> {
        batch.clear();
        if cursor.place == pg_btree_port::Place::End {
            return Ok(false);
        }
        cursor.place = pg_btree_port::Place::End;
        let above = |key: &[u8]| match &cursor.lower {
            Bound::Included(low) => key >= low.as_slice(),
            Bound::Excluded(low) => key > low.as_slice(),
            Bound::Unbounded => true,
        };
        let below = |key: &[u8]| match &cursor.upper {
            Bound::Included(high) => key <= high.as_slice(),
            Bound::Excluded(high) => key < high.as_slice(),
            Bound::Unbounded => true,
        };
        let entries = self.indexes.entry(index).or_default();
        let mut tids: Vec<Tid> = entries
            .keys()
            .filter(|(key, _)| above(key) && below(key))
            .map(|(_, tid)| *tid)
            .collect();
        if cursor.backward {
            tids.reverse();
        }
        batch.tids = tids;
        Ok(!batch.is_empty())
    }

    fn is_live(&mut self, file: u32, root: Tid) -> SqlResult<bool> {
        Ok(self.alive(file, root).is_some())
    }

    fn index_insert(
        &mut self,
        index: u32,
        table: u32,
        key: &[u8],
        tid: Tid,
        alone: Option<usize>,
    ) -> SqlResult<Option<Tid>> {
        let alone = alone.and_then(|len| key.get(..len));
        if let Some(alone) = alone
            && let Some(other) = self.index_conflict(index, table, alone)?
        {
            return Ok(Some(other));
        }
        self.indexes
            .entry(index)
            .or_default()
            .insert((key.to_vec(), tid), ());
        Ok(None)
    }

    fn index_rows(
        &mut self,
        index: u32,
        table: u32,
        key: &[u8],
        most: usize,
    ) -> SqlResult<Vec<Tid>> {
        let entries = self.indexes.entry(index).or_default();
        let known: Vec<Tid> = entries
            .keys()
            .filter(|(k, _)| k.starts_with(key))
            .map(|(_, t)| *t)
            .collect();
        let alive = known.into_iter();
        let alive = alive.filter(|t| self.alive(table, *t).is_some());
        Ok(alive.take(most).collect())
    }
}
