//! [`IndexScan`]: rows found through an index. The bounds become byte ranges of
//! the tree's keys; each value of an `IN` list is a range of its own.

use super::decode::Decoder;
use super::{Builder, Operator};
use crate::env::Env;
use crate::expr::{Code, compile, compile_all, compile_option};
use crate::store::{Cursor, EntryBatch, RowBuf, Tid, main};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use core::sync::atomic::Ordering;
use pg_plan::{BoundKind, Counters, IndexBound, ScanDirection};
use pg_types::{Datum, Oid, SqlResult, keycode};

/// A scan through an index.
pub struct IndexScan {
    /// What was done with the table, and with the index.
    counters: [Arc<Counters>; 2],
    pub(super) table: u32,
    index: u32,
    /// The key columns' types and orders.
    pub(super) keys: Vec<(Oid, pg_types::KeyOrder)>,
    equal: Vec<Code>,
    any: Option<Code>,
    lower: Option<(Code, BoundKind)>,
    upper: Option<(Code, BoundKind)>,
    backward: bool,
    /// Each range has one visible row at most: all columns of a unique key are
    /// given.
    single: bool,
    /// Entries come with their keys, and with what is known of their rows.
    index_only: bool,
    pub(super) filter: Option<Code>,
    pub(super) decoder: Decoder,
    /// Whether the bounds have been computed.
    started: bool,
    /// Ranges still to be scanned, the next one last.
    ranges: Vec<(Vec<u8>, Vec<u8>)>,
    cursor: Option<Cursor>,
    pub(super) batch: EntryBatch,
    pub(super) at: usize,
    /// Entries of the batch that led to no row.
    pub(super) gone: Vec<Tid>,
    pub(super) fetched: RowBuf,
    pub(super) row: Vec<Datum>,
}

/// Above every continuation of a key's prefix: a column starts with a marker of
/// at most two.
const ABOVE: u8 = 0xff;
/// The markers of `keycode`: a value, and NULL behind all values.
const VALUE: u8 = 1;
const NULL_LAST: u8 = 2;
/// So many entries of a batch that lead to no row are worth a second look.
const MANY_GONE: usize = 4;

impl IndexScan {
    /// Compiles a scan.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(scan: &pg_plan::IndexScan, builder: &mut Builder) -> SqlResult<Self> {
        let bound = |bound: &Option<IndexBound>, builder: &mut Builder| -> SqlResult<_> {
            bound
                .as_ref()
                .map(|b| Ok((compile(&b.value, builder)?, b.kind)))
                .transpose()
        };
        let order = |k: &pg_plan::IndexColumn| pg_types::KeyOrder {
            desc: k.descending,
            nulls_first: k.nulls_first,
        };
        Ok(IndexScan {
            counters: [scan.relation.counters.clone(), scan.index.counters.clone()],
            table: scan.relation.file,
            index: scan.index.file,
            keys: scan
                .index
                .keys
                .iter()
                .map(|k| (k.type_oid, order(k)))
                .collect(),
            equal: compile_all(&scan.equal, builder)?,
            any: compile_option(scan.any.as_ref(), builder)?,
            lower: bound(&scan.lower, builder)?,
            upper: bound(&scan.upper, builder)?,
            single: scan.index.unique
                && !scan.index.deferral.deferrable
                && scan.equal.len() + usize::from(scan.any.is_some()) == scan.index.keys.len(),
            index_only: scan.index_only,
            backward: scan.direction == ScanDirection::Backward,
            filter: compile_option(scan.filter.as_ref(), builder)?,
            decoder: Decoder::new(&scan.relation, &scan.columns, scan.row_id),
            started: false,
            ranges: Vec::new(),
            cursor: None,
            batch: EntryBatch::new(),
            at: 0,
            gone: Vec::new(),
            fetched: RowBuf::new(),
            row: Vec::new(),
        })
    }

    /// Computes the ranges; none when a bound is NULL.
    fn start(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.started = true;
        let mut prefix = Vec::with_capacity(32);
        for (code, (type_oid, order)) in self.equal.iter_mut().zip(&self.keys) {
            let value = code.eval(&[], env)?;
            if value.is_null() {
                return Ok(());
            }
            keycode::encode(&mut prefix, &value, *type_oid, *order);
        }
        let Some(any) = &mut self.any else {
            let column = self.equal.len();
            if let Some(range) = self.range(prefix, column, env)? {
                self.ranges.push(range);
            }
            return Ok(());
        };
        let Datum::Array(array) = any.eval(&[], env)? else {
            return Ok(());
        };
        let column = self.equal.len();
        let Some(&(type_oid, order)) = self.keys.get(column) else {
            return Ok(());
        };
        let mut prefixes = Vec::with_capacity(array.items.len());
        for item in array.items.iter().filter(|i| !i.is_null()) {
            let mut key = prefix.clone();
            keycode::encode(&mut key, item, type_oid, order);
            prefixes.push(key);
        }
        // Each value once, and in the order of the scan.
        prefixes.sort_unstable();
        prefixes.dedup();
        if !self.backward {
            prefixes.reverse();
        }
        for key in prefixes {
            if let Some(range) = self.range(key, column + 1, env)? {
                self.ranges.push(range);
            }
        }
        Ok(())
    }

    /// The keys that start with `prefix` and satisfy the bounds on the next
    /// column, as `low..high`.
    fn range(
        &mut self,
        prefix: Vec<u8>,
        column: usize,
        env: &mut Env<'_>,
    ) -> SqlResult<Option<(Vec<u8>, Vec<u8>)>> {
        let mut low = prefix.clone();
        let mut high = prefix;
        if self.lower.is_none() && self.upper.is_none() {
            high.push(ABOVE);
            return Ok(Some((low, high)));
        }
        let Some(&(type_oid, order)) = self.keys.get(column) else {
            return Ok(None);
        };
        // In a descending column the larger values have the smaller keys.
        let (at_low, at_high) = if order.desc {
            (&mut self.upper, &mut self.lower)
        } else {
            (&mut self.lower, &mut self.upper)
        };
        match at_low {
            Some((code, kind)) => {
                let value = code.eval(&[], env)?;
                if value.is_null() {
                    return Ok(None);
                }
                keycode::encode(&mut low, &value, type_oid, order);
                if *kind == BoundKind::Exclusive {
                    low.push(ABOVE);
                }
            }
            None => low.push(VALUE),
        }
        match at_high {
            Some((code, kind)) => {
                let value = code.eval(&[], env)?;
                if value.is_null() {
                    return Ok(None);
                }
                keycode::encode(&mut high, &value, type_oid, order);
                if *kind == BoundKind::Inclusive {
                    high.push(ABOVE);
                }
            }
            None => high.push(NULL_LAST),
        }
        Ok(Some((low, high)))
    }

    /// Done with the batch: tells of its entries that led nowhere.
    fn leave_batch(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        if self.gone.len() >= MANY_GONE {
            let (index, table) = (self.index, self.table);
            env.store
                .index_gone(index, table, &self.batch, &self.gone)?;
        }
        self.gone.clear();
        Ok(())
    }

    /// Reads entries until there are some; false when all ranges are done.
    pub(super) fn next_batch(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        if !self.started {
            self.start(env)?;
            let [table, index] = &self.counters;
            table.index_scans.fetch_add(1, Ordering::Relaxed);
            index.scans.fetch_add(1, Ordering::Relaxed);
        }
        self.leave_batch(env)?;
        loop {
            if self.cursor.is_none() {
                let Some((low, high)) = self.ranges.pop() else {
                    return Ok(false);
                };
                let (low, high) = (Bound::Included(low), Bound::Excluded(high));
                let cursor = Cursor::new(low, high, self.backward);
                self.cursor = Some(match self.index_only {
                    true => cursor.index_only(main(self.table)),
                    false => cursor,
                });
            }
            self.at = 0;
            if let Some(cursor) = &mut self.cursor
                && env.store.index_batch(self.index, cursor, &mut self.batch)?
            {
                let entries = self.batch.len() as u64;
                self.counters[1].read.fetch_add(entries, Ordering::Relaxed);
                return Ok(true);
            }
            self.batch.clear();
            self.cursor = None;
        }
    }

    /// A row was given: when no other can follow, nothing more is looked for.
    pub(super) fn given(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        if self.single {
            // Looking for more would read the page again for nothing.
            self.leave_batch(env)?;
            self.batch.clear();
            self.cursor = None;
        }
        Ok(())
    }
}

impl Operator for IndexScan {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            let Some(&root) = self.batch.tids.get(self.at) else {
                if self.next_batch(env)? {
                    continue;
                }
                return Ok(false);
            };
            self.at += 1;
            env.tick()?;
            let Some(id) = env.store.fetch(self.table, root, &mut self.fetched)? else {
                self.gone.push(root);
                continue;
            };
            for counters in &self.counters {
                counters.fetched.fetch_add(1, Ordering::Relaxed);
            }
            self.decoder
                .decode(&self.fetched.bytes, id, &mut self.row)?;
            if let Some(filter) = &mut self.filter
                && !filter.is_true(&self.row, env)?
            {
                continue;
            }
            self.given(env)?;
            return Ok(true);
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.decoder.width()
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.started = false;
        self.ranges.clear();
        self.cursor = None;
        self.gone.clear();
        self.batch.clear();
        self.at = 0;
        Ok(())
    }
}
