//! [`IndexOnlyScan`]: rows found through an index and read from its entries. The table
//! itself is looked at where not everyone sees all rows of a page: an entry says
//! nothing about who sees its row.

use super::index_scan::IndexScan;
use super::modify::indexes::Included;
use super::{Builder, Operator};
use crate::env::Env;
use alloc::format;
use alloc::vec::Vec;
use pg_executor_port::Detail;
use pg_types::{Datum, SqlError, SqlResult, SqlState, keycode};

/// A scan of an index that holds all columns wanted.
pub struct IndexOnlyScan {
    scan: IndexScan,
    /// For each output column its place among the values of an entry.
    places: Vec<usize>,
    /// Key columns up to the last one wanted.
    needed: usize,
    /// What follows the key, if something of that is wanted.
    included: Option<Included>,
    values: Vec<Datum>,
    /// Rows that were looked at.
    fetches: u64,
}

impl IndexOnlyScan {
    /// Compiles a scan.
    ///
    /// # Errors
    /// As compiling expressions; when the index lacks a column.
    pub fn compile(scan: &pg_plan::IndexScan, builder: &mut Builder) -> SqlResult<Self> {
        let included = Included::of(&scan.relation, &scan.index);
        let width = scan.index.keys.len();
        let place = |column: &usize| {
            let mut keys = scan.index.keys.iter();
            let at = keys.position(|key| usize::try_from(key.attribute - 1) == Ok(*column));
            let at = at.or_else(|| included.position(*column).map(|at| width + at));
            at.ok_or_else(|| SqlError::internal("a column that the index does not hold"))
        };
        let places: Vec<usize> = scan.columns.iter().map(place).collect::<SqlResult<_>>()?;
        let last = places.iter().map(|place| place + 1).max().unwrap_or(0);
        Ok(IndexOnlyScan {
            needed: last.min(width),
            included: (last > width).then_some(included),
            places,
            scan: IndexScan::compile(scan, builder)?,
            values: Vec::new(),
            fetches: 0,
        })
    }

    /// Reads the row from the entry at `at`; false when the entry is older than what
    /// entries hold beside their keys.
    fn decode_key(&mut self, at: usize) -> SqlResult<bool> {
        let scan = &mut self.scan;
        scan.row.clear();
        if self.needed == 0 {
            return Ok(true);
        }
        let mut key = scan.batch.key(at).unwrap_or_default();
        self.values.clear();
        for (type_oid, order) in &scan.keys[..self.needed] {
            let value = keycode::decode(&mut key, *type_oid, *order);
            let value = value.map_err(|_| damaged(scan.batch.tids.get(at)))?;
            self.values.push(value);
        }
        if let Some(included) = &mut self.included {
            if key.is_empty() {
                return Ok(false);
            }
            if !included.read(key, &mut self.values) {
                return Err(damaged(scan.batch.tids.get(at)));
            }
        }
        let values = &self.values;
        scan.row
            .extend(self.places.iter().map(|place| values[*place].clone()));
        Ok(true)
    }
}

#[cold]
fn damaged(tid: Option<&crate::store::Tid>) -> SqlError {
    let place = tid.copied().unwrap_or_default();
    SqlError::new(
        SqlState::DATA_CORRUPTED,
        format!("the index entry of the row {place} does not have the shape of its key"),
    )
}

impl Operator for IndexOnlyScan {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            let at = self.scan.at;
            let Some(&root) = self.scan.batch.tids.get(at) else {
                if self.scan.next_batch(env)? {
                    continue;
                }
                return Ok(false);
            };
            self.scan.at += 1;
            env.tick()?;
            let seen = self.scan.batch.all_visible.get(at) == Some(&true);
            if !seen || !self.decode_key(at)? {
                self.fetches += 1;
                let scan = &mut self.scan;
                let Some(id) = env.store.fetch(scan.table, root, &mut scan.fetched)? else {
                    scan.gone.push(root);
                    continue;
                };
                scan.decoder
                    .decode(&scan.fetched.bytes, id, &mut scan.row)?;
            }
            if let Some(filter) = &mut self.scan.filter
                && !filter.is_true(&self.scan.row, env)?
            {
                continue;
            }
            self.scan.given(env)?;
            return Ok(true);
        }
    }

    fn row(&self) -> &[Datum] {
        &self.scan.row
    }

    fn width(&self) -> usize {
        self.places.len()
    }

    fn reset(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        self.scan.reset(env)
    }

    fn detail(&self) -> Detail {
        Detail::IndexOnly {
            heap_fetches: self.fetches,
        }
    }
}
